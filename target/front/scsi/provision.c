/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET LBA STATUS (SBC-3 5.6): the volume's runs as descriptors; holes and zeroed blocks alike are
 * deallocated, for they read as zeros. UNMAP (SBC-3 5.28): one request a descriptor;
 * command->progress is the next descriptor. WRITE SAME (SBC-3 5.43): zeros are one request,
 * anything else is written a piece at a time from one filled buffer; command->progress is the bytes
 * begun.
 */
#include "target/front/scsi/provision.h"

#include "common/base/bytes.h"
#include "target/front/scsi/limits.h"
#include "target/front/scsi/medium.h"
#include "target/front/scsi/reply.h"
#include "target/front/scsi/sense.h"
#include "target/front/scsi/unit.h"

enum { UNMAP_HEADER_BYTES = 8, UNMAP_DESCRIPTOR_BYTES = 16 };

enum {
    STATUS_RUNS_MAX = 1024,
    STATUS_DESCRIPTORS_MAX = 128,
    STATUS_HEADER_BYTES = 8,
    STATUS_MAPPED = 0, /* or not known */
    STATUS_DEALLOCATED = 1,
};
STATIC_ASSERT(STATUS_HEADER_BYTES + 16 * STATUS_DESCRIPTORS_MAX <= SCSI_RESPONSE_BYTES_MAX,
              "the descriptors fit an answer");

enum scsi_next scsi_lba_status_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                     struct buf_pool *pool)
{
    const struct export *export = command->unit->export;
    if (cdb->lba >= scsi_unit_blocks(command->unit))
        return scsi_fail_range(command, cdb->lba);
    uint64_t offset = cdb->lba * export->block_bytes;
    (void)scsi_block_submit(command, BLOCK_STATUS, 0, offset, export->size_bytes - offset);
    command->scratch = slice_get(pool, STATUS_RUNS_MAX * sizeof(struct block_run));
    command->block.runs = (struct block_run *)(void *)command->scratch.bytes;
    command->block.runs_max = STATUS_RUNS_MAX;
    command->block.runs_count = 0;
    command->block.from_generation = 0;
    return SCSI_BLOCK;
}

/* Descriptors, being written: `blocks` of one state from `lba` on are not written yet. */
struct status_list {
    struct writer *w;
    uint32_t count;
    uint64_t lba;
    uint64_t blocks;
    uint8_t state;
};

static void status_write(struct status_list *list)
{
    while (list->blocks > 0 && list->count < STATUS_DESCRIPTORS_MAX) {
        uint32_t blocks = list->blocks > UINT32_MAX ? UINT32_MAX : (uint32_t)list->blocks;
        write_u64(list->w, list->lba);
        write_u32(list->w, blocks);
        write_u8(list->w, list->state);
        write_zeros(list->w, 3);
        list->count++;
        list->lba += blocks;
        list->blocks -= blocks;
    }
}

/* Equal neighbours are one. */
static void status_add(struct status_list *list, uint64_t blocks, uint8_t state)
{
    if (state != list->state)
        status_write(list);
    list->state = state;
    list->blocks += blocks;
}

enum scsi_next scsi_lba_status_finish(struct scsi_command *command, const struct scsi_cdb *cdb,
                                      struct buf_pool *pool)
{
    const struct block_req *block = &command->block;
    uint32_t bytes = command->unit->export->block_bytes;
    uint64_t left = block->length_bytes;
    struct writer w = scsi_reply_begin(command, pool);
    struct status_list list = {.w = &w, .lba = cdb->lba, .state = STATUS_MAPPED};
    write_zeros(&w, STATUS_HEADER_BYTES);
    for (uint32_t i = 0; block->status == 0 && i < block->runs_count && left > 0; i++) {
        const struct block_run *run = &block->runs[i];
        uint64_t length = run->length_bytes < left ? run->length_bytes : left;
        left -= length;
        status_add(&list, length / bytes,
                   run->state == BLOCK_DATA ? STATUS_MAPPED : STATUS_DEALLOCATED);
    }
    if (left == block->length_bytes) /* nothing is known */
        status_add(&list, left / bytes, STATUS_MAPPED);
    status_write(&list);
    scsi_reply_set_u16(&w, 2, writer_length(&w) - 4);
    return scsi_reply_end(command, &w, cdb->length);
}

struct unmap_descriptor {
    uint64_t lba;
    uint32_t blocks;
};

static struct unmap_descriptor unmap_descriptor_decode(const struct slice *data, uint64_t idx)
{
    uint64_t at = UNMAP_HEADER_BYTES + idx * UNMAP_DESCRIPTOR_BYTES;
    ASSERT(at + UNMAP_DESCRIPTOR_BYTES <= data->length_bytes);
    struct reader r = reader_of(data->bytes + at, UNMAP_DESCRIPTOR_BYTES);
    struct unmap_descriptor descriptor = {.lba = read_u64(&r)};
    descriptor.blocks = read_u32(&r);
    return descriptor;
}

