/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What changed between two snapshots, or since one: asked of the volume piece by piece, so that one
 * answer is never long. Who asks goes on at "next_offset_bytes".
 */
#include "target/control/question.h"

#include <errno.h>
#include <stdlib.h>

struct diff {
    struct block_req req;
    struct record *record;
    struct http_request *request;
    json_t *answer; /* owned: what is known of it so far */
    uint64_t size_bytes;
    struct block_run runs[DIFF_RUNS_MAX];
};

/* The runs as ranges; returns where they end. */
static uint64_t diff_ranges(const struct diff *diff, json_t *ranges, uint64_t sums[3])
{
    uint64_t offset = diff->req.offset_bytes;
    for (uint32_t i = 0; i < diff->req.runs_count; i++) {
        const struct block_run *run = &diff->runs[i];
        bool data = run->state == BLOCK_DATA;
        if (run->state == BLOCK_DATA || run->state == BLOCK_ZEROED)
            json_array_append_new(ranges,
                                  json_pack("{s:I, s:I, s:s}", "offset_bytes", (json_int_t)offset,
                                            "length_bytes", (json_int_t)run->length_bytes, "state",
                                            data ? "data" : "zero"));
        sums[run->state] += run->length_bytes;
        offset += run->length_bytes;
    }
    return offset;
}

static void diff_answer(struct diff *diff)
{
    json_t *ranges = json_array();
    uint64_t sums[3] = {0};
    uint64_t next = diff_ranges(diff, ranges, sums);
    json_object_set_new(diff->answer, "data_bytes", json_integer((json_int_t)sums[BLOCK_DATA]));
    json_object_set_new(diff->answer, "zero_bytes", json_integer((json_int_t)sums[BLOCK_ZEROED]));
    json_object_set_new(diff->answer, "ranges", ranges);
    json_object_set_new(diff->answer, "next_offset_bytes",
                        next < diff->size_bytes ? json_integer((json_int_t)next) : json_null());
    answer_json(diff->request, 200, json_incref(diff->answer));
}

static void on_status(struct block_req *req)
{
    struct diff *diff = CONTAINER_OF(req, struct diff, req);
    struct record *record = diff->record;
    if (req->status == 0)
        diff_answer(diff);
    else
        answer_error(diff->request, 503, "volume %s: what changed cannot be told (%s)",
                     record->config.name, strerror(-req->status));
    json_decref(diff->answer);
    free(diff);
    question_over(record);
}

/* The snapshot of this name, or NULL (*bad: and the request was answered). */
static const struct snapshot *diff_end(struct record *record, struct http_request *request,
                                       const char *key, bool *bad)
{
    json_t *names = query_values(request, key);
    const char *name = json_string_value(json_array_get(names, 0));
    const struct snapshot *snapshot = name ? snapshot_find(record, name, strlen(name)) : NULL;
    *bad = name && !snapshot;
    if (*bad)
        answer_error(request, 404, "snapshot %s@%.80s: there is none of this name",
                     record->config.name, name);
    json_decref(names);
    return snapshot;
}

static uint64_t diff_offset(const struct http_request *request)
{
    json_t *offsets = query_values(request, "offset");
    const char *text = json_string_value(json_array_get(offsets, 0));
    uint64_t offset = text ? strtoull(text, NULL, 10) : 0;
    json_decref(offsets);
    return offset / BLOCK_BYTES * BLOCK_BYTES;
}

void diff_ask(struct record *record, struct http_request *request)
{
    bool bad = false;
    if (!query_only(request, "from to offset"))
        return;
    const struct snapshot *from = diff_end(record, request, "from", &bad);
    const struct snapshot *to = bad ? NULL : diff_end(record, request, "to", &bad);
    if (bad)
        return;
    struct diff *diff = calloc(1, sizeof(*diff));
    ASSERT(diff);
    uint64_t size = to ? to->size_bytes : volume_config(record->volume)->size_bytes;
    uint64_t offset = diff_offset(request);
    diff->record = record;
    diff->request = request;
    diff->size_bytes = size;
    diff->answer = json_pack("{s:s, s:s?, s:s?, s:I}", "volume", record->config.name, "from",
                             from ? from->name : NULL, "to", to ? to->name : NULL, "size_bytes",
                             (json_int_t)size);
    diff->req = (struct block_req){.op = BLOCK_STATUS,
                                   .offset_bytes = offset < size ? offset : size,
                                   .length_bytes = offset < size ? size - offset : 0,
                                   .generation = to ? to->generation : 0,
                                   .from_generation = from ? from->generation : 0,
                                   .runs = diff->runs,
                                   .runs_max = DIFF_RUNS_MAX,
                                   .done = on_status};
    record->questions++;
    volume_submit(record->volume, &diff->req);
}
