/* SPDX-License-Identifier: Apache-2.0 */
/* What goes out besides operations: sessions, configurations, copies, words. */
#include "target/replication/parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct control *control_push(struct repl *repl, enum repl_effect_kind kind, uint8_t peers)
{
    ASSERT(repl->control_count < REPL_CONTROLS_MAX);
    uint32_t at = (repl->control_head + repl->control_count++) % REPL_CONTROLS_MAX;
    repl->controls[at] = (struct control){.kind = kind, .peers = peers};
    return &repl->controls[at];
}

struct control *control_last(struct repl *repl)
{
    ASSERT(repl->control_count > 0);
    return &repl->controls[(repl->control_head + repl->control_count - 1) % REPL_CONTROLS_MAX];
}

void control_send(struct repl *repl, uint8_t peers, uint8_t type)
{
    if (peers)
        control_push(repl, REPL_DO_SEND, peers)->type = type;
}

void control_ask_diff(struct repl *repl, struct control *control, uint64_t from_generation)
{
    control->body = slice_get(repl->bufs, sizeof(uint64_t));
    struct writer w = writer_of(control->body.bytes, sizeof(uint64_t));
    message_diff_ask_encode(&w, &(struct message_diff_ask){from_generation});
    ASSERT(!w.bad);
}

void control_ask_hashes(struct repl *repl, struct control *control)
{
    control->body = slice_get(repl->bufs, HASH_KEY_BYTES);
    memcpy(control->body.bytes, repl->hash_key, HASH_KEY_BYTES);
}

struct writer control_body(struct repl *repl)
{
    slice_release(&repl->lent_body);
    repl->lent_body = slice_get(repl->bufs, COMMAND_BYTES_MAX);
    return writer_of(repl->lent_body.bytes, repl->lent_body.length_bytes);
}

void control_body_end(struct repl *repl, const struct writer *w, struct frame *frame)
{
    ASSERT(!w->bad);
    frame->body = repl->lent_body.bytes;
    frame->body_bytes = (uint32_t)writer_length(w);
}

static void control_open_body(struct repl *repl, uint8_t peer, struct frame *frame)
{
    struct message_open open = {
        .volume = repl->config.volume,
        .member = repl->peers[peer].member,
        .epoch = repl->epoch,
        .controller = repl->controller,
        .dead = repl->settings.dead,
    };
    struct writer w = control_body(repl);
    message_open_encode(&w, &open);
    frame->request = repl->epoch;
    control_body_end(repl, &w, frame);
}

/* The newest there is, when it goes out. */
static void control_accept_body(struct repl *repl, struct frame *frame)
{
    const struct config *config = repl->proposal.active ? &repl->proposal.config : &repl->config;
    struct writer w = control_body(repl);
    config_encode(&w, config);
    frame->request = config->version;
    control_body_end(repl, &w, frame);
}

bool control_next(struct repl *repl, struct repl_effect *effect)
{
    slice_release(&repl->lent);
    slice_release(&repl->lent_body);
    if (repl->control_count == 0)
        return false;
    struct control *control = &repl->controls[repl->control_head];
    repl->control_head = (repl->control_head + 1) % REPL_CONTROLS_MAX;
    repl->control_count--;
    repl->lent = control->payload;
    repl->lent_body = control->body;
    *effect = (struct repl_effect){
        .kind = control->kind,
        .peers = control->peers,
        .warn = control->warn,
        .text = control->text,
        .frame = {.type = control->type,
                  .flags = control->flags,
                  .request = control->request,
                  .offset_bytes = control->offset_bytes,
                  .length_bytes = control->length_bytes,
                  .generation = control->generation,
                  .body = control->body.bytes,
                  .body_bytes = control->body.length_bytes,
                  .payload = control->payload},
    };
    if (control->kind == REPL_DO_SEND && control->type == FRAME_OPEN)
        control_open_body(repl, first_of(control->peers), &effect->frame);
    else if (control->kind == REPL_DO_SEND && control->type == FRAME_ACCEPT)
        control_accept_body(repl, &effect->frame);
    return true;
}

void control_release(struct repl *repl)
{
    struct repl_effect effect;
    while (control_next(repl, &effect))
        ;
}

void say(struct repl *repl, bool warn, const char *format, ...)
{
    char *text = repl->texts[repl->text_next++ % REPL_TEXTS_MAX];
    va_list args;
    /* Words give way to what must be done. */
    if (repl->control_count > REPL_CONTROLS_MAX / 2)
        return;
    va_start(args, format);
    (void)vsnprintf(text, REPL_TEXT_BYTES, format, args);
    va_end(args);
    struct control *control = control_push(repl, REPL_DO_SAY, 0);
    control->text = text;
    control->warn = warn;
}
