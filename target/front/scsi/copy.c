/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EXTENDED COPY: the whole list is checked before anything is written; then a piece is read and
 * written, and so on, one segment after the other. Ranges that overlap are copied in that order.
 */
#include "target/front/scsi/copy.h"

#include "target/front/scsi/guard.h"
#include "target/front/scsi/medium.h"
#include "target/front/scsi/sense.h"
#include "target/front/scsi/unit.h"

enum {
    HEADER_BYTES = 16,
    DEVICE_BYTES = SCSI_COPY_DEVICE_BYTES,
    SEGMENT_BYTES = SCSI_COPY_SEGMENT_BYTES,
    DISK = 0x00,            /* peripheral device type */
    DESIGNATOR_NAA = 0x0103 /* binary; of the logical unit, NAA */
};

/* LIST ID USAGE */
enum { USAGE_HOLD = 0, USAGE_RESERVED = 1, USAGE_DISCARD = 2, USAGE_NONE = 3 };

struct copy_header {
    uint8_t list_id;
    uint8_t usage;
    uint32_t devices_bytes; /* of the CSCD descriptor list */
    uint32_t segments_bytes;
    uint32_t inline_bytes;
};

struct copy_segment {
    uint8_t type;
    uint16_t length_bytes; /* of what follows it in the descriptor */
    uint16_t source;       /* index of a CSCD descriptor */
    uint16_t destination;
    uint16_t blocks;
    uint64_t source_lba;
    uint64_t destination_lba;
};

static struct copy_header header_decode(const struct slice *data)
{
    struct reader r = reader_of(data->bytes, HEADER_BYTES);
    struct copy_header header = {.list_id = read_u8(&r)};
    header.usage = read_u8(&r) >> 3 & 3;
    header.devices_bytes = read_u16(&r);
    read_skip(&r, 4);
    header.segments_bytes = read_u32(&r);
    header.inline_bytes = read_u32(&r);
    return header;
}

static uint32_t segment_at(uint32_t segments_begin, uint32_t idx)
{
    return segments_begin + idx * (uint32_t)SEGMENT_BYTES;
}

static struct copy_segment segment_decode(const struct slice *data, uint32_t at)
{
    ASSERT(at + SEGMENT_BYTES <= data->length_bytes);
    struct reader r = reader_of(data->bytes + at, SEGMENT_BYTES);
    struct copy_segment segment = {.type = read_u8(&r)};
    read_skip(&r, 1); /* DC and CAT say nothing where all blocks are of one length */
    segment.length_bytes = read_u16(&r);
    segment.source = read_u16(&r);
    segment.destination = read_u16(&r);
    read_skip(&r, 2);
    segment.blocks = read_u16(&r);
    segment.source_lba = read_u64(&r);
    segment.destination_lba = read_u64(&r);
    return segment;
}

static bool fail(struct scsi_command *command, uint16_t asc)
{
    (void)scsi_fail(command, SCSI_KEY_ILLEGAL_REQUEST, asc);
    return false;
}

static bool fail_at(struct scsi_command *command, uint32_t byte)
{
    (void)scsi_fail_parameter(command, (uint16_t)byte, 7);
    return false;
}

static bool header_check(struct scsi_command *command, const struct copy_header *header,
                         uint64_t list_bytes)
{
    uint64_t both = (uint64_t)header->devices_bytes + header->segments_bytes;
    if (header->usage == USAGE_RESERVED)
        return fail_at(command, 1);
    if (header->usage == USAGE_NONE && header->list_id != 0)
        return fail_at(command, 0);
    if (header->inline_bytes > 0)
        return fail(command, SCSI_ASC_INLINE_DATA_LENGTH);
    if (both > SCSI_COPY_LIST_BYTES_MAX || HEADER_BYTES + both > list_bytes)
        return fail(command, SCSI_ASC_PARAMETER_LENGTH);
    return true;
}

/* A CSCD descriptor of 32 bytes: it must name this unit, as VPD page 83h does. */
static bool device_check(struct scsi_command *command, uint32_t at)
{
    const struct export *export = command->unit->export;
    uint8_t naa[SCSI_NAA_BYTES];
    scsi_unit_naa(command->unit, naa);
    struct reader r = reader_of(command->data_out.bytes + at, DEVICE_BYTES);
    read_skip(&r, 1);
    uint8_t device = read_u8(&r) & 0x1f;
    read_skip(&r, 2);
    uint16_t designator = read_u16(&r) & 0x0f3f;
    read_skip(&r, 1);
    uint8_t length = read_u8(&r);
    const uint8_t *bytes = read_bytes(&r, 20);
    read_skip(&r, 1);
    uint32_t block_bytes = read_u24(&r);
    if (device != DISK || designator != DESIGNATOR_NAA || length != sizeof(naa) ||
        memcmp(bytes, naa, sizeof(naa)) != 0) {
        (void)scsi_fail(command, SCSI_KEY_COPY_ABORTED, SCSI_ASC_COPY_NOT_REACHABLE);
        return false;
    }
    /* 0 is whatever the unit has. */
    bool good = block_bytes == 0 || block_bytes == export->block_bytes;
    return good || fail_at(command, at + 29);
}

