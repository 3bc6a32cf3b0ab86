/* SPDX-License-Identifier: Apache-2.0 */
/* The door: what every command has to pass, and its way to the disk and back. */
#include "target/front/scsi/scsi.h"

#include "target/front/scsi/cdb.h"
#include "target/front/scsi/copy.h"
#include "target/front/scsi/guard.h"
#include "target/front/scsi/nexus.h"
#include "target/front/scsi/row.h"
#include "target/front/scsi/sense.h"
#include "target/front/scsi/unit.h"

#include <errno.h>

void scsi_unit_init(struct scsi_unit *unit, struct export *export)
{
    ASSERT(export->block_bytes == 512 || export->block_bytes == BLOCK_BYTES);
    ASSERT(export->size_bytes > 0 && export->size_bytes % BLOCK_BYTES == 0);
    *unit = (struct scsi_unit){.export = export};
    list_init(&unit->nexuses);
}

void scsi_unit_reset(struct scsi_unit *unit, enum scsi_attention what)
{
    unit->descriptor_sense = false;
    unit->write_protected = false;
    scsi_unit_unreserve(unit);
    scsi_copies_forget(unit);
    scsi_unit_attention(unit, NULL, what);
}

/* Gives back what the block request holds: what was read is ours, what was written is lent. */
static void block_data_release(struct scsi_command *command)
{
    if (command->block.op == BLOCK_READ)
        slice_release(&command->block.data);
    command->block.data = (struct slice){0};
}

static enum scsi_next answer(struct scsi_command *command, enum scsi_next next)
{
    if (next != SCSI_DONE)
        return next;
    block_data_release(command);
    slice_release(&command->scratch);
    scsi_copy_end(command);
    if (command->status != SCSI_GOOD)
        slice_release(&command->data_in);
    if (command->data_in.length_bytes > 0)
        command->expected_bytes = command->data_in.length_bytes;
    return SCSI_DONE;
}

static enum scsi_next unsupported(struct scsi_command *command)
{
    if (scsi_opcode_has_actions(command->cdb[0]))
        return scsi_fail_cdb(command, 1, 4);
    return scsi_fail(command, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_INVALID_OPCODE);
}

/* True when it must be known who reserved the unit before this can be carried out. */
static bool must_wait(const struct scsi_command *command)
{
    const uint8_t anyway = SCSI_OP_ALWAYS | SCSI_OP_FREE | SCSI_OP_LOOKS;
    return command->unit && command->op && !(command->op->flags & anyway) &&
           !scsi_unit_known(command->unit);
}

/* The rules for all commands that touch the unit. True: none is broken. */
static bool unit_allows(struct scsi_command *command, const struct scsi_cdb *cdb)
{
    const struct scsi_op *op = command->op;
    const struct export *export = command->unit->export;
    uint64_t blocks = scsi_unit_blocks(command->unit);
    if (export->gone) {
        (void)scsi_fail(command, SCSI_KEY_NOT_READY, SCSI_ASC_NOT_READY);
        return false;
    }
    if (scsi_guard_forbids(command)) {
        (void)scsi_conflict(command);
        return false;
    }
    if (op->flags & SCSI_OP_WRITES && (export->read_only || command->unit->write_protected)) {
        (void)scsi_fail(command, SCSI_KEY_DATA_PROTECT,
                        export->read_only ? SCSI_ASC_WRITE_PROTECTED
                                          : SCSI_ASC_SOFTWARE_WRITE_PROTECTED);
        return false;
    }
    if (op->flags & SCSI_OP_RANGE && (cdb->lba > blocks || cdb->length > blocks - cdb->lba)) {
        (void)scsi_fail_range(command, cdb->lba);
        return false;
    }
    if (scsi_cdb_too_long(op, command->cdb, export->block_bytes)) {
        (void)scsi_fail_cdb(command, op->length.offset, 7);
        return false;
    }
    return true;
}

static enum scsi_next begin(struct scsi_command *command, struct buf_pool *pool)
{
    const struct scsi_op *op = command->op;
    bool always = op && op->flags & SCSI_OP_ALWAYS;
    if (must_wait(command))
        return SCSI_WAIT;
    if (!command->unit && !always)
        return scsi_fail(command, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_LUN_NOT_SUPPORTED);
    uint16_t attention = always ? 0 : scsi_nexus_take(command->nexus);
    if (attention)
        return scsi_fail(command, SCSI_KEY_UNIT_ATTENTION, attention);
    if (!op)
        return unsupported(command);

    uint16_t byte;
    uint8_t bit;
    if (!scsi_cdb_check(op, command->cdb, &byte, &bit))
        return scsi_fail_cdb(command, byte, bit);
    struct scsi_cdb cdb = scsi_cdb_decode(op, command->cdb);
    if (!always && !unit_allows(command, &cdb))
        return SCSI_DONE;
    return op->begin(command, &cdb, pool);
}

enum scsi_next scsi_command(struct scsi_command *command, struct buf_pool *pool)
{
    command->op = scsi_op_of(command->cdb);
    command->status = SCSI_GOOD;
    command->sense_bytes = 0;
    command->data_in = (struct slice){0};
    command->block.data = (struct slice){0};
    command->scratch = (struct slice){0};
    command->copy = NULL;
    command->progress = 0;
    command->expected_bytes = scsi_transfer_of(command->unit, command->cdb).data_out_bytes;
    return answer(command, begin(command, pool));
}

void scsi_submitting(struct scsi_command *command, struct buf_pool *pool)
{
    if (command->block.op == BLOCK_SET_ROW)
        scsi_row_fill(command, pool);
}

enum scsi_next scsi_finish(struct scsi_command *command, struct buf_pool *pool)
{
    const struct scsi_op *op = command->op;
    ASSERT(op && command->unit);
    bool untold = command->block.op == BLOCK_STATUS && command->block.status == -EOPNOTSUPP;
    if (command->block.status != 0 && !untold) {
        struct scsi_sense sense = scsi_sense_of(&command->block);
        scsi_copy_sense(command, &sense);
        return answer(command, scsi_fail_sense(command, &sense));
    }
    if (!op->finish)
        return answer(command, scsi_good(command));
    struct scsi_cdb cdb = scsi_cdb_decode(op, command->cdb);
    return answer(command, op->finish(command, &cdb, pool));
}

void scsi_abort(struct scsi_command *command, uint16_t asc)
{
    (void)scsi_fail(command, SCSI_KEY_ABORTED_COMMAND, asc);
}

void scsi_drop(struct scsi_command *command)
{
    block_data_release(command);
    slice_release(&command->scratch);
    scsi_copy_drop(command);
}
