/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of the SCSI room: a direct-access block device (SPC-4, SBC-3, SAM-5) over an export. A
 * command comes in whole (CDB and all its data-out); it is answered at once, or it becomes one
 * block request and is answered when that is done. LBAs exist in this room alone. Pure.
 */
#ifndef STRAKE_FRONT_SCSI_H
#define STRAKE_FRONT_SCSI_H

#include "common/base/block.h"
#include "target/front/export/export.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SCSI_CDB_BYTES = 16,
    SCSI_SENSE_BYTES_MAX = 64,
    SCSI_TRANSFER_BYTES_MAX = 4u << 20, /* MAXIMUM TRANSFER LENGTH of the block limits page */
    SCSI_RESPONSE_BYTES_MAX = 4096,     /* data-in of a command that needs no disk */
    SCSI_NEXUS_MAX = 64,                /* I_T nexuses a logical unit remembers at once */
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
    SCSI_UA_BUS_RESET = 0x2902,
    SCSI_UA_LUN_RESET = 0x2903,
    SCSI_UA_MODE_CHANGED = 0x2a01,
    SCSI_UA_CAPACITY_CHANGED = 0x2a09,
    SCSI_UA_COMMANDS_CLEARED = 0x2f00,
};

/* One initiator port's view of a logical unit: what it must be told before its next command. */
struct scsi_nexus {
    bool used;
    uint32_t id; /* given by the iSCSI room, unique among living sessions */
    uint8_t attention_count;
    uint16_t attention[4]; /* oldest first, enum scsi_attention */
};

/* What SCSI remembers of a logical unit; embedded in whatever the front keeps for an export. */
struct scsi_unit {
    struct export *export;     /* of the front */
    bool write_cache_reported; /* WCE as reported in the caching mode page */
    uint32_t generation;       /* REPORT LUNS / persistent-reservation style counters start here */
    struct scsi_nexus nexus[SCSI_NEXUS_MAX];
};

enum scsi_next {
    SCSI_DONE,  /* answered: status, sense, response are set */
    SCSI_BLOCK, /* `block` is to be submitted; call scsi_finish when it is done */
};

/* A command, embedded by the iSCSI room in its task. */
struct scsi_command {
    /* In, filled by the caller. */
    struct scsi_unit *unit; /* NULL: the LUN does not exist */
    uint32_t nexus_id;
    uint8_t cdb[SCSI_CDB_BYTES];
    struct slice data_out; /* everything the initiator sent; the caller's reference */

    /* The disk's part; `data` of a WRITE is lent from data_out, of a READ it is the caller's to
     * release. */
    struct block_req block;

    /* Out. */
    enum scsi_status status;
    uint8_t sense[SCSI_SENSE_BYTES_MAX]; /* without the 2-byte length that iSCSI puts in front */
    uint32_t sense_bytes;
    struct slice data_in;    /* what goes to the initiator; one reference for the caller */
    uint64_t expected_bytes; /* what the CDB says is transferred, for the residual */
};

/* What a CDB will transfer, before the data has arrived. */
struct scsi_transfer {
    bool known; /* false: not a command we know; let it run into scsi_command() for the sense */
    uint64_t data_out_bytes;
    uint64_t data_in_bytes;
};

void scsi_unit_init(struct scsi_unit *unit, struct export *export);
/* A nexus comes (its first command meets POWER ON) and goes. False when the table is full. */
MUST_USE bool scsi_nexus_attach(struct scsi_unit *unit, uint32_t nexus_id);
void scsi_nexus_detach(struct scsi_unit *unit, uint32_t nexus_id);
/* Every nexus but `except_id` (0: none) is to be told. */
void scsi_unit_attention(struct scsi_unit *unit, uint32_t except_id, enum scsi_attention what);

/* How many bytes the CDB asks to move, given the unit's block size. */
struct scsi_transfer scsi_transfer_of(const struct scsi_unit *unit,
                                      const uint8_t cdb[SCSI_CDB_BYTES]);
/* Begins a command. Small answers are built in a buffer of `pool`. */
enum scsi_next scsi_command(struct scsi_command *command, struct buf_pool *pool);
/* The block request is done: sets status, sense and data_in from block.status. */
void scsi_finish(struct scsi_command *command, struct buf_pool *pool);

#endif
