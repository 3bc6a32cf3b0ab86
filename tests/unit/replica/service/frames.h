/* SPDX-License-Identifier: Apache-2.0 */
/* What a target sends to the service of a rig. */
#ifndef STRAKE_TESTS_SERVICE_FRAMES_H
#define STRAKE_TESTS_SERVICE_FRAMES_H

#include "tests/unit/replica/service/rig.h"

static inline void rig_frame(struct rig *rig, uint64_t link, struct frame frame)
{
    frame.session = 1;
    frame.request = ++rig->request;
    rig_step(rig, (struct service_event){.kind = SERVICE_EV_FRAME, .link = link, .frame = &frame});
}

static inline void rig_open(struct rig *rig, uint64_t link, uint64_t epoch, uint8_t controller)
{
    uint8_t body[256];
    struct message_open open = {.volume = rig->create.config.volume,
                                .member = rig->create.member,
                                .epoch = epoch,
                                .controller = uuid_of(controller)};
    if (rig->dead)
        open.dead = uuid_of(rig->dead);
    struct writer w = writer_of(body, sizeof(body));
    message_open_encode(&w, &open);
    rig_frame(rig, link,
              (struct frame){
                  .type = FRAME_OPEN, .body = body, .body_bytes = (uint32_t)writer_length(&w)});
}

static inline void rig_write(struct rig *rig, uint64_t link, uint64_t offset_bytes)
{
    struct slice data = slice_get(&rig->bufs, BLOCK_BYTES);
    rig_frame(rig, link,
              (struct frame){.type = FRAME_WRITE,
                             .offset_bytes = offset_bytes,
                             .length_bytes = BLOCK_BYTES,
                             .payload = data});
    slice_release(&data);
}

/* An open session of epoch 2 on link 1. */
static inline void rig_serve(struct rig *rig)
{
    rig_begin(rig);
    rig_open(rig, 1, 2, CONTROLLER);
    rig_done_all(rig);
    ck_assert_uint_eq(rig->reply_count, 1);
    ck_assert_uint_eq(rig->replies[0].status, FRAME_OK);
    rig->reply_count = 0;
}

#endif
