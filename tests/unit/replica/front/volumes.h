/* SPDX-License-Identifier: Apache-2.0 */
/* Volumes made, opened, written and read through the fixture's link. */
#ifndef STRAKE_TESTS_REPLICA_VOLUMES_H
#define STRAKE_TESTS_REPLICA_VOLUMES_H

#include "tests/unit/replica/front/fixture.h"

static inline struct config config_of(const struct uuid *volume)
{
    struct config config = {.volume = *volume,
                            .size_bytes = SIZE_BYTES,
                            .block_bytes = 512,
                            .version = 1,
                            .min_in_sync = 1,
                            .member_count = 1};
    snprintf(config.name, sizeof(config.name), "v%x", volume->bytes[0]);
    config.members[0] = (struct member){.uuid = member_1, .kind = MEMBER_DATA, .in_sync = true};
    return config;
}

static inline uint32_t create(const struct config *config, const struct uuid *member)
{
    const struct message_create create = {.member = *member, .config = *config};
    struct writer w = writer_of(out, sizeof(out));
    message_create_encode(&w, &create);
    return call_body((struct frame){.type = FRAME_CREATE}, &w);
}

static inline uint32_t create_volume(const struct uuid *volume)
{
    struct config config = config_of(volume);
    return create(&config, &member_1);
}

static inline uint32_t delete_volume(const struct uuid *volume, uint64_t version)
{
    struct message_delete del = {.config = config_of(volume)};
    del.config.deleted = true;
    del.config.version = version;
    struct writer w = writer_of(out, sizeof(out));
    message_delete_encode(&w, &del);
    return call_body((struct frame){.type = FRAME_DELETE}, &w);
}

/* `member` is told to go, by a configuration whose only member is another one. */
static inline uint32_t delete_member(const struct uuid *volume, const struct uuid *member,
                                     uint64_t version)
{
    struct message_delete del = {.config = config_of(volume), .member = *member};
    del.config.version = version;
    del.config.members[0].uuid = controller;
    struct writer w = writer_of(out, sizeof(out));
    message_delete_encode(&w, &del);
    return call_body((struct frame){.type = FRAME_DELETE}, &w);
}

static inline uint32_t open_volume(uint32_t session, const struct uuid *volume,
                                   const struct uuid *member, uint64_t epoch)
{
    const struct message_open open = {
        .volume = *volume, .member = *member, .epoch = epoch, .controller = controller};
    struct writer w = writer_of(out, sizeof(out));
    message_open_encode(&w, &open);
    return call_body((struct frame){.type = FRAME_OPEN, .session = session}, &w);
}

static inline uint32_t write_block(uint32_t session, uint64_t offset_bytes, uint8_t value)
{
    struct slice data = slice_get(&bufs, LENGTH);
    memset(data.bytes, value, LENGTH);
    slice_crc_fill(&data);
    uint32_t status = call((struct frame){.type = FRAME_WRITE,
                                          .session = session,
                                          .offset_bytes = offset_bytes,
                                          .length_bytes = LENGTH,
                                          .payload = data});
    slice_release(&data);
    return status;
}

static inline uint32_t range(uint8_t type, uint32_t session, uint64_t offset_bytes)
{
    return call((struct frame){
        .type = type, .session = session, .offset_bytes = offset_bytes, .length_bytes = LENGTH});
}

/* What is there is `value` all over, and its checksums came with it. */
static inline bool reads_as(uint32_t session, uint64_t offset_bytes, uint8_t value)
{
    ck_assert_uint_eq(range(FRAME_READ, session, offset_bytes), FRAME_OK);
    ck_assert(got.payload_ok);
    for (size_t i = 0; i < LENGTH; i++) {
        if (got.payload[i] != value)
            return false;
    }
    return true;
}

static inline struct listed list_volumes(void)
{
    listed = (struct listed){0};
    ck_assert_uint_eq(call((struct frame){.type = FRAME_LIST}), FRAME_OK);
    while (got.frame.flags & FRAME_MORE)
        wait_for(1);
    return listed;
}

#endif
