/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands of an initiator that may be hostile, on a disk that may fail. The input is a sequence of
 * commands: one byte of circumstances (below), the CDB, a two byte length and so much data-out.
 */
#include "common/base/bytes.h"
#include "target/front/scsi/scsi.h"

#include <errno.h>

enum {
    FAIL_MASK = 0x0f, /* 15: none; else the block request that fails or is dropped */
    DROP = 0x10,
    NO_UNIT = 0x20,
    READ_ONLY = 0x40,
    ATTENTION = 0x80,
    NEXUS = 1,
    STEPS_MAX = 256 + 1, /* descriptors of an UNMAP, pieces of a WRITE SAME */
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static struct buf_pool pool;

/* What the volume may rely on. */
static void block_check(const struct scsi_command *command)
{
    const struct block_req *block = &command->block;
    uint64_t size = command->unit->export->size_bytes;
    bool flush = block->op == BLOCK_FLUSH;
    ASSERT(flush == (block->length_bytes == 0));
    ASSERT(block->offset_bytes <= size && block->length_bytes <= size - block->offset_bytes);
    ASSERT(block->op == BLOCK_ZERO || block->length_bytes <= SCSI_TRANSFER_BYTES_MAX);
    if (block->op == BLOCK_WRITE || block->op == BLOCK_OR_WRITE)
        ASSERT(block->data.length_bytes == block->length_bytes);
    else if (block->op == BLOCK_COMPARE_WRITE)
        ASSERT(block->data.length_bytes == 2 * block->length_bytes);
    else
        ASSERT(!block->data.buf && block->data.length_bytes == 0);
    if (block->op == BLOCK_WRITE || block->op == BLOCK_COMPARE_WRITE ||
        block->op == BLOCK_OR_WRITE || block->op == BLOCK_ZERO)
        ASSERT(!command->unit->export->read_only);
}

static void block_execute(struct block_req *block, bool fail)
{
    static const int failures[] = {-EIO, -ENOSPC, -EROFS, -EINVAL, -ESHUTDOWN, -EILSEQ, -ENOMEM};
    block->status = fail ? failures[block->offset_bytes / 512 % ARRAY_COUNT(failures)] : 0;
    if (block->op != BLOCK_READ || fail)
        return;
    block->data = slice_get(&pool, (uint32_t)block->length_bytes);
    memset(block->data.bytes, 0, block->length_bytes);
}

/* What the iSCSI room may rely on. */
static void answer_check(const struct scsi_command *command)
{
    struct scsi_transfer transfer = scsi_transfer_of(command->unit, command->cdb);
    uint32_t data_in = command->data_in.length_bytes;
    ASSERT(!command->block.data.buf && !command->scratch.buf);
    ASSERT((command->data_in.buf != NULL) == (data_in > 0));
    if (command->status == SCSI_GOOD) {
        ASSERT(command->sense_bytes == 0);
    } else {
        ASSERT(command->status == SCSI_CHECK_CONDITION);
        ASSERT(command->sense_bytes == 18 && data_in == 0);
    }
    bool capacity10 = command->cdb[0] == 0x25;
    if (transfer.known && !capacity10)
        ASSERT(data_in <= transfer.data_in_bytes);
    ASSERT(command->expected_bytes == (data_in > 0 ? data_in : transfer.data_out_bytes));
}

static void command_run(struct scsi_command *command, uint8_t circumstances)
{
    uint8_t last = circumstances & FAIL_MASK;
    enum scsi_next next = scsi_command(command, &pool);
    for (uint32_t step = 0; next == SCSI_BLOCK; step++) {
        ASSERT(step < STEPS_MAX);
        block_check(command);
        bool now = last < FAIL_MASK && step == last;
        block_execute(&command->block, now && !(circumstances & DROP));
        if (now && circumstances & DROP) {
            scsi_drop(command);
            return;
        }
        next = scsi_finish(command, &pool);
    }
    answer_check(command);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct reader r = reader_of(bytes, length);
    struct export export = {.size_bytes = (uint64_t)1 << 41, .block_bytes = 512};
    static struct scsi_unit unit;
    if (read_u8(&r) & 1)
        export = (struct export){.size_bytes = 8u << 20, .block_bytes = BLOCK_BYTES};
    buf_pool_init(&pool, 64u << 20);
    scsi_unit_init(&unit, &export);
    if (!scsi_nexus_attach(&unit, NEXUS))
        UNREACHABLE();
    while (!r.bad && reader_left(&r) > 0) {
        struct scsi_command command = {.nexus_id = NEXUS};
        uint8_t circumstances = read_u8(&r);
        read_copy(&r, command.cdb, sizeof(command.cdb));
        uint32_t data_bytes = read_u16(&r);
        if (data_bytes > reader_left(&r))
            data_bytes = (uint32_t)reader_left(&r);
        command.unit = circumstances & NO_UNIT ? NULL : &unit;
        export.read_only = circumstances & READ_ONLY;
        if (circumstances & ATTENTION)
            scsi_unit_attention(&unit, 0, SCSI_UA_CAPACITY_CHANGED);
        if (data_bytes > 0) {
            command.data_out = slice_get(&pool, data_bytes);
            read_copy(&r, command.data_out.bytes, data_bytes);
        }
        command_run(&command, circumstances);
        slice_release(&command.data_in);
        slice_release(&command.data_out);
    }
    buf_pool_release(&pool);
    return 0;
}
