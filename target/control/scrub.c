/* SPDX-License-Identifier: Apache-2.0 */
/* Scrubbing a volume: begun on demand, goes on in the background; what it found is told. */
#include "target/control/answer.h"
#include "target/control/state.h"

#include <time.h>

json_t *json_scrub(const struct record *record, const struct repl_status *status)
{
    const struct repl_scrub_status *scrub = &status->scrub;
    json_t *json = json_pack("{s:b, s:I, s:I, s:I}", "running", scrub->running, "done_bytes",
                             (json_int_t)scrub->done_bytes, "found", (json_int_t)scrub->found,
                             "unrepaired", (json_int_t)scrub->unrepaired);
    if (scrub->ended > 0 && !scrub->running) {
        uint64_t ago_ns = loop_now_ns(record->control->loop) - scrub->ended_ns;
        json_int_t ended_s = (json_int_t)time(NULL) - (json_int_t)(ago_ns / 1000000000u);
        json_object_set_new(json, "ended_s", json_integer(ended_s));
    }
    return json;
}

void api_scrub(struct record *record, struct http_request *request)
{
    struct repl_status status;
    bool begins = request->method == HTTP_POST;
    if (!begins && request->method != HTTP_GET) {
        answer_error(request, 405, "%s: only GET and POST", request->path);
    } else if (!record->volume) {
        answer_error(request, 503, "volume %s: it is not served here", record->config.name);
    } else {
        if (begins)
            volume_scrub(record->volume);
        volume_status(record->volume, &status);
        answer_json(request, begins ? 202 : 200, json_scrub(record, &status));
    }
}
