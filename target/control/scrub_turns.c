/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Volumes are scrubbed without being asked: each once in a period, one at a time, and one timer for
 * all. What a scrub found goes into the volume's book, so that whichever target serves it next
 * tells it, and knows when the volume is due. One that did not end is begun anew.
 */
#include "target/control/snapshot.h"

#include "common/base/log.h"

#include <stdio.h>
#include <time.h>

#define NS_PER_S ((uint64_t)1000000000)

enum { SCRUB_TICK_S = 1, SCRUB_RETRY_S = 60 };

uint64_t scrub_due_s(const struct uuid *id, uint64_t last_s, uint64_t now_s, uint64_t period_s)
{
    struct reader r = reader_of(id->bytes, sizeof(uint32_t));
    uint64_t turn_s = read_u32(&r) % period_s;
    if (last_s > now_s + period_s)
        last_s = 0; /* a clock was wrong */
    uint64_t due_s = last_s / period_s * period_s + turn_s;
    return due_s > last_s ? due_s : due_s + period_s;
}

/* Without a book nobody would know of the last one. */
uint64_t scrub_record_due_s(const struct record *record, uint64_t now_s)
{
    const struct config *config = &record->config;
    uint64_t period_s = record->control->scrub_every_s;
    uint64_t last_s = record->scrub.last.ended_s;
    if (period_s == 0 || record->state != RECORD_LIVE || !record->volume || record->stopping ||
        record->fenced || !volume_book_known(record->volume))
        return UINT64_MAX;
    return scrub_due_s(&config->volume, last_s ? last_s : config->created_s, now_s, period_s);
}

static void scrub_look_in(struct control *control, uint64_t seconds)
{
    if (!control->stopping)
        loop_timer_start(&control->scrub_tick, seconds * NS_PER_S);
}

void scrub_begin(struct record *record, uint64_t now_s)
{
    struct scrub_state *scrub = &record->scrub;
    struct repl_status status;
    if (scrub->phase != SCRUB_OVER)
        return;
    volume_status(record->volume, &status);
    scrub->phase = SCRUB_RUNS;
    scrub->began_s = now_s;
    scrub->ended_before = status.scrub.ended;
    volume_scrub(record->volume);
    scrub_look_in(record->control, SCRUB_TICK_S);
}

/* ---- its result ---- */

static void scrub_over(struct record *record)
{
    record->scrub.phase = SCRUB_OVER;
    record->scrub.last = record->scrub.result;
}

static enum change_next scrub_keep(struct change *change)
{
    const struct scrub_result *result = &change->record->scrub.result;
    if (change->steps > 0) {
        scrub_over(change->record);
        return CHANGE_OVER;
    }
    json_t *row =
        json_pack("{s:I, s:I, s:I, s:I}", "ended_s", (json_int_t)result->ended_s, "done_bytes",
                  (json_int_t)result->done_bytes, "found", (json_int_t)result->found, "unrepaired",
                  (json_int_t)result->unrepaired);
    ASSERT(row);
    enum change_next next = change_command(change, COMMAND_SET, "scrub", row);
    json_decref(row);
    return next;
}

/* It is known until the target ends. */
static void scrub_not_kept(struct change *change)
{
    scrub_over(change->record);
}

static void scrub_tell(const struct record *record)
{
    const struct scrub_result *result = &record->scrub.result;
    const char *name = record->config.name;
    unsigned long long found = result->found;
    unsigned long long left = result->unrepaired;
    char text[CONTROL_TEXT_BYTES];
    snprintf(text, sizeof(text), "scrubbed %llu bytes: %llu damaged, %llu repaired, %llu not",
             (unsigned long long)result->done_bytes, found, found - left, left);
    if (found == 0) {
        log_info("volume %s: %s", name, text);
        return;
    }
    log_warn("volume %s: %s", name, text);
    catalogue_event(record->control, true, name, text);
}

void scrub_look(struct record *record, uint64_t now_s)
{
    struct scrub_state *scrub = &record->scrub;
    struct repl_status status = {0};
    if (scrub->phase != SCRUB_RUNS)
        return;
    if (record->volume)
        volume_status(record->volume, &status);
    if (status.scrub.running)
        return;
    if (!record->volume || status.scrub.ended == scrub->ended_before) {
        scrub->phase = SCRUB_OVER; /* given up */
        return;
    }
    scrub->phase = SCRUB_ENDED;
    scrub->result = (struct scrub_result){.ended_s = now_s,
                                          .done_bytes = status.scrub.done_bytes,
                                          .found = status.scrub.found,
                                          .unrepaired = status.scrub.unrepaired};
    scrub_tell(record);
    if (record->bookless)
        scrub_over(record);
    else
        change_add(record, NULL, "", NULL, scrub_keep, scrub_not_kept);
}

void scrub_known(struct record *record)
{
    struct control *control = record->control;
    struct scrub_result *last = &record->scrub.last;
    struct volume_row row;
    json_t *json = NULL;
    if (volume_row(record->volume, "scrub", &row))
        json = json_loadb((const char *)row.value, row.value_bytes, 0, NULL);
    struct scrub_result kept = {
        .ended_s = (uint64_t)json_integer_value(json_object_get(json, "ended_s")),
        .done_bytes = (uint64_t)json_integer_value(json_object_get(json, "done_bytes")),
        .found = (uint64_t)json_integer_value(json_object_get(json, "found")),
        .unrepaired = (uint64_t)json_integer_value(json_object_get(json, "unrepaired"))};
    json_decref(json);
    if (kept.ended_s > last->ended_s)
        *last = kept;
    if (control->scrub_every_s > 0)
        scrub_look_in(control, SCRUB_TICK_S);
}

/* ---- whose turn it is ---- */

/* It serves, and nobody is being filled, which a scrub would wait for. */
static bool scrub_ready(const struct record *record)
{
    struct repl_status status;
    volume_status(record->volume, &status);
    for (uint8_t i = 0; i < status.member_count; i++) {
        const struct repl_member_status *member = &status.members[i];
        if (member->attached && !member->in_sync && member->kind != MEMBER_WITNESS)
            return false;
    }
    return status.state == REPL_SERVING;
}

uint64_t scrub_turns(struct control *control, uint64_t now_s)
{
    struct record *next = NULL;
    uint64_t next_s = UINT64_MAX;
    uint64_t again_s = UINT64_MAX;
    bool busy = false;
    LIST_FOR_EACH (node, &control->records) {
        struct record *record = CONTAINER_OF(node, struct record, node);
        scrub_look(record, now_s);
        if (record->scrub.phase != SCRUB_OVER) {
            again_s = SCRUB_TICK_S;
            busy = busy || (record->scrub.phase == SCRUB_RUNS && scrub_ready(record));
            continue;
        }
        uint64_t due_s = scrub_record_due_s(record, now_s);
        if (due_s <= now_s && !scrub_ready(record)) {
            again_s = again_s < SCRUB_RETRY_S ? again_s : SCRUB_RETRY_S;
        } else if (due_s < next_s) {
            next = record;
            next_s = due_s;
        }
    }
    if (next_s <= now_s && !busy) {
        scrub_begin(next, now_s);
        again_s = SCRUB_TICK_S;
    }
    if (next_s > now_s && next_s != UINT64_MAX && next_s - now_s < again_s)
        again_s = next_s - now_s;
    return again_s;
}

void scrub_tick(struct loop_timer *timer)
{
    struct control *control = CONTAINER_OF(timer, struct control, scrub_tick);
    uint64_t again_s = scrub_turns(control, (uint64_t)time(NULL));
    if (again_s != UINT64_MAX)
        scrub_look_in(control, again_s);
}
