/* SPDX-License-Identifier: Apache-2.0 */
/* Scrubs as tools ask for them and are told of them. */
#include "target/control/answer.h"
#include "target/control/state.h"

#include <time.h>

json_t *json_scrub(const struct record *record)
{
    const struct scrub_state *scrub = &record->scrub;
    const struct scrub_result *last = &scrub->last;
    struct repl_status status;
    json_t *json = json_object();
    bool running = scrub->phase != SCRUB_OVER;
    json_object_set_new(json, "running", json_boolean(running));
    if (running) {
        volume_status(record->volume, &status);
        json_object_set_new(json, "now",
                            json_pack("{s:o, s:o, s:o, s:o}", "began_s", json_u64(scrub->began_s),
                                      "done_bytes", json_u64(status.scrub.done_bytes), "found",
                                      json_u64(status.scrub.found), "unrepaired",
                                      json_u64(status.scrub.unrepaired)));
    }
    if (last->ended_s > 0) {
        json_object_set_new(json, "ended_s", json_u64(last->ended_s));
        json_object_set_new(json, "done_bytes", json_u64(last->done_bytes));
        json_object_set_new(json, "found", json_u64(last->found));
        json_object_set_new(json, "repaired", json_u64(last->found - last->unrepaired));
        json_object_set_new(json, "unrepaired", json_u64(last->unrepaired));
    }
    uint64_t due_s = scrub_record_due_s(record, (uint64_t)time(NULL));
    if (due_s != UINT64_MAX)
        json_object_set_new(json, "due_s", json_u64(due_s));
    return json;
}

void api_scrub(struct record *record, struct http_request *request)
{
    uint64_t now_s = (uint64_t)time(NULL);
    bool begins = request->method == HTTP_POST;
    if (!begins && request->method != HTTP_GET) {
        answer_error(request, 405, "%s: only GET and POST", request->path);
    } else if (!record->volume) {
        answer_error(request, 503, "volume %s: it is not served here", record->config.name);
    } else {
        scrub_look(record, now_s);
        if (begins)
            scrub_begin(record, now_s);
        answer_json(request, begins ? 202 : 200, json_scrub(record));
    }
}
