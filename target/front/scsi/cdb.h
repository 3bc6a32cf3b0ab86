/* SPDX-License-Identifier: Apache-2.0 */
/* Commands as a table knows them: how a CDB is laid out, what it moves, and who carries it out. */
#ifndef STRAKE_SCSI_CDB_H
#define STRAKE_SCSI_CDB_H

#include "target/front/scsi/scsi.h"

enum { SCSI_ACTION_NONE = 0xff };

/* What a command transfers, in terms of its length field. */
enum scsi_moves {
    SCSI_MOVES_NOTHING,
    SCSI_MOVES_IN_BYTES,   /* the field is an ALLOCATION LENGTH */
    SCSI_MOVES_IN_BLOCKS,  /* so many blocks from the medium */
    SCSI_MOVES_OUT_BYTES,  /* the field is a PARAMETER LIST LENGTH */
    SCSI_MOVES_OUT_BLOCKS, /* so many blocks to the medium */
    SCSI_MOVES_OUT_TWICE,  /* COMPARE AND WRITE: what must be there, then what to write */
    SCSI_MOVES_OUT_SAME,   /* WRITE SAME: one block, or none with NDOB */
    SCSI_MOVES_OUT_VERIFY, /* VERIFY: nothing, as many blocks, or one, by BYTCHK */
};

enum scsi_op_flag {
    SCSI_OP_ALWAYS = 1u << 0, /* also without a logical unit, past unit attentions (SAM-5 5.14) */
    SCSI_OP_RANGE = 1u << 1,  /* LBA and length are blocks of the medium */
    SCSI_OP_WRITES = 1u << 2, /* refused where the export is read-only */
    /* What reservations of others do not forbid (guard.h); without any of these they do. */
    SCSI_OP_FREE = 1u << 3,  /* passes them all */
    SCSI_OP_LOOKS = 1u << 4, /* passes persistent ones */
    SCSI_OP_READS = 1u << 5, /* passes the write exclusive ones of these */
    SCSI_OP_KEYS = 1u << 6,  /* PERSISTENT RESERVE: passes these, and no other one */
};

/* A big-endian number in the CDB; no bytes: there is none. */
struct scsi_field {
    uint8_t offset;
    uint8_t bytes;
};

/* A decoded CDB. */
struct scsi_cdb {
    uint64_t lba;
    uint64_t length; /* blocks or bytes, see scsi_moves */
};

typedef enum scsi_next scsi_step(struct scsi_command *command, const struct scsi_cdb *cdb,
                                 struct buf_pool *pool);

/*
 * One command. `usage` is the CDB USAGE DATA of REPORT SUPPORTED OPERATION CODES (SPC-4 6.35) and
 * also the rule: a CDB with any other bit set is refused.
 */
struct scsi_op {
    uint8_t opcode;
    uint8_t action; /* service action, or SCSI_ACTION_NONE */
    uint8_t cdb_bytes;
    uint8_t flags; /* enum scsi_op_flag */
    enum scsi_moves moves;
    struct scsi_field lba;
    struct scsi_field length;
    scsi_step *begin;
    scsi_step *finish; /* after each block request that went well; NULL: GOOD */
    uint8_t usage[SCSI_CDB_BYTES];
};

extern const struct scsi_op scsi_ops[];
extern const uint32_t scsi_op_count;

/* NULL when there is none. */
const struct scsi_op *scsi_op_find(uint8_t opcode, uint8_t action);
/* Of the CDB's operation code and, where that has them, service action. NULL: not supported. */
const struct scsi_op *scsi_op_of(const uint8_t cdb[SCSI_CDB_BYTES]);
/* True when some service action of the operation code is supported. */
bool scsi_opcode_has_actions(uint8_t opcode);

struct scsi_cdb scsi_cdb_decode(const struct scsi_op *op, const uint8_t cdb[SCSI_CDB_BYTES]);
/* True when only bits are set that mean something to us; else where the first bad one is. */
MUST_USE bool scsi_cdb_check(const struct scsi_op *op, const uint8_t cdb[SCSI_CDB_BYTES],
                             uint16_t *byte, uint8_t *bit);
/* True when the command would move more than SCSI_TRANSFER_BYTES_MAX between medium and memory. */
bool scsi_cdb_too_long(const struct scsi_op *op, const uint8_t cdb[SCSI_CDB_BYTES],
                       uint32_t block_bytes);

/* How much data-out the initiator meant to send. */
static inline uint64_t scsi_data_out_offered(const struct scsi_command *command)
{
    uint32_t sent = command->data_out.length_bytes;
    return command->offered_bytes > sent ? command->offered_bytes : sent;
}

/* BYTCHK of the verifying commands (SBC-3 5.34). */
enum scsi_bytchk { SCSI_BYTCHK_NONE = 0, SCSI_BYTCHK_ALL = 1, SCSI_BYTCHK_SAME = 3 };
static inline uint8_t scsi_cdb_bytchk(const uint8_t cdb[SCSI_CDB_BYTES])
{
    return cdb[1] >> 1 & 3;
}

/* Byte 1. */
enum {
    SCSI_CDB_FUA = 0x08,        /* READ, WRITE, COMPARE AND WRITE */
    SCSI_CDB_SAME_UNMAP = 0x08, /* WRITE SAME */
    SCSI_CDB_SAME_NDOB = 0x01,  /* WRITE SAME (16) */
};

#endif
