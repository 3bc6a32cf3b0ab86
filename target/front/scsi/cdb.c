/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding of CDBs by the table of commands (ops.c). */
#include "target/front/scsi/cdb.h"

/* The first row at or after a command; scsi_op_count when there is none. */
static uint32_t row_at(uint8_t opcode, uint8_t action)
{
    uint32_t low = 0, high = scsi_op_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct scsi_op *op = &scsi_ops[middle];
        if (op->opcode < opcode || (op->opcode == opcode && op->action < action))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct scsi_op *scsi_op_find(uint8_t opcode, uint8_t action)
{
    uint32_t at = row_at(opcode, action);
    bool found = at < scsi_op_count && scsi_ops[at].opcode == opcode;
    return found && scsi_ops[at].action == action ? &scsi_ops[at] : NULL;
}

bool scsi_opcode_has_actions(uint8_t opcode)
{
    uint32_t at = row_at(opcode, 0);
    bool found = at < scsi_op_count && scsi_ops[at].opcode == opcode;
    return found && scsi_ops[at].action != SCSI_ACTION_NONE;
}

const struct scsi_op *scsi_op_of(const uint8_t cdb[SCSI_CDB_BYTES])
{
    uint32_t at = row_at(cdb[0], 0);
    bool found = at < scsi_op_count && scsi_ops[at].opcode == cdb[0];
    if (!found || scsi_ops[at].action == SCSI_ACTION_NONE)
        return found ? &scsi_ops[at] : NULL;
    return scsi_op_find(cdb[0], cdb[1] & 0x1f);
}

static uint64_t field_read(const struct scsi_op *op, const uint8_t cdb[SCSI_CDB_BYTES],
                           struct scsi_field field)
{
    ASSERT(field.offset + field.bytes <= op->cdb_bytes && field.bytes <= 8);
    uint64_t value = 0;
    for (uint8_t i = 0; i < field.bytes; i++) {
        uint8_t byte = field.offset + i;
        value = value << 8 | (uint8_t)(cdb[byte] & op->usage[byte]);
    }
    return value;
}

struct scsi_cdb scsi_cdb_decode(const struct scsi_op *op, const uint8_t cdb[SCSI_CDB_BYTES])
{
    struct scsi_cdb decoded = {.lba = field_read(op, cdb, op->lba),
                               .length = field_read(op, cdb, op->length)};
    bool medium = op->flags & SCSI_OP_RANGE;
    /* SBC-3 5.10: a TRANSFER LENGTH of zero is 256 blocks, in the six byte commands alone. */
    if (op->cdb_bytes == 6 && medium && decoded.length == 0)
        decoded.length = 256;
    return decoded;
}

bool scsi_cdb_check(const struct scsi_op *op, const uint8_t cdb[SCSI_CDB_BYTES], uint16_t *byte,
                    uint8_t *bit)
{
    for (uint8_t i = 1; i < op->cdb_bytes; i++) {
        uint8_t allowed = op->usage[i];
        if (i == 1 && op->action != SCSI_ACTION_NONE)
            allowed |= 0x1f;
        uint8_t bad = (uint8_t)(cdb[i] & ~allowed);
        if (!bad)
            continue;
        *byte = i;
        *bit = 7;
        while (!(bad >> *bit & 1))
            (*bit)--;
        return false;
    }
    return true;
}

static bool too_long(const struct scsi_op *op, const uint8_t cdb[SCSI_CDB_BYTES], uint64_t blocks,
                     uint32_t block_bytes)
{
    ASSERT(block_bytes > 0);
    bool moves = op->moves == SCSI_MOVES_IN_BLOCKS || op->moves == SCSI_MOVES_OUT_BLOCKS ||
                 (op->moves == SCSI_MOVES_OUT_VERIFY && scsi_cdb_bytchk(cdb) != SCSI_BYTCHK_NONE);
    if (op->moves == SCSI_MOVES_OUT_BYTES)
        return blocks > SCSI_TRANSFER_BYTES_MAX;
    return moves && blocks > SCSI_TRANSFER_BYTES_MAX / block_bytes;
}

bool scsi_cdb_too_long(const struct scsi_op *op, const uint8_t cdb[SCSI_CDB_BYTES],
                       uint32_t block_bytes)
{
    return too_long(op, cdb, scsi_cdb_decode(op, cdb).length, block_bytes);
}

struct scsi_transfer scsi_transfer_of(const struct scsi_unit *unit,
                                      const uint8_t cdb[SCSI_CDB_BYTES])
{
    const struct scsi_op *op = scsi_op_of(cdb);
    if (!unit || !op)
        return (struct scsi_transfer){0};
    struct scsi_transfer transfer = {.known = true};
    uint32_t block_bytes = unit->export->block_bytes;
    uint64_t length = scsi_cdb_decode(op, cdb).length;
    if (too_long(op, cdb, length, block_bytes))
        return transfer;
    switch (op->moves) {
    case SCSI_MOVES_NOTHING:
        break;
    case SCSI_MOVES_IN_BYTES:
        transfer.data_in_bytes = length;
        break;
    case SCSI_MOVES_IN_BLOCKS:
        transfer.data_in_bytes = length * block_bytes;
        break;
    case SCSI_MOVES_OUT_BYTES:
        transfer.data_out_bytes = length;
        break;
    case SCSI_MOVES_OUT_BLOCKS:
        transfer.data_out_bytes = length * block_bytes;
        break;
    case SCSI_MOVES_OUT_TWICE:
        transfer.data_out_bytes = 2 * length * block_bytes;
        break;
    case SCSI_MOVES_OUT_SAME:
        if (!(cdb[1] & op->usage[1] & SCSI_CDB_SAME_NDOB))
            transfer.data_out_bytes = block_bytes;
        break;
    case SCSI_MOVES_OUT_VERIFY:
        if (scsi_cdb_bytchk(cdb) == SCSI_BYTCHK_ALL)
            transfer.data_out_bytes = length * block_bytes;
        else if (scsi_cdb_bytchk(cdb) == SCSI_BYTCHK_SAME)
            transfer.data_out_bytes = block_bytes;
        break;
    }
    ASSERT(transfer.data_out_bytes <= SCSI_TRANSFER_BYTES_MAX);
    return transfer;
}
