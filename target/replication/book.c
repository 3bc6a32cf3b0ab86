/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The book and the table of generations, brought to a member whose last command is not ours. Until
 * it has them it takes no part in writes. A command meanwhile makes the copy old: then it begins
 * anew.
 */
#include "target/replication/parts.h"

#include <string.h>

static bool install_is_full(const struct repl *repl, uint8_t peer)
{
    return repl->peers[peer].failed;
}

bool install_is_needed(const struct repl *repl, uint8_t peer)
{
    const struct peer_record *record = &repl->peers[peer];
    return !command_known(repl, &record->opened.lineage) ||
           (install_is_full(repl, peer) && !record->installed);
}

static struct control *install_ask(struct repl *repl, uint8_t peers, uint8_t type)
{
    struct install *install = &repl->install;
    struct control *control = control_push(repl, REPL_DO_SEND, peers);
    install->serial = ++repl->serial;
    install->sent_ns = repl->now_ns;
    control->type = type;
    control->request = request_of(install->serial, SLOT_INSTALL);
    return control;
}

static void install_read(struct repl *repl)
{
    struct install *install = &repl->install;
    uint8_t sources = readable_in_sync(repl);
    if (!sources) {
        install->phase = INSTALL_NONE;
        return;
    }
    /* All chunks come from the same one. */
    if (install->cursor == 0)
        install->source = bit_of(first_of(sources));
    install->phase = INSTALL_READ;
    install_ask(repl, install->source, FRAME_BOOK)->length_bytes = install->cursor;
}

void install_settle(struct repl *repl)
{
    uint8_t waiting = outsiders(repl);
    if (repl->phase != PHASE_SERVE || repl->install.phase != INSTALL_NONE || repl->stopping)
        return;
    for (; waiting; waiting &= (uint8_t)(waiting - 1)) {
        uint8_t peer = first_of(waiting);
        if (repl->peers[peer].retry_ns > repl->now_ns || !install_is_needed(repl, peer))
            continue;
        repl->install = (struct install){.dest = bit_of(peer)};
        repl->peers[peer].why = "its book is being brought up to date";
        install_read(repl);
        return;
    }
}

void install_end(struct repl *repl)
{
    repl->install = (struct install){0};
}

void install_lost(struct repl *repl, uint8_t peers)
{
    struct install *install = &repl->install;
    bool source_gone = install->phase != INSTALL_NONE && (install->source & peers);
    if ((install->dest & peers) || source_gone)
        install_end(repl);
}

/* A chunk goes on to the target as it is. */
static void install_pass(struct repl *repl, const struct frame *frame)
{
    struct install *install = &repl->install;
    struct message_book book;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    message_book_decode(&r, &book);
    if (install->cursor == 0)
        install->book = book;
    /* A command in between makes chunks of two books. */
    bool same = book.command == install->book.command &&
                uuid_equal(&book.command_identity, &install->book.command_identity);
    if (frame->status != FRAME_OK || r.bad || !same) {
        install_end(repl);
        return;
    }
    uint8_t peer = first_of(install->dest);
    install->phase = INSTALL_WRITE;
    install->next_cursor = book.next_cursor;
    struct control *control = install_ask(repl, install->dest, FRAME_INSTALL);
    control->length_bytes = install->cursor;
    control->body = slice_get(repl->bufs, frame->body_bytes);
    memcpy(control->body.bytes, frame->body, frame->body_bytes);
    if (book.next_cursor)
        control->flags |= FRAME_MORE;
    if (install_is_full(repl, peer))
        control->flags |= FRAME_ALL;
}

static void install_written(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    struct install *install = &repl->install;
    struct peer_record *record = &repl->peers[peer];
    struct lineage lineage;
    struct reader r = reader_of(frame->body, frame->body_bytes);
    if (frame->status != FRAME_OK) {
        install_end(repl);
        peer_back_off(repl, peer, "it refused the book");
        return;
    }
    if (install->next_cursor) {
        install->cursor = install->next_cursor;
        install_read(repl);
        return;
    }
    install_end(repl);
    lineage_decode(&r, &lineage);
    if (r.bad) {
        peer_back_off(repl, peer, "it answers for something else");
        return;
    }
    record->opened.lineage = lineage;
    record->installed = true;
}

void install_answer(struct repl *repl, uint8_t peer, const struct frame *frame)
{
    struct install *install = &repl->install;
    uint8_t bit = bit_of(peer);
    if (install->phase == INSTALL_NONE ||
        frame->request != request_of(install->serial, SLOT_INSTALL))
        return;
    repl->unsettled = true;
    if (install->phase == INSTALL_READ && install->source == bit)
        install_pass(repl, frame);
    else if (install->phase == INSTALL_WRITE && install->dest == bit)
        install_written(repl, peer, frame);
}

uint8_t install_slow(const struct repl *repl)
{
    const struct install *install = &repl->install;
    if (install->phase == INSTALL_NONE ||
        install->sent_ns + 4 * repl->settings.slow_ns > repl->now_ns)
        return 0;
    return install->phase == INSTALL_READ ? install->source : install->dest;
}