static bool devices_check(struct scsi_command *command, uint32_t list_bytes)
{
    const uint8_t *list = command->data_out.bytes;
    for (uint32_t at = HEADER_BYTES; at < HEADER_BYTES + list_bytes; at += DEVICE_BYTES)
        if (list[at] != SCSI_COPY_DEVICE_TYPE)
            return fail(command, SCSI_ASC_COPY_DEVICE_TYPE);
    if (list_bytes % DEVICE_BYTES != 0)
        return fail(command, SCSI_ASC_PARAMETER_LENGTH);
    if (list_bytes / DEVICE_BYTES > SCSI_COPY_DEVICES_MAX)
        return fail(command, SCSI_ASC_COPY_DEVICES);
    for (uint32_t at = HEADER_BYTES; at < HEADER_BYTES + list_bytes; at += DEVICE_BYTES)
        if (!device_check(command, at))
            return false;
    return true;
}

/* Which segment cannot be copied, and why. */
static bool abort_at(struct scsi_command *command, uint32_t idx, enum scsi_asc asc)
{
    (void)scsi_fail_sense(command, &(struct scsi_sense){.key = SCSI_KEY_COPY_ABORTED,
                                                        .asc = (uint16_t)asc,
                                                        .has_segment = true,
                                                        .segment = (uint16_t)idx});
    return false;
}

static bool segment_check(struct scsi_command *command, uint32_t begin, uint32_t idx,
                          uint32_t device_count)
{
    uint32_t at = segment_at(begin, idx);
    struct copy_segment segment = segment_decode(&command->data_out, at);
    uint64_t unit_blocks = scsi_unit_blocks(command->unit);
    if (segment.length_bytes != SEGMENT_BYTES - 4)
        return fail_at(command, at + 2);
    if (segment.blocks > SCSI_COPY_BYTES_MAX / command->unit->export->block_bytes)
        return fail_at(command, at + 10);
    if (segment.source >= device_count || segment.destination >= device_count)
        return abort_at(command, idx, SCSI_ASC_COPY_UNREACHABLE);
    if (segment.blocks > unit_blocks || segment.source_lba > unit_blocks - segment.blocks ||
        segment.destination_lba > unit_blocks - segment.blocks)
        return abort_at(command, idx, SCSI_ASC_NONE);
    return true;
}

static bool segments_check(struct scsi_command *command, uint32_t begin, uint32_t list_bytes,
                           uint32_t device_count)
{
    const uint8_t *list = command->data_out.bytes;
    for (uint32_t at = begin; at < begin + list_bytes; at += SEGMENT_BYTES)
        if (list[at] != SCSI_COPY_SEGMENT_TYPE)
            return fail(command, SCSI_ASC_COPY_SEGMENT_TYPE);
    if (list_bytes % SEGMENT_BYTES != 0)
        return fail(command, SCSI_ASC_PARAMETER_LENGTH);
    if (list_bytes / SEGMENT_BYTES > SCSI_COPY_SEGMENTS_MAX)
        return fail(command, SCSI_ASC_COPY_SEGMENTS);
    for (uint32_t i = 0; i < list_bytes / SEGMENT_BYTES; i++)
        if (!segment_check(command, begin, i, device_count))
            return false;
    return true;
}

/* A place to keep what is known of the copy: a free one, else that of one which is over. */
static struct scsi_copy *copy_place(struct scsi_nexus *nexus)
{
    struct scsi_copy *over = NULL;
    for (uint32_t i = 0; i < SCSI_COPIES_MAX; i++) {
        struct scsi_copy *copy = &nexus->copies[i];
        if (copy->state == SCSI_COPY_NONE)
            return copy;
        if (copy->state != SCSI_COPY_RUNS)
            over = copy;
    }
    return over;
}

struct scsi_copy *scsi_copy_find(struct scsi_nexus *nexus, uint8_t list_id)
{
    for (uint32_t i = 0; i < SCSI_COPIES_MAX; i++) {
        struct scsi_copy *copy = &nexus->copies[i];
        if (copy->state != SCSI_COPY_NONE && copy->listed && copy->list_id == list_id)
            return copy;
    }
    return NULL;
}

/* The one that is under way. */
static struct copy_segment segment_now(const struct scsi_command *command)
{
    const struct scsi_copy *copy = command->copy;
    return segment_decode(&command->data_out,
                          segment_at(copy->segments_begin, copy->segments_done));
}

/* Reads the next piece. */
static enum scsi_next copy_next(struct scsi_command *command)
{
    uint64_t block_bytes = command->unit->export->block_bytes;
    struct scsi_copy *copy = command->copy;
    for (; copy->segments_done < copy->segment_count; copy->segments_done++, copy->at_bytes = 0) {
        struct copy_segment segment = segment_now(command);
        uint64_t left = segment.blocks * block_bytes - copy->at_bytes;
        if (left == 0)
            continue;
        return scsi_block_submit(command, BLOCK_READ, 0,
                                 segment.source_lba * block_bytes + copy->at_bytes,
                                 left < PAYLOAD_BYTES_MAX ? left : PAYLOAD_BYTES_MAX);
    }
    return scsi_good(command);
}

