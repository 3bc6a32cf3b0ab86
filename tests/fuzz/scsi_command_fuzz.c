/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands of two initiators that may be hostile, on a disk that may fail. The input is a sequence
 * of commands: one byte of circumstances (below), the CDB, whose last byte's lowest bit also says
 * which initiator, a two byte length and so much data-out. What is kept in the book is read again
 * at the end.
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
    NEXUS_COUNT = 2,
    STEPS_MAX = 512 + 1, /* descriptors of an UNMAP, pieces of a WRITE SAME, of an EXTENDED COPY */
};

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static struct buf_pool pool;
static uint8_t row[32 << 10]; /* of the book */
static uint32_t row_bytes;

/* What the volume may rely on. */
static void block_check(const struct scsi_command *command)
{
    const struct block_req *block = &command->block;
    uint64_t size = command->unit->export->size_bytes;
    bool flush = block->op == BLOCK_FLUSH || block->op == BLOCK_SET_ROW;
    ASSERT(flush == (block->length_bytes == 0));
    ASSERT(block->offset_bytes <= size && block->length_bytes <= size - block->offset_bytes);
    ASSERT(block->op == BLOCK_ZERO || block->op == BLOCK_STATUS ||
           block->length_bytes <= SCSI_TRANSFER_BYTES_MAX);
    if (block->op == BLOCK_WRITE || block->op == BLOCK_OR_WRITE)
        ASSERT(block->data.length_bytes == block->length_bytes);
    else if (block->op == BLOCK_COMPARE_WRITE)
        ASSERT(block->data.length_bytes == 2 * block->length_bytes);
    else if (block->op != BLOCK_SET_ROW)
        ASSERT(!block->data.buf && block->data.length_bytes == 0);
    if (block->op == BLOCK_WRITE || block->op == BLOCK_COMPARE_WRITE ||
        block->op == BLOCK_OR_WRITE || block->op == BLOCK_ZERO)
        ASSERT(!command->unit->export->read_only);
}

static void block_execute(struct block_req *block, bool fail)
{
    static const int failures[] = {-EIO, -ENOSPC, -EROFS, -EINVAL, -ESHUTDOWN, -EILSEQ, -ENOMEM};
    block->status = fail ? failures[block->offset_bytes / 512 % ARRAY_COUNT(failures)] : 0;
    if (block->op == BLOCK_SET_ROW && !fail) {
        row_bytes = block->data.length_bytes;
        ASSERT(row_bytes <= sizeof(row));
        if (row_bytes)
            memcpy(row, block->data.bytes, row_bytes);
    }
    if (block->op == BLOCK_STATUS && !fail) {
        ASSERT(block->runs_max > 0 && block->runs_count == 0);
        while (block->runs_count < block->runs_max)
            block->runs[block->runs_count++] = (struct block_run){
                (block->offset_bytes / 512 + 1) * 4096, (uint8_t)(block->runs_count % 3)};
    }
    if (block->op != BLOCK_READ || fail)
        return;
    block->data = slice_get(&pool, (uint32_t)block->length_bytes);
    memset(block->data.bytes, (int)(block->offset_bytes / 512 & 1), block->length_bytes);
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
    } else if (command->status == SCSI_RESERVATION_CONFLICT) {
        ASSERT(command->sense_bytes == 0 && data_in == 0);
    } else {
        ASSERT(command->status == SCSI_CHECK_CONDITION);
        bool descriptors = (command->sense[0] & 0x7f) == 0x72;
        ASSERT(data_in == 0 && descriptors == (command->unit && command->unit->descriptor_sense));
        ASSERT(command->sense_bytes == (descriptors ? 8u + command->sense[7] : 18u));
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
    if (next == SCSI_ABORT) {
        scsi_ports_aborted(command->unit);
        next = scsi_finish(command, &pool);
    }
    for (uint32_t step = 0; next == SCSI_BLOCK; step++) {
        ASSERT(step < STEPS_MAX);
        scsi_submitting(command, &pool);
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

/* What another target finds in the book is what this one put there. */
static void row_check(const struct scsi_unit *unit, struct export *export)
{
    static struct scsi_unit next;
    scsi_unit_init(&next, export);
    ASSERT(scsi_reservations_load(&next, row, row_bytes));
    ASSERT(row_bytes == 0 || next.reservations.type == unit->reservations.type);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const struct scsi_port ports[NEXUS_COUNT] = {
        {.isid = 1, .initiator = "iqn.2001-04.com.example:a"},
        {.isid = 2, .initiator = "iqn.2001-04.com.example:a"}};
    struct reader r = reader_of(bytes, length);
    struct export export = {.size_bytes = (uint64_t)1 << 41, .block_bytes = 512};
    static struct scsi_unit unit;
    struct scsi_nexus nexuses[NEXUS_COUNT] = {0};
    if (read_u8(&r) & 1)
        export = (struct export){.size_bytes = 8u << 20, .block_bytes = BLOCK_BYTES};
    buf_pool_init(&pool, 64u << 20);
    scsi_unit_init(&unit, &export);
    row_bytes = 0;
    bool clean = true; /* no row failed */
    for (uint32_t i = 0; i < NEXUS_COUNT; i++)
        scsi_nexus_attach(&unit, &nexuses[i], &ports[i]);
    while (!r.bad && reader_left(&r) > 0) {
        struct scsi_command command = {0};
        uint8_t circumstances = read_u8(&r);
        clean = clean && (circumstances & FAIL_MASK) == FAIL_MASK;
        read_copy(&r, command.cdb, sizeof(command.cdb));
        command.nexus = &nexuses[command.cdb[SCSI_CDB_BYTES - 1] & 1];
        if (command.cdb[0] == 0x5e || command.cdb[0] == 0x5f)
            command.cdb[SCSI_CDB_BYTES - 1] = 0;
        uint32_t data_bytes = read_u16(&r);
        if (data_bytes > reader_left(&r))
            data_bytes = (uint32_t)reader_left(&r);
        command.unit = circumstances & NO_UNIT ? NULL : &unit;
        export.read_only = circumstances & READ_ONLY;
        if (circumstances & ATTENTION)
            scsi_unit_attention(&unit, NULL, SCSI_UA_CAPACITY_CHANGED);
        if (data_bytes > 0) {
            command.data_out = slice_get(&pool, data_bytes);
            read_copy(&r, command.data_out.bytes, data_bytes);
        }
        command_run(&command, circumstances);
        slice_release(&command.data_in);
        slice_release(&command.data_out);
    }
    if (clean)
        row_check(&unit, &export);
    buf_pool_release(&pool);
    return 0;
}
