/* SPDX-License-Identifier: Apache-2.0 */
/*
 * READ, WRITE, ORWRITE, WRITE AND VERIFY, VERIFY, COMPARE AND WRITE, SYNCHRONIZE CACHE and
 * PRE-FETCH (SBC-3 5). The door has checked that the range is the unit's.
 */
#include "target/front/scsi/medium.h"

#include "target/front/scsi/limits.h"
#include "target/front/scsi/sense.h"

static uint64_t block_bytes_of(const struct scsi_command *command)
{
    return command->unit->export->block_bytes;
}

static bool fua_of(const struct scsi_command *command)
{
    return command->op->cdb_bytes > 6 && command->cdb[1] & SCSI_CDB_FUA;
}

enum scsi_next scsi_block_submit(struct scsi_command *command, enum block_op op, uint32_t flags,
                                 uint64_t offset_bytes, uint64_t length_bytes)
{
    struct block_req *block = &command->block;
    block->op = op;
    block->flags = flags;
    block->offset_bytes = offset_bytes;
    block->length_bytes = length_bytes;
    block->data = (struct slice){0};
    block->status = 0;
    block->mismatch_bytes = 0;
    return SCSI_BLOCK;
}

/* The first `length_bytes` of the data-out go to the block request, lent. */
static enum scsi_next data_out_submit(struct scsi_command *command, enum block_op op,
                                      uint32_t flags, uint64_t offset_bytes, uint64_t length_bytes,
                                      uint32_t data_bytes)
{
    ASSERT(data_bytes > 0 && data_bytes <= command->data_out.length_bytes);
    (void)scsi_block_submit(command, op, flags, offset_bytes, length_bytes);
    command->block.data = command->data_out;
    command->block.data.length_bytes = data_bytes;
    return SCSI_BLOCK;
}

enum scsi_next scsi_block_flush(struct scsi_command *command)
{
    return scsi_block_submit(command, BLOCK_FLUSH, 0, 0, 0);
}

/*
 * How many bytes there are to process where the CDB wants `wanted_bytes`; less when
 * the initiator announced less. False when a block came in part.
 */
static bool data_out_take(const struct scsi_command *command, uint64_t wanted_bytes,
                          uint32_t *length_bytes)
{
    uint32_t got = command->data_out.length_bytes;
    ASSERT(wanted_bytes <= SCSI_TRANSFER_BYTES_MAX);
    *length_bytes = got < wanted_bytes ? got : (uint32_t)wanted_bytes;
    return *length_bytes % block_bytes_of(command) == 0;
}

static enum scsi_next data_out_fail(struct scsi_command *command)
{
    return scsi_fail(command, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_INVALID_COMMAND_IU);
}

/* Reading with FUA gets what survives power loss (SBC-3 4.15): the cache goes to the disks first.
 */
enum scsi_next scsi_read_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                               struct buf_pool *pool)
{
    (void)pool;
    uint64_t bytes = block_bytes_of(command);
    if (cdb->length == 0)
        return scsi_good(command);
    if (fua_of(command))
        return scsi_block_flush(command);
    return scsi_block_submit(command, BLOCK_READ, 0, cdb->lba * bytes, cdb->length * bytes);
}

enum scsi_next scsi_read_finish(struct scsi_command *command, const struct scsi_cdb *cdb,
                                struct buf_pool *pool)
{
    (void)pool;
    uint64_t bytes = block_bytes_of(command);
    if (command->block.op == BLOCK_FLUSH)
        return scsi_block_submit(command, BLOCK_READ, 0, cdb->lba * bytes, cdb->length * bytes);
    ASSERT(command->block.op == BLOCK_READ);
    ASSERT(command->block.data.length_bytes == command->block.length_bytes);
    command->data_in = command->block.data;
    command->block.data = (struct slice){0};
    return scsi_good(command);
}

static enum scsi_next write_submit(struct scsi_command *command, const struct scsi_cdb *cdb,
                                   enum block_op op, uint32_t length)
{
    uint64_t offset = cdb->lba * block_bytes_of(command);
    if (length == 0)
        return scsi_good(command);
    return data_out_submit(command, op, fua_of(command) ? BLOCK_FUA : 0, offset, length, length);
}

enum scsi_next scsi_write_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                struct buf_pool *pool)
{
    (void)pool;
    uint32_t length;
    /* The part of a block, too: what the residual says was transferred is stored. */
    (void)data_out_take(command, cdb->length * block_bytes_of(command), &length);
    return write_submit(command, cdb, BLOCK_WRITE, length);
}

enum scsi_next scsi_orwrite_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                  struct buf_pool *pool)
{
    (void)pool;
    uint32_t length;
    if (!data_out_take(command, cdb->length * block_bytes_of(command), &length))
        return data_out_fail(command);
    return write_submit(command, cdb, BLOCK_OR_WRITE, length);
}

