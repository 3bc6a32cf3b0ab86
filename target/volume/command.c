/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The volume's own operations: its book is read once it is open, and changed by commands, one at a
 * time. After a command that failed nobody knows whether it took effect: the book is read anew.
 */
#include "common/base/log.h"
#include "common/base/pool.h"
#include "target/volume/state.h"

#include <errno.h>

#define BOOK_RETRY_NS ((uint64_t)1000 * 1000 * 1000)

static void own_begin(struct volume *volume)
{
    ASSERT(!volume->own_out);
    volume->own_out = true;
    volume->own.volume = volume;
    volume->own.req = NULL;
    list_append(&volume->ops, &volume->own.node);
    volume_begin(volume, &volume->own);
}

/* ---- reading the book ---- */

static void book_ask(struct volume *volume, uint64_t cursor)
{
    volume->own.op = (struct repl_op){.kind = REPL_BOOK, .peer = REPL_ANY_PEER, .cursor = cursor};
    own_begin(volume);
}

static void book_load(struct volume *volume)
{
    book_release(&volume->loading);
    volume->book_known = false;
    if (!volume->stopping)
        book_ask(volume, 0);
}

/* What is under way may change the book as well, or be a look at it from before. */
static void volume_on_load(struct loop_timer *timer)
{
    struct volume *volume = CONTAINER_OF(timer, struct volume, load);
    if (volume->own_out)
        loop_timer_start(timer, BOOK_RETRY_NS);
    else
        book_load(volume);
}

/* A chunk is there: the next one is asked for, or the book is whole. False: it begins anew. */
static bool book_read(struct volume *volume)
{
    struct repl_op *op = &volume->own.op;
    struct book_chunk chunk;
    bool first = op->cursor == 0;
    if (!book_chunk_take(&volume->loading, op->data.bytes, op->data.length_bytes, &chunk)) {
        log_warn("volume %s: a replica tells its book wrongly", volume_config(volume)->name);
        return false;
    }
    if (first)
        volume->loading.command = chunk.command;
    if (volume->loading.command != chunk.command)
        return false;
    if (chunk.next_cursor) {
        book_ask(volume, chunk.next_cursor);
        return true;
    }
    book_release(&volume->book);
    volume->book = volume->loading;
    volume->loading = (struct book){0};
    volume->book_known = true;
    if (volume->env.on_book)
        volume->env.on_book(volume->env.owner, volume);
    return true;
}

static void book_answer(struct volume *volume)
{
    struct slice data = volume->own.op.data;
    int status = volume->own.op.status;
    bool ok = status == 0 && book_read(volume);
    slice_release(&data);
    bool bookless = status == -EINVAL;
    if (bookless && volume->env.on_bookless)
        volume->env.on_bookless(volume->env.owner, volume);
    if (!ok && !bookless && !volume->stopping)
        loop_timer_start(&volume->load, BOOK_RETRY_NS);
}

/* ---- questions ---- */

static uint8_t peer_of(const struct volume *volume, const struct uuid *member)
{
    for (uint32_t i = 0; i < volume->member_count; i++) {
        if (uuid_equal(&volume->members[i].uuid, member))
            return volume->members[i].idx;
    }
    return REPL_ANY_PEER;
}

void volume_ask(struct volume *volume, struct volume_question *question)
{
    struct volume_op *vop = pool_get(volume->env.ops);
    ASSERT(vop);
    bool digest = question->kind == VOLUME_DIGEST;
    vop->volume = volume;
    vop->question = question;
    vop->op = (struct repl_op){.kind = digest ? REPL_DIGEST : REPL_SPACE,
                               .generation = question->generation,
                               .verify = question->verify,
                               .peer = peer_of(volume, &question->member)};
    bool nobody = vop->op.peer == REPL_NO_PEER && !uuid_is_zero(&question->member);
    list_append(&volume->ops, &vop->node);
    if (volume->stopping || nobody) {
        vop->op.status = nobody ? -ENOTCONN : -ESHUTDOWN;
        list_append(&volume->finished, &vop->op.node);
        loop_defer(volume->env.loop, &volume->answer);
    } else {
        volume_begin(volume, vop);
    }
}

static void question_answer(struct volume *volume, struct volume_op *vop)
{
    struct volume_question *question = vop->question;
    struct slice data = vop->op.data;
    struct reader r = reader_of(data.bytes, data.length_bytes);
    question->status = vop->op.status;
    if (question->status == 0 && question->kind == VOLUME_DIGEST)
        message_digest_decode(&r, &question->digest);
    else if (question->status == 0)
        message_space_decode(&r, &question->space);
    if (r.bad || reader_left(&r) > 0)
        question->status = -EIO;
    slice_release(&data);
    pool_put(volume->env.ops, vop);
    question->done(question);
}

/* ---- commands ---- */

void volume_command(struct volume *volume, struct volume_command *command)
{
    ASSERT(volume->book_known && !volume->command);
    volume->command = command;
    volume->own.op = (struct repl_op){.kind = REPL_COMMAND, .command = command->command};
    own_begin(volume);
}

void volume_commanded(struct volume *volume, const struct volume_op *vop)
{
    const struct message_command *command = &vop->op.command;
    if (vop->op.status < 0 && !volume->stopping) {
        volume->book_known = false;
        loop_timer_start(&volume->load, 0);
    } else if (volume->book_known && vop->op.status == 0) {
        ASSERT(command->kind != COMMAND_SEAL || command->generation == volume->book.head);
        book_apply(&volume->book, command);
        if (command->key[0] && volume->env.on_row)
            volume->env.on_row(volume->env.owner, volume, command->key);
    }
}

void volume_own_answer(struct volume *volume, struct volume_op *vop)
{
    struct volume_command *command = volume->command;
    list_remove(&vop->node);
    if (vop != &volume->own) {
        question_answer(volume, vop);
        return;
    }
    volume->own_out = false;
    if (!command) {
        book_answer(volume);
        return;
    }
    volume->command = NULL;
    command->status = volume->own.op.status;
    volume_commanded(volume, &volume->own);
    command->done(command);
}

void volume_own_init(struct volume *volume)
{
    loop_timer_init(&volume->load, volume->env.loop, volume_on_load);
    loop_timer_start(&volume->load, 0);
}

void volume_own_release(struct volume *volume)
{
    loop_timer_stop(&volume->load);
    if (volume->own_out)
        list_remove(&volume->own.node);
    book_release(&volume->book);
    book_release(&volume->loading);
}

/* ---- the book, for others ---- */

bool volume_book_known(const struct volume *volume)
{
    return volume->book_known;
}

uint64_t volume_head(const struct volume *volume)
{
    ASSERT(volume->book_known);
    return volume->book.head;
}

static struct volume_row row_of(const struct book_row *row)
{
    return (struct volume_row){
        .key = row->key, .value = row->value, .value_bytes = row->value_bytes};
}

bool volume_row(const struct volume *volume, const char *key, struct volume_row *row)
{
    const struct book_row *found = volume->book_known ? book_find(&volume->book, key) : NULL;
    if (found)
        *row = row_of(found);
    return found;
}

void volume_rows(const struct volume *volume, const char *prefix,
                 void (*each)(void *arg, const struct volume_row *row), void *arg)
{
    const struct book *book = &volume->book;
    uint32_t i = book_lower(book, prefix);
    for (; i < book->count && strncmp(book->rows[i]->key, prefix, strlen(prefix)) == 0; i++) {
        struct volume_row row = row_of(book->rows[i]);
        each(arg, &row);
    }
}
