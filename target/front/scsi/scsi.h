/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of the SCSI room: a direct-access block device (SPC-4, SBC-3, SAM-5) over an export. A
 * command comes in whole (CDB and all its data-out); it is answered at once, or it becomes block
 * requests, one after the other, and is answered when the last is done. LBAs exist in this room
 * alone. Pure.
 */
#ifndef STRAKE_FRONT_SCSI_H
#define STRAKE_FRONT_SCSI_H

#include "common/base/block.h"
#include "common/base/list.h"
#include "target/front/export/export.h"
#include "target/front/scsi/copies.h"
#include "target/front/scsi/reservations.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SCSI_CDB_BYTES = 16,
    SCSI_SENSE_BYTES_MAX = 64,
    SCSI_TRANSFER_BYTES_MAX = 8u << 20, /* MAXIMUM TRANSFER LENGTH of the block limits page */
    SCSI_RESPONSE_BYTES_MAX = 4096,     /* data-in of a command that needs no disk */
};

enum scsi_status {
    SCSI_GOOD = 0x00,
    SCSI_CHECK_CONDITION = 0x02,
    SCSI_BUSY = 0x08,
    SCSI_RESERVATION_CONFLICT = 0x18,
    SCSI_TASK_SET_FULL = 0x28,
    SCSI_TASK_ABORTED = 0x40,
};

/* Additional sense code and qualifier, as one number: ASC << 8 | ASCQ. */
enum scsi_attention {
    SCSI_UA_POWER_ON = 0x2900,
    SCSI_UA_CACHE_LOST = 0x2901, /* power on occurred */
    SCSI_UA_BUS_RESET = 0x2902,
    SCSI_UA_LUN_RESET = 0x2903,
    SCSI_UA_MODE_CHANGED = 0x2a01,
    SCSI_UA_RESERVATIONS_PREEMPTED = 0x2a03,
    SCSI_UA_RESERVATIONS_RELEASED = 0x2a04,
    SCSI_UA_REGISTRATIONS_PREEMPTED = 0x2a05,
    SCSI_UA_CAPACITY_CHANGED = 0x2a09,
    SCSI_UA_COMMANDS_CLEARED = 0x2f00,
    SCSI_UA_SPACE_LOW = 0x3807, /* thin provisioning soft threshold reached */
};

/*
 * One initiator port's view of a logical unit: what it must be told before its next command.
 * Embedded by the iSCSI room in whatever it keeps for a session, and outlives its commands.
 */
struct scsi_nexus {
    const struct scsi_port *port; /* of the iSCSI room: the initiator's; NULL: not attached */
    struct list node;             /* in scsi_unit.nexuses */
    uint8_t attention_count;
    uint16_t attention[4]; /* oldest first, enum scsi_attention */
    struct scsi_copy copies[SCSI_COPIES_MAX];
};

/* What SCSI remembers of a logical unit; embedded in whatever the front keeps for an export. */
struct scsi_unit {
    struct export *export;   /* of the front */
    const char *target_name; /* of the front: the iSCSI name told in VPD 83h; NULL: not told */
    struct list nexuses;     /* struct scsi_nexus: those who are attached */
    /* What MODE SELECT changed, for all nexuses, until the unit is reset. */
    bool descriptor_sense;                /* D_SENSE: sense data in descriptor format */
    bool write_protected;                 /* SWP */
    const struct scsi_nexus *reserved_by; /* who holds it by RESERVE (6) or (10); or NULL */
    struct scsi_reservations reservations;
};

enum scsi_next {
    SCSI_DONE,  /* answered: status, sense, data_in and expected_bytes are set */
    SCSI_BLOCK, /* `block` is to be submitted; call scsi_finish when it is done */
    /*
     * All other commands of the ports for which scsi_port_aborts is true are to be aborted; call
     * scsi_ports_aborted then, and scsi_finish when the last of those commands is over.
     */
    SCSI_ABORT,
    /* Who may do what is not known yet: call scsi_command again when scsi_unit_known. */
    SCSI_WAIT,
};

/* A command, embedded by the iSCSI room in its task. */
struct scsi_command {
    /* In, filled by the caller, unchanged until SCSI_DONE. */
    struct scsi_unit *unit; /* NULL: the LUN does not exist */
    struct scsi_nexus *nexus;
    uint8_t cdb[SCSI_CDB_BYTES]; /* zeros after a shorter CDB */
    /*
     * Everything the initiator sent; the caller's reference. A WRITE that got less than its CDB
     * wants stores what came, to the byte; of ORWRITE, WRITE AND VERIFY and VERIFY the whole
     * blocks that came are processed, and nothing when one came in part; more than wanted is
     * ignored. WRITE SAME and COMPARE AND WRITE refuse any other length than theirs, parameter
     * lists a shorter one.
     */
    struct slice data_out;
    uint64_t offered_bytes; /* data-out it announced, if that is more than it was let send; or 0 */