/* Complete descriptors; those that are cut off, here or there, do not count (SBC-3 5.28.2). */
static uint64_t unmap_descriptor_count(const struct slice *data, const struct scsi_cdb *cdb)
{
    struct reader r = reader_of(data->bytes, data->length_bytes);
    read_skip(&r, 2);
    uint64_t length = read_u16(&r);
    uint64_t room = cdb->length - UNMAP_HEADER_BYTES;
    return (length < room ? length : room) / UNMAP_DESCRIPTOR_BYTES;
}

/* All or nothing is begun: every descriptor must be in range. False: the command has failed. */
static bool unmap_in_range(struct scsi_command *command, uint64_t count)
{
    uint64_t blocks = scsi_unit_blocks(command->unit);
    for (uint64_t i = 0; i < count; i++) {
        struct unmap_descriptor d = unmap_descriptor_decode(&command->data_out, i);
        if (d.lba > blocks || d.blocks > blocks - d.lba) {
            (void)scsi_fail_range(command, d.lba);
            return false;
        }
    }
    return true;
}

/* Submits the next descriptor that is not empty. */
static enum scsi_next unmap_next(struct scsi_command *command, const struct scsi_cdb *cdb)
{
    uint64_t bytes = command->unit->export->block_bytes;
    uint64_t count = unmap_descriptor_count(&command->data_out, cdb);
    while (command->progress < count) {
        struct unmap_descriptor d = unmap_descriptor_decode(&command->data_out, command->progress);
        command->progress++;
        if (d.blocks > 0)
            return scsi_block_submit(command, BLOCK_ZERO, 0, d.lba * bytes, d.blocks * bytes);
    }
    return scsi_good(command);
}

enum scsi_next scsi_unmap_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                struct buf_pool *pool)
{
    (void)pool;
    const struct slice *data = &command->data_out;
    if (cdb->length == 0)
        return scsi_good(command);
    if (cdb->length < UNMAP_HEADER_BYTES || data->length_bytes < cdb->length)
        return scsi_fail(command, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_PARAMETER_LENGTH);
    uint64_t count = unmap_descriptor_count(data, cdb);
    if (count > SCSI_UNMAP_DESCRIPTORS_MAX)
        return scsi_fail_parameter(command, 2, 7);
    if (!unmap_in_range(command, count))
        return SCSI_DONE;
    return unmap_next(command, cdb);
}

enum scsi_next scsi_unmap_finish(struct scsi_command *command, const struct scsi_cdb *cdb,
                                 struct buf_pool *pool)
{
    (void)pool;
    return unmap_next(command, cdb);
}

/* Writes the next piece of the repeated block, which is in command->scratch. */
static enum scsi_next write_same_next(struct scsi_command *command, const struct scsi_cdb *cdb)
{
    uint64_t bytes = command->unit->export->block_bytes;
    uint64_t left = cdb->length * bytes - command->progress;
    uint64_t offset = cdb->lba * bytes + command->progress;
    if (left == 0)
        return scsi_good(command);
    uint32_t piece = command->scratch.length_bytes;
    if (piece > left)
        piece = (uint32_t)left;
    command->progress += piece;
    (void)scsi_block_submit(command, BLOCK_WRITE, 0, offset, piece);
    command->block.data = command->scratch;
    command->block.data.length_bytes = piece;
    return SCSI_BLOCK;
}

enum scsi_next scsi_write_same_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                     struct buf_pool *pool)
{
    uint32_t bytes = command->unit->export->block_bytes;
    const struct slice *data = &command->data_out;
    bool unmap = command->cdb[1] & SCSI_CDB_SAME_UNMAP;
    bool no_data = command->cdb[1] & command->op->usage[1] & SCSI_CDB_SAME_NDOB;
    uint64_t length = cdb->length * bytes;
    if (cdb->length == 0 || length > SCSI_SAME_BYTES_MAX)
        return scsi_fail_cdb(command, command->op->length.offset, 7);
    if (!no_data && (data->length_bytes < bytes || scsi_data_out_offered(command) > bytes))
        return scsi_fail(command, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_INVALID_COMMAND_IU);
    if (no_data || bytes_are_zero(data->bytes, data->length_bytes))
        return scsi_block_submit(command, BLOCK_ZERO, unmap ? 0 : BLOCK_NO_HOLE, cdb->lba * bytes,
                                 length);
    /* With UNMAP too: what an unmapped block would not read as is written (SBC-3 5.43.2). */
    uint32_t piece = length < PAYLOAD_BYTES_MAX ? (uint32_t)length : PAYLOAD_BYTES_MAX;
    command->scratch = slice_get(pool, piece);
    for (uint32_t at = 0; at < piece; at += bytes)
        memcpy(command->scratch.bytes + at, data->bytes, bytes);
    return write_same_next(command, cdb);
}

enum scsi_next scsi_write_same_finish(struct scsi_command *command, const struct scsi_cdb *cdb,
                                      struct buf_pool *pool)
{
    (void)pool;
    if (command->block.op == BLOCK_ZERO)
        return scsi_good(command);
    return write_same_next(command, cdb);
}