enum scsi_next scsi_copy_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                               struct buf_pool *pool)
{
    (void)pool;
    if (cdb->length == 0)
        return scsi_good(command);
    if (cdb->length < HEADER_BYTES || command->data_out.length_bytes < cdb->length)
        return scsi_fail(command, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_PARAMETER_LENGTH);
    struct copy_header header = header_decode(&command->data_out);
    if (!header_check(command, &header, cdb->length))
        return SCSI_DONE;
    uint32_t segments = HEADER_BYTES + header.devices_bytes;
    if (!devices_check(command, header.devices_bytes) ||
        !segments_check(command, segments, header.segments_bytes,
                        header.devices_bytes / DEVICE_BYTES))
        return SCSI_DONE;
    bool listed = header.usage != USAGE_NONE;
    struct scsi_copy *copy = listed ? scsi_copy_find(command->nexus, header.list_id) : NULL;
    if (copy && copy->state == SCSI_COPY_RUNS)
        return scsi_fail(command, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_OPERATION_IN_PROGRESS);
    if (!copy)
        copy = copy_place(command->nexus);
    if (!copy) {
        command->status = SCSI_TASK_SET_FULL;
        return SCSI_DONE;
    }
    *copy = (struct scsi_copy){
        .state = SCSI_COPY_RUNS,
        .listed = listed,
        .list_id = header.list_id,
        .segments_begin = (uint16_t)segments,
        .segment_count = (uint16_t)(header.segments_bytes / SEGMENT_BYTES),
    };
    command->copy = copy;
    return copy_next(command);
}

/*
 * What was read is written; zeros take no space. A reservation made meanwhile ends the copy, but
 * the command had its check: that is a failure of the copy (SPC-4 5.13.1, 5.17.7.4).
 */
static enum scsi_next piece_write(struct scsi_command *command)
{
    uint64_t length = command->block.length_bytes;
    uint64_t block_bytes = command->unit->export->block_bytes;
    uint64_t offset = segment_now(command).destination_lba * block_bytes + command->copy->at_bytes;
    if (scsi_guard_forbids(command)) {
        struct scsi_sense sense = {.asc = SCSI_ASC_COPY_FAILURE};
        scsi_copy_sense(command, &sense);
        return scsi_fail_sense(command, &sense);
    }
    command->scratch = command->block.data;
    ASSERT(command->scratch.length_bytes == length);
    if (bytes_are_zero(command->scratch.bytes, length))
        return scsi_block_submit(command, BLOCK_ZERO, 0, offset, length);
    (void)scsi_block_submit(command, BLOCK_WRITE, 0, offset, length);
    command->block.data = command->scratch;
    return SCSI_BLOCK;
}

enum scsi_next scsi_copy_finish(struct scsi_command *command, const struct scsi_cdb *cdb,
                                struct buf_pool *pool)
{
    (void)cdb;
    (void)pool;
    if (command->block.op == BLOCK_READ)
        return piece_write(command);
    slice_release(&command->scratch);
    command->copy->at_bytes += (uint32_t)command->block.length_bytes;
    command->copy->copied_bytes += (uint32_t)command->block.length_bytes;
    return copy_next(command);
}

void scsi_copy_sense(const struct scsi_command *command, struct scsi_sense *sense)
{
    const struct scsi_copy *copy = command->copy;
    if (!copy)
        return;
    sense->key = SCSI_KEY_COPY_ABORTED;
    sense->has_segment = true;
    sense->segment = copy->segments_done;
    /* Where a part of the segment is written, how many of its blocks are not. */
    sense->has_information = copy->at_bytes > 0;
    sense->information =
        segment_now(command).blocks - copy->at_bytes / command->unit->export->block_bytes;
}

void scsi_copy_end(struct scsi_command *command)
{
    struct scsi_copy *copy = command->copy;
    if (!copy)
        return;
    command->copy = NULL;
    ASSERT(copy->state == SCSI_COPY_RUNS);
    copy->state = command->status == SCSI_GOOD ? SCSI_COPY_DONE : SCSI_COPY_FAILED;
    if (!copy->listed)
        copy->state = SCSI_COPY_NONE;
}

void scsi_copy_drop(struct scsi_command *command)
{
    if (command->copy)
        command->copy->state = SCSI_COPY_NONE;
    command->copy = NULL;
}

void scsi_copies_forget(struct scsi_unit *unit)
{
    LIST_FOR_EACH (node, &unit->nexuses) {
        struct scsi_nexus *nexus = CONTAINER_OF(node, struct scsi_nexus, node);
        for (uint32_t i = 0; i < SCSI_COPIES_MAX; i++)
            if (nexus->copies[i].state != SCSI_COPY_RUNS)
                nexus->copies[i].state = SCSI_COPY_NONE;
    }
}
