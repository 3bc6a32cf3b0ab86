/* SPDX-License-Identifier: Apache-2.0 */
/* What initiators are told of copying: what there is, what its limits are, how a copy went. */
#include "target/front/scsi/copy.h"

#include "target/front/scsi/reply.h"
#include "target/front/scsi/sense.h"

enum { EXTENDED_COPY = 0x83, RECEIVE_COPY_RESULTS = 0x84 };
enum { DESCRIPTOR_COUNT = 2 };

static const uint8_t descriptor_types[DESCRIPTOR_COUNT] = {SCSI_COPY_SEGMENT_TYPE,
                                                           SCSI_COPY_DEVICE_TYPE};

/* Of what a segment's length is a multiple, as a power of two. */
static uint8_t granularity_of(const struct scsi_unit *unit)
{
    uint8_t exponent = 0;
    while (1u << exponent < unit->export->block_bytes)
        exponent++;
    return exponent;
}

enum scsi_next scsi_copy_status_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                      struct buf_pool *pool)
{
    enum { STATUS_BYTES = 8, IN_PROGRESS = 0, DONE = 1, FAILED = 2, UNITS_BYTES = 0 };
    struct scsi_copy *copy = scsi_copy_find(command->nexus, command->cdb[2]);
    if (!copy)
        return scsi_fail_cdb(command, 2, 7);
    struct writer w = scsi_reply_begin(command, pool);
    write_u32(&w, STATUS_BYTES);
    write_u8(&w, copy->state == SCSI_COPY_RUNS   ? IN_PROGRESS
                 : copy->state == SCSI_COPY_DONE ? DONE
                                                 : FAILED);
    bool within = copy->segments_done < copy->segment_count; /* that one counts (SPC-4 6.24) */
    write_u16(&w, (uint16_t)(copy->segments_done + within));
    write_u8(&w, UNITS_BYTES);
    write_u32(&w, copy->copied_bytes);
    if (copy->state != SCSI_COPY_RUNS)
        copy->state = SCSI_COPY_NONE; /* it was told */
    return scsi_reply_end(command, &w, cdb->length);
}

enum scsi_next scsi_copy_parameters_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                          struct buf_pool *pool)
{
    enum { SNLID = 0x01, PARAMETERS_BYTES = 44 + DESCRIPTOR_COUNT };
    struct writer w = scsi_reply_begin(command, pool);
    write_u32(&w, PARAMETERS_BYTES - 4);
    write_u8(&w, SNLID);
    write_zeros(&w, 3);
    write_u16(&w, SCSI_COPY_DEVICES_MAX);
    write_u16(&w, SCSI_COPY_SEGMENTS_MAX);
    write_u32(&w, SCSI_COPY_LIST_BYTES_MAX);
    write_u32(&w, SCSI_COPY_BYTES_MAX);
    write_zeros(&w, 14); /* neither inline nor held data, no streams */
    write_u16(&w, SCSI_COPIES_MAX);
    write_u8(&w, SCSI_COPIES_MAX);
    write_u8(&w, granularity_of(command->unit));
    write_zeros(&w, 5);
    write_u8(&w, DESCRIPTOR_COUNT);
    write_bytes(&w, descriptor_types, DESCRIPTOR_COUNT);
    ASSERT(writer_length(&w) == PARAMETERS_BYTES);
    return scsi_reply_end(command, &w, cdb->length);
}

/* A descriptor's head; `length` is of what follows, a multiple of four. */
static void head_write(struct writer *w, uint16_t type, uint16_t length)
{
    ASSERT(length % 4 == 0);
    write_u16(w, type);
    write_u16(w, length);
}

void scsi_copy_page_write(const struct scsi_unit *unit, struct writer *w)
{
    enum { COMMANDS = 0x0001, PARAMETERS = 0x0004, DESCRIPTORS = 0x0008 };
    enum { DEVICE_IDS = 0x000c, GENERAL = 0x8001 };
    static const uint8_t commands[] = {EXTENDED_COPY, 1, 0x00, RECEIVE_COPY_RESULTS, 2, 0x00, 0x03};
    head_write(w, COMMANDS, 1 + sizeof(commands));
    write_u8(w, sizeof(commands));
    write_bytes(w, commands, sizeof(commands));

    head_write(w, PARAMETERS, 28);
    write_zeros(w, 4);
    write_u16(w, SCSI_COPY_DEVICES_MAX);
    write_u16(w, SCSI_COPY_SEGMENTS_MAX);
    write_u32(w, SCSI_COPY_LIST_BYTES_MAX);
    write_zeros(w, 16);

    head_write(w, DESCRIPTORS, 4);
    write_u8(w, DESCRIPTOR_COUNT);
    write_bytes(w, descriptor_types, DESCRIPTOR_COUNT);
    write_zeros(w, 1);

    head_write(w, DEVICE_IDS, 4); /* none but those of the list */
    write_zeros(w, 4);

    head_write(w, GENERAL, 32);
    write_u32(w, SCSI_COPIES_MAX);
    write_u32(w, SCSI_COPIES_MAX);
    write_u32(w, SCSI_COPY_BYTES_MAX);
    write_u8(w, granularity_of(unit));
    write_zeros(w, 19);
}
