/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much bringing a target in sync will take, over all generations: its book tells which are not
 * complete there, and the member that is copied from tells what changed in each, which is a look at
 * its map. Goes on beside the copying, and only people want it: whoever does not answer, or has not
 * got the generation any more, is not counted. What the planes tell of is counted where it is used.
 */
#include "target/replication/parts.h"

#include <string.h>

static struct control *count_ask(struct repl *repl, uint8_t peers, uint8_t type)
{
    struct count *count = &repl->count;
    struct control *control = control_push(repl, REPL_DO_SEND, peers);
    count->asked = peers;
    count->serial = ++repl->serial;
    control->type = type;
    control->request = request_of(count->serial, SLOT_COUNT);
    return control;
}

static void count_ask_book(struct repl *repl)
{
    count_ask(repl, repl->sweep.dest, FRAME_BOOK)->length_bytes = repl->count.cursor;
}

static void count_ask_runs(struct repl *repl)
{
    struct count *count = &repl->count;
    uint8_t whole = readable_in_sync(repl);
    if (!whole) {
        count_end(repl);
        return;
    }
    struct control *control = count_ask(repl, bit_of(first_of(whole)), FRAME_DIFF);
    control->generation = count->generation;
    control->offset_bytes = count->pos_bytes;
    control->length_bytes = repl->config.size_bytes - count->pos_bytes;
    control_ask_diff(repl, control, count->base);
}

void count_begin(struct repl *repl)
{
    const struct peer_record *record = &repl->peers[first_of(repl->sweep.dest)];
    const struct lineage *lineage = &record->opened.lineage;
    count_end(repl);
    repl->count = (struct count){.kept = record->full ? 0 : lineage->kept_generation,
                                 .head = lineage->head_generation,
                                 .head_base = lineage->head_base};
    repl->count.known = !lineage->incomplete_generation && repl->count.kept == repl->count.head;
    if (!repl->count.known)
        count_ask_book(repl);
}

void count_end(struct repl *repl)
{
    repl->count.asked = 0;
    slice_release(&repl->count.chunk);
}

static bool count_wanted(struct count *count, uint64_t generation, uint64_t number, uint64_t base)
{
    count->generation = generation;
    count->base = base;
    count->pos_bytes = 0;
    return number != count->kept;
}

/* To the next generation that is not complete there: in this chunk, in the next, the head. */
static void count_next(struct repl *repl)
{
    struct count *count = &repl->count;
    struct reader r = reader_of(count->chunk.bytes, count->chunk.length_bytes);
    read_skip(&r, count->chunk_at);
    while (reader_left(&r) > 0 && !r.bad) {
        struct book_entry entry;
        book_entry_decode(&r, &entry);
        count->chunk_at = count->chunk.length_bytes - (uint32_t)reader_left(&r);
        if (!r.bad && entry.type == BOOK_GENERATION && !entry.complete &&
            count_wanted(count, entry.generation, entry.generation, entry.base_generation)) {
            count_ask_runs(repl);
            return;
        }
    }
    slice_release(&count->chunk);
    bool last = count->at_head;
    count->at_head = count->cursor == 0;
    if (count->cursor)
        count_ask_book(repl);
    else if (!last && count_wanted(count, 0, count->head, count->head_base))
        count_ask_runs(repl);
    else
        count->known = true;
}

static void count_take_book(struct repl *repl, const struct frame *frame)
{
    struct count *count = &repl->count;
    struct message_book book;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    message_book_decode(&r, &book);
    if (r.bad || frame->status != FRAME_OK) {
        count_end(repl);
        return;
    }
    count->cursor = book.next_cursor;
    count->chunk_at = frame->body_bytes - (uint32_t)reader_left(&r);
    count->chunk = slice_get(repl->bufs, frame->body_bytes);
    memcpy(count->chunk.bytes, frame->body, frame->body_bytes);
    count_next(repl);
}

static void count_take_runs(struct repl *repl, const struct frame *frame)
{
    struct count *count = &repl->count;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    uint64_t left = repl->config.size_bytes - count->pos_bytes;
    uint64_t at = 0;
    while (frame->status == FRAME_OK && reader_left(&r) > 0) {
        struct diff_run run;
        diff_run_decode(&r, &run);
        if (r.bad || run.length_bytes > left - at)
            break;
        if (run.state != DIFF_ABSENT)
            count->bytes += run.length_bytes;
        at += run.length_bytes;
    }
    count->pos_bytes += at;
    if (at == 0 || at == left)
        count_next(repl);
    else
        count_ask_runs(repl);
}

void count_answer(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    struct count *count = &repl->count;
    if (!(count->asked & bit_of(peer)) || frame->request != request_of(count->serial, SLOT_COUNT))
        return;
    count->asked = 0;
    if (frame->type == FRAME_BOOK)
        count_take_book(repl, frame);
    else
        count_take_runs(repl, frame);
}

void count_lost(struct repl *repl, uint8_t peers)
{
    if (!(repl->count.asked & peers))
        return;
    repl->count.asked = 0;
    if (!(repl->sweep.dest & peers))
        count_ask_runs(repl);
}

void count_copied(struct repl *repl, const struct copy *copy)
{
    struct sweep *sweep = &repl->sweep;
    if (copy->purpose != COPY_RESYNC || sweep->phase != SWEEP_COPY ||
        copy->generation != sweep->generation)
        return;
    sweep->stage_bytes += copy->range.end_bytes - copy->range.begin_bytes;
    if (sweep->shown_bytes < sweep->done_bytes + sweep->stage_bytes)
        sweep->shown_bytes = sweep->done_bytes + sweep->stage_bytes;
}

/* What clients write meanwhile may have to be compared too: then it was more than was counted. */
void count_progress(const struct repl *repl, uint64_t *done_bytes, uint64_t *total_bytes)
{
    uint64_t total = repl->count.bytes + repl->sweep.mapped_bytes;
    if (!repl->count.known && total < repl->config.size_bytes)
        total = repl->config.size_bytes;
    *done_bytes = repl->sweep.shown_bytes;
    *total_bytes = total > *done_bytes ? total : *done_bytes + BLOCK_BYTES;
}
