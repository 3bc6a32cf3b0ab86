/* SPDX-License-Identifier: Apache-2.0 */
/* A volume is shown with the space it takes, as one of its replicas tells it. */
#include "target/control/question.h"

#include <stdlib.h>

struct space {
    struct record *record;
    struct http_request *request;
    struct volume_question question;
};

static json_t *json_space(const struct message_space *space)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "logical_bytes", (json_int_t)space->logical_bytes,
                     "unique_bytes", (json_int_t)space->unique_bytes, "shared_bytes",
                     (json_int_t)space->shared_bytes, "reclaimable_bytes",
                     (json_int_t)space->reclaimable_bytes);
}

static void on_space(struct volume_question *question)
{
    struct space *space = question->owner;
    struct record *record = space->record;
    json_t *json = answer_volume(record);
    if (question->status == 0)
        json_object_set_new(json, "space", json_space(&question->space));
    answer_json(space->request, 200, json);
    free(space);
    question_over(record);
}

void space_show(struct record *record, struct http_request *request)
{
    struct repl_status status = {.state = REPL_OPENING};
    if (record->state == RECORD_LIVE && record->volume && !record->stopping && !record->fenced)
        volume_status(record->volume, &status);
    struct space *space = status.state == REPL_SERVING ? calloc(1, sizeof(*space)) : NULL;
    if (!space) {
        answer_record(request, 200, record);
        return;
    }
    space->record = record;
    space->request = request;
    space->question =
        (struct volume_question){.kind = VOLUME_SPACE, .done = on_space, .owner = space};
    record->questions++;
    volume_ask(record->volume, &space->question);
}