/* What is verified must be on the disks, hence FUA. */
enum scsi_next scsi_write_verify_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                       struct buf_pool *pool)
{
    (void)pool;
    uint64_t bytes = block_bytes_of(command);
    uint32_t length;
    if (!data_out_take(command, cdb->length * bytes, &length))
        return data_out_fail(command);
    if (length == 0)
        return scsi_good(command);
    return data_out_submit(command, BLOCK_WRITE, BLOCK_FUA, cdb->lba * bytes, length, length);
}

enum scsi_next scsi_write_verify_finish(struct scsi_command *command, const struct scsi_cdb *cdb,
                                        struct buf_pool *pool)
{
    if (command->block.op == BLOCK_READ)
        return scsi_verify_finish(command, cdb, pool);
    ASSERT(command->block.op == BLOCK_WRITE);
    if (scsi_cdb_bytchk(command->cdb) == SCSI_BYTCHK_NONE)
        return scsi_good(command);
    return scsi_block_submit(command, BLOCK_READ, 0, command->block.offset_bytes,
                             command->block.length_bytes);
}

enum scsi_next scsi_verify_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                 struct buf_pool *pool)
{
    (void)pool;
    uint64_t bytes = block_bytes_of(command);
    uint8_t bytchk = scsi_cdb_bytchk(command->cdb);
    /* Nothing to compare with: that the blocks exist is all; what is stored carries checksums. */
    if (bytchk == SCSI_BYTCHK_NONE)
        return scsi_good(command);
    if (bytchk != SCSI_BYTCHK_ALL && bytchk != SCSI_BYTCHK_SAME)
        return scsi_fail_cdb(command, 1, 2);
    if (cdb->length == 0)
        return scsi_good(command);
    uint64_t length = cdb->length * bytes;
    uint32_t taken;
    if (!data_out_take(command, bytchk == SCSI_BYTCHK_SAME ? bytes : length, &taken))
        return data_out_fail(command);
    if (taken == 0)
        return scsi_good(command);
    if (bytchk == SCSI_BYTCHK_ALL)
        length = taken;
    return scsi_block_submit(command, BLOCK_READ, 0, cdb->lba * bytes, length);
}

/* The offset of the first block of `data` that is not the one it is compared with, or its end. */
static uint64_t mismatch_find(const struct scsi_command *command, const struct slice *data)
{
    uint32_t bytes = command->unit->export->block_bytes;
    bool same = scsi_cdb_bytchk(command->cdb) == SCSI_BYTCHK_SAME;
    const uint8_t *want = command->data_out.bytes;
    ASSERT(command->data_out.length_bytes >= (same ? bytes : data->length_bytes));
    for (uint32_t at = 0; at < data->length_bytes; at += bytes)
        if (memcmp(data->bytes + at, same ? want : want + at, bytes) != 0)
            return at;
    return data->length_bytes;
}

enum scsi_next scsi_verify_finish(struct scsi_command *command, const struct scsi_cdb *cdb,
                                  struct buf_pool *pool)
{
    (void)pool;
    const struct slice *data = &command->block.data;
    ASSERT(command->block.op == BLOCK_READ);
    ASSERT(data->length_bytes == command->block.length_bytes);
    uint64_t at = mismatch_find(command, data);
    if (at == data->length_bytes)
        return scsi_good(command);
    return scsi_fail_sense(
        command, &(struct scsi_sense){.key = SCSI_KEY_MISCOMPARE,
                                      .asc = SCSI_ASC_MISCOMPARE,
                                      .has_information = true,
                                      .information = cdb->lba + at / block_bytes_of(command)});
}

enum scsi_next scsi_compare_write_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                        struct buf_pool *pool)
{
    (void)pool;
    uint64_t bytes = block_bytes_of(command);
    uint64_t length = cdb->length * bytes;
    /* No blocks, but data for some: 256 in a field of eight bits, which must not look done. */
    bool overflown = length == 0 && scsi_data_out_offered(command) >= 2 * bytes;
    if (cdb->length > SCSI_COMPARE_BLOCKS_MAX || overflown)
        return scsi_fail_cdb(command, command->op->length.offset, 7);
    if (length == 0)
        return scsi_good(command);
    if (command->data_out.length_bytes < 2 * length || scsi_data_out_offered(command) > 2 * length)
        return data_out_fail(command);
    return data_out_submit(command, BLOCK_COMPARE_WRITE, fua_of(command) ? BLOCK_FUA : 0,
                           cdb->lba * bytes, length, (uint32_t)(2 * length));
}

/* All of the unit, whatever the range; with IMMED too, since GOOD shall mean that it is done. */
enum scsi_next scsi_sync_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                               struct buf_pool *pool)
{
    (void)cdb;
    (void)pool;
    return scsi_block_flush(command);
}

/* A hint, not taken: GOOD says that not all of it is in a cache (SBC-3 5.9). */
enum scsi_next scsi_prefetch_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                   struct buf_pool *pool)
{
    (void)cdb;
    (void)pool;
    return scsi_good(command);
}