    /*
     * The disk's part: the caller sets `done`, `owner` and `node`, the room the rest. `data`
     * belongs to the room, which empties it in scsi_finish and scsi_drop.
     */
    struct block_req block;

    /* Out. */
    enum scsi_status status;
    uint8_t sense[SCSI_SENSE_BYTES_MAX]; /* without the 2-byte length that iSCSI puts in front */
    uint32_t sense_bytes;
    struct slice data_in; /* what goes to the initiator; one reference for the caller */
    /*
     * What the command itself transfers, against which the expected data transfer length is held:
     * less than that is residual underflow, more is residual overflow. For data-in it is
     * data_in.length_bytes, so min(ALLOCATION LENGTH, available), and 0 after CHECK CONDITION. For
     * data-out it is data_out_bytes of scsi_transfer_of(), whatever the status.
     */
    uint64_t expected_bytes;

    /* The room's own while the command runs. */
    const struct scsi_op *op;
    struct slice scratch;   /* owned: the repeated block of a WRITE SAME, a row's value, runs */
    struct scsi_copy *copy; /* of the nexus: while the command is an EXTENDED COPY under way */
    uint64_t progress;      /* how far a command of several requests has come, in its own terms */
};

/* What a CDB will transfer, before the data has arrived. */
struct scsi_transfer {
    bool known; /* false: not a command we know; let it run into scsi_command() for the sense */
    uint64_t data_out_bytes; /* at most SCSI_TRANSFER_BYTES_MAX: who asks for more is refused */
    uint64_t data_in_bytes;  /* at most: blocks to be read, or the ALLOCATION LENGTH */
};

void scsi_unit_init(struct scsi_unit *unit, struct export *export);
/*
 * A nexus comes (its first command meets POWER ON) and goes; gone already is allowed. `port` is
 * lent until then.
 */
void scsi_nexus_attach(struct scsi_unit *unit, struct scsi_nexus *nexus,
                       const struct scsi_port *port);
void scsi_nexus_detach(struct scsi_unit *unit, struct scsi_nexus *nexus);
/*
 * `to` becomes what `from` is, which is detached: the same nexus, kept elsewhere. Of the copies it
 * asked for only those that are over are remembered.
 */
void scsi_nexus_move(struct scsi_unit *unit, struct scsi_nexus *from, struct scsi_nexus *to,
                     const struct scsi_port *port);
/* Every nexus but `except` (NULL: none) is to be told. */
void scsi_unit_attention(struct scsi_unit *unit, const struct scsi_nexus *except,
                         enum scsi_attention what);

/* The port, where it is attached, is to be told. */
void scsi_port_attention(struct scsi_unit *unit, const struct scsi_port *port,
                         enum scsi_attention what);

/*
 * The unit is reset: mode parameters are back at their defaults, and all are told, also who asked
 * (SAM-5 6.3).
 */
void scsi_unit_reset(struct scsi_unit *unit, enum scsi_attention what);

/*
 * Reservations that outlive the target are a row of the volume's book. Between _await and _load,
 * which gives what the row has (nothing: no row), commands that a reservation might forbid wait.
 * False: the row is not understood, and nothing is reserved.
 */
#define SCSI_RESERVATIONS_ROW "reservations"
void scsi_reservations_await(struct scsi_unit *unit);
MUST_USE bool scsi_reservations_load(struct scsi_unit *unit, const uint8_t *bytes, size_t length);
static inline bool scsi_unit_known(const struct scsi_unit *unit)
{
    return !unit->reservations.unknown;
}
/* See SCSI_ABORT. */
bool scsi_port_aborts(const struct scsi_unit *unit, const struct scsi_port *port);
void scsi_ports_aborted(struct scsi_unit *unit);

/* How many bytes the CDB asks to move, given the unit's block size. */
struct scsi_transfer scsi_transfer_of(const struct scsi_unit *unit,
                                      const uint8_t cdb[SCSI_CDB_BYTES]);
/* Begins a command. Small answers are built in a buffer of `pool`. */
MUST_USE enum scsi_next scsi_command(struct scsi_command *command, struct buf_pool *pool);
/* The block request is about to be submitted: what must be as new as can be is filled in. */
void scsi_submitting(struct scsi_command *command, struct buf_pool *pool);
/*
 * The block request is done. SCSI_BLOCK: `block` is the next one, submit it as well. SCSI_DONE:
 * status, sense and data_in are set from block.status.
 */
MUST_USE enum scsi_next scsi_finish(struct scsi_command *command, struct buf_pool *pool);
/* Ends a command that was not begun with ABORTED COMMAND: its data did not come as it must. */
void scsi_abort(struct scsi_command *command, uint16_t asc);
/* The block request is done, but nobody waits for the answer: instead of scsi_finish. */
void scsi_drop(struct scsi_command *command);

#endif
