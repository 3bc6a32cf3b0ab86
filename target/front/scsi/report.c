/* SPDX-License-Identifier: Apache-2.0 */
/*
 * REPORT LUNS, REPORT SUPPORTED OPERATION CODES, REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS and
 * REPORT TARGET PORT GROUPS (SPC-4 6.33, 6.35 to 6.37).
 */
#include "target/front/scsi/report.h"

#include "target/front/scsi/reply.h"
#include "target/front/scsi/sense.h"

enum select_report { LUNS_ADDRESSED = 0, LUNS_WELL_KNOWN = 1, LUNS_ALL = 2 };
enum { LUN_BYTES = 8 };

/* A target has one logical unit, LUN 0. */
enum scsi_next scsi_report_luns_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                      struct buf_pool *pool)
{
    uint8_t select = command->cdb[2];
    if (select > LUNS_ALL)
        return scsi_fail_cdb(command, 2, 7);
    uint32_t length = select == LUNS_WELL_KNOWN ? 0 : LUN_BYTES;
    struct writer w = scsi_reply_begin(command, pool);
    write_u32(&w, length);
    write_u32(&w, 0);
    write_zeros(&w, length);
    return scsi_reply_end(command, &w, cdb->length);
}

/*
 * All portals are one target port, number 1 in group 1, as VPD page 83h tells them, and it keeps
 * its identity where another process takes the volume over: only one serves it. What reaches that
 * one reaches the unit in the best way there is, so the state never changes. A process that cannot
 * serve lacks the unit, not a way to it: TEST UNIT READY tells that (unit.c).
 */
enum scsi_next scsi_report_groups_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                        struct buf_pool *pool)
{
    enum { EXTENDED = 0x20, EXTENDED_FORMAT = 0x10 };
    enum { OPTIMIZED = 0x00, OPTIMIZED_SUPPORTED = 0x01, GROUP = 1, PORT = 1, GROUP_BYTES = 12 };
    bool extended = command->cdb[1] & EXTENDED;
    struct writer w = scsi_reply_begin(command, pool);
    write_u32(&w, extended ? 4 + GROUP_BYTES : GROUP_BYTES);
    if (extended) {
        write_u8(&w, EXTENDED_FORMAT);
        write_zeros(&w, 3);
    }
    write_u8(&w, OPTIMIZED);
    write_u8(&w, OPTIMIZED_SUPPORTED);
    write_u16(&w, GROUP);
    write_zeros(&w, 3);
    write_u8(&w, 1); /* ports */
    write_u16(&w, 0);
    write_u16(&w, PORT);
    return scsi_reply_end(command, &w, cdb->length);
}

enum {
    RCTD = 0x80, /* CDB byte 2: return command timeouts descriptors */
    SERVACTV = 0x01,
    CTDP = 0x02,     /* in the list of all: a timeouts descriptor follows */
    ONE_CTDP = 0x80, /* the same in the answer about one */
    SUPPORT_NONE = 1,
    SUPPORT_STANDARD = 3,
    TIMEOUTS_BYTES = 12,
};

enum reporting { REPORT_ALL = 0, REPORT_OPCODE = 1, REPORT_ACTION = 2, REPORT_EITHER = 3 };

/* No timeout is recommended: how long a command takes is the disks' and the network's affair. */
static void timeouts_write(struct writer *w)
{
    write_u16(w, TIMEOUTS_BYTES - 2);
    write_zeros(w, TIMEOUTS_BYTES - 2);
}

static void opcodes_all_write(bool timeouts, struct writer *w)
{
    write_u32(w, scsi_op_count * (timeouts ? 8u + TIMEOUTS_BYTES : 8u));
    for (uint32_t i = 0; i < scsi_op_count; i++) {
        const struct scsi_op *op = &scsi_ops[i];
        bool action = op->action != SCSI_ACTION_NONE;
        write_u8(w, op->opcode);
        write_u8(w, 0);
        write_u16(w, action ? op->action : 0);
        write_u8(w, 0);
        write_u8(w, (uint8_t)((action ? SERVACTV : 0) | (timeouts ? CTDP : 0)));
        write_u16(w, op->cdb_bytes);
        if (timeouts)
            timeouts_write(w);
    }
}

static void opcode_write(const struct scsi_op *op, bool timeouts, struct writer *w)
{
    write_u8(w, 0);
    if (!op) {
        write_u8(w, SUPPORT_NONE);
        write_u16(w, 0);
        return;
    }
    write_u8(w, timeouts ? ONE_CTDP | SUPPORT_STANDARD : SUPPORT_STANDARD);
    write_u16(w, op->cdb_bytes);
    write_bytes(w, op->usage, op->cdb_bytes);
    if (timeouts)
        timeouts_write(w);
}

enum scsi_next scsi_report_opcodes_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                         struct buf_pool *pool)
{
    bool timeouts = command->cdb[2] & RCTD;
    uint8_t reporting = command->cdb[2] & 7;
    uint8_t opcode = command->cdb[3];
    uint16_t action = (uint16_t)(command->cdb[4] << 8 | command->cdb[5]);
    bool known = scsi_op_find(opcode, SCSI_ACTION_NONE) || scsi_opcode_has_actions(opcode);
    bool actions = scsi_opcode_has_actions(opcode);
    /* SPC-4 table 269: each option fits either kind of operation code, or it is an error. */
    if (reporting > REPORT_EITHER || (reporting == REPORT_OPCODE && actions) ||
        (reporting == REPORT_ACTION && known && !actions))
        return scsi_fail_cdb(command, 2, 2);

    const struct scsi_op *op = NULL;
    if (actions && action < SCSI_ACTION_NONE)
        op = scsi_op_find(opcode, (uint8_t)action);
    else if (!actions && (reporting != REPORT_EITHER || action == 0))
        op = scsi_op_find(opcode, SCSI_ACTION_NONE);
    struct writer w = scsi_reply_begin(command, pool);
    if (reporting == REPORT_ALL)
        opcodes_all_write(timeouts, &w);
    else
        opcode_write(op, timeouts, &w);
    return scsi_reply_end(command, &w, cdb->length);
}

enum scsi_next scsi_report_functions_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                           struct buf_pool *pool)
{
    enum { REPD = 0x80, ALLOCATION_MIN = 4, EXTENDED_BYTES = 16 };
    enum { ATS = 0x80, ATSS = 0x40, CTSS = 0x10, LURS = 0x08, TRS = 0x02 };
    bool extended = command->cdb[2] & REPD;
    if (cdb->length < ALLOCATION_MIN)
        return scsi_fail_cdb(command, command->op->length.offset, 7);
    struct writer w = scsi_reply_begin(command, pool);
    write_u8(&w, ATS | ATSS | CTSS | LURS | TRS);
    write_zeros(&w, 2);
    write_u8(&w, extended ? EXTENDED_BYTES - 4 : 0);
    write_zeros(&w, extended ? EXTENDED_BYTES - 4 : 0);
    return scsi_reply_end(command, &w, cdb->length);
}
