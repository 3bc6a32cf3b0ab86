/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of commands: the one list from which CDBs are decoded, checked, carried out and
 * reported. One command, one row, ascending by operation code and service action. */
#include "target/front/scsi/cdb.h"
#include "target/front/scsi/copy.h"
#include "target/front/scsi/inquiry.h"
#include "target/front/scsi/medium.h"
#include "target/front/scsi/mode.h"
#include "target/front/scsi/persist.h"
#include "target/front/scsi/provision.h"
#include "target/front/scsi/report.h"
#include "target/front/scsi/unit.h"

#define NO_ACTION SCSI_ACTION_NONE
#define ALWAYS    SCSI_OP_ALWAYS
#define RANGE     SCSI_OP_RANGE
#define WRITES    SCSI_OP_WRITES
#define FREE      SCSI_OP_FREE
#define LOOKS     SCSI_OP_LOOKS
#define READS     SCSI_OP_READS
#define KEYS      SCSI_OP_KEYS
#define NOTHING   SCSI_MOVES_NOTHING
#define IN_BYTES  SCSI_MOVES_IN_BYTES
#define IN        SCSI_MOVES_IN_BLOCKS
#define OUT_BYTES SCSI_MOVES_OUT_BYTES
#define OUT       SCSI_MOVES_OUT_BLOCKS
#define OUT_TWICE SCSI_MOVES_OUT_TWICE
#define OUT_SAME  SCSI_MOVES_OUT_SAME
#define VERIFY    SCSI_MOVES_OUT_VERIFY
#define U16       0xff, 0xff
#define U32       U16, U16
#define U64       U32, U32

/* GROUP NUMBER is taken and ignored (SBC-3 4.23). */
enum { GROUP = 0x1f, DPO = 0x10, DPO_FUA = 0x18 };

/* clang-format off */
#define NO_FIELD  {0, 0}

const struct scsi_op scsi_ops[] = {
    /* TEST UNIT READY */
    {0x00, NO_ACTION, 6, LOOKS, NOTHING, NO_FIELD, NO_FIELD,
     scsi_unit_ready_begin, NULL, {0x00, 0, 0, 0, 0, 0}},
    /* REQUEST SENSE */
    {0x03, NO_ACTION, 6, ALWAYS, IN_BYTES, NO_FIELD, {4, 1},
     scsi_request_sense_begin, NULL, {0x03, 0x01, 0, 0, 0xff, 0}},
    /* READ (6) */
    {0x08, NO_ACTION, 6, RANGE | READS, IN, {1, 3}, {4, 1},
     scsi_read_begin, scsi_read_finish, {0x08, 0x1f, U16, 0xff, 0}},
    /* WRITE (6) */
    {0x0a, NO_ACTION, 6, RANGE | WRITES, OUT, {1, 3}, {4, 1},
     scsi_write_begin, NULL, {0x0a, 0x1f, U16, 0xff, 0}},
    /* INQUIRY */
    {0x12, NO_ACTION, 6, ALWAYS, IN_BYTES, NO_FIELD, {3, 2},
     scsi_inquiry_begin, NULL, {0x12, 0x01, 0xff, U16, 0}},
    /* MODE SELECT (6) */
    {0x15, NO_ACTION, 6, 0, OUT_BYTES, NO_FIELD, {4, 1},
     scsi_mode_select_begin, NULL, {0x15, 0x10, 0, 0, 0xff, 0}},
    /* RESERVE (6) */
    {0x16, NO_ACTION, 6, 0, NOTHING, NO_FIELD, NO_FIELD,
     scsi_reserve_begin, NULL, {0x16, 0, 0, 0, 0, 0}},
    /* RELEASE (6) */
    {0x17, NO_ACTION, 6, FREE, NOTHING, NO_FIELD, NO_FIELD,
     scsi_release_begin, NULL, {0x17, 0, 0, 0, 0, 0}},
    /* MODE SENSE (6) */
    {0x1a, NO_ACTION, 6, READS, IN_BYTES, NO_FIELD, {4, 1},
     scsi_mode_sense_begin, NULL, {0x1a, 0x08, 0xff, 0xff, 0xff, 0}},
    /* START STOP UNIT: neither load and eject nor power conditions */
    {0x1b, NO_ACTION, 6, 0, NOTHING, NO_FIELD, NO_FIELD,
     scsi_unit_start_stop_begin, NULL, {0x1b, 0x01, 0, 0, 0x05, 0}},
    /* PREVENT ALLOW MEDIUM REMOVAL */
    {0x1e, NO_ACTION, 6, 0, NOTHING, NO_FIELD, NO_FIELD,
     scsi_unit_prevent_begin, NULL, {0x1e, 0, 0, 0, 0x03, 0}},
    /* READ CAPACITY (10) */
    {0x25, NO_ACTION, 10, FREE, NOTHING, NO_FIELD, NO_FIELD,
     scsi_read_capacity10_begin, NULL, {0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    /* READ (10) */
    {0x28, NO_ACTION, 10, RANGE | READS, IN, {2, 4}, {7, 2},
     scsi_read_begin, scsi_read_finish, {0x28, DPO_FUA, U32, GROUP, U16, 0}},
    /* WRITE (10) */
    {0x2a, NO_ACTION, 10, RANGE | WRITES, OUT, {2, 4}, {7, 2},
     scsi_write_begin, NULL, {0x2a, DPO_FUA, U32, GROUP, U16, 0}},
    /* WRITE AND VERIFY (10) */
    {0x2e, NO_ACTION, 10, RANGE | WRITES, OUT, {2, 4}, {7, 2},
     scsi_write_verify_begin, scsi_write_verify_finish, {0x2e, DPO | 0x02, U32, GROUP, U16, 0}},
    /* VERIFY (10) */
    {0x2f, NO_ACTION, 10, RANGE | READS, VERIFY, {2, 4}, {7, 2},
     scsi_verify_begin, scsi_verify_finish, {0x2f, DPO | 0x06, U32, GROUP, U16, 0}},
    /* PRE-FETCH (10) */
    {0x34, NO_ACTION, 10, RANGE | READS, NOTHING, {2, 4}, {7, 2},
     scsi_prefetch_begin, NULL, {0x34, 0x02, U32, GROUP, U16, 0}},
    /* SYNCHRONIZE CACHE (10) */
    {0x35, NO_ACTION, 10, RANGE, NOTHING, {2, 4}, {7, 2},
     scsi_sync_begin, NULL, {0x35, 0x06, U32, GROUP, U16, 0}},
    /* READ DEFECT DATA (10) */
    {0x37, NO_ACTION, 10, READS, IN_BYTES, NO_FIELD, {7, 2},
     scsi_defects_begin, NULL, {0x37, 0, 0x1f, 0, 0, 0, 0, U16, 0}},
    /* WRITE SAME (10) */
    {0x41, NO_ACTION, 10, RANGE | WRITES, OUT_SAME, {2, 4}, {7, 2},
     scsi_write_same_begin, scsi_write_same_finish, {0x41, 0x08, U32, GROUP, U16, 0}},
    /* UNMAP */
    {0x42, NO_ACTION, 10, WRITES, OUT_BYTES, NO_FIELD, {7, 2},
     scsi_unmap_begin, scsi_unmap_finish, {0x42, 0, 0, 0, 0, 0, GROUP, U16, 0}},
    /* MODE SELECT (10) */
    {0x55, NO_ACTION, 10, 0, OUT_BYTES, NO_FIELD, {7, 2},
     scsi_mode_select_begin, NULL, {0x55, 0x10, 0, 0, 0, 0, 0, U16, 0}},
    /* RESERVE (10) */
    {0x56, NO_ACTION, 10, 0, NOTHING, NO_FIELD, NO_FIELD,
     scsi_reserve_begin, NULL, {0x56, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    /* RELEASE (10) */
    {0x57, NO_ACTION, 10, FREE, NOTHING, NO_FIELD, NO_FIELD,
     scsi_release_begin, NULL, {0x57, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
    /* MODE SENSE (10) */
    {0x5a, NO_ACTION, 10, READS, IN_BYTES, NO_FIELD, {7, 2},
     scsi_mode_sense_begin, NULL, {0x5a, 0x18, 0xff, 0xff, 0, 0, 0, U16, 0}},
    /* PERSISTENT RESERVE IN: READ KEYS */
    {0x5e, 0x00, 10, KEYS, IN_BYTES, NO_FIELD, {7, 2},
     scsi_prin_keys_begin, NULL, {0x5e, 0x00, 0, 0, 0, 0, 0, U16, 0}},
    /* PERSISTENT RESERVE IN: READ RESERVATION */
    {0x5e, 0x01, 10, KEYS, IN_BYTES, NO_FIELD, {7, 2},
     scsi_prin_reservation_begin, NULL, {0x5e, 0x01, 0, 0, 0, 0, 0, U16, 0}},
    /* PERSISTENT RESERVE IN: REPORT CAPABILITIES */
    {0x5e, 0x02, 10, KEYS, IN_BYTES, NO_FIELD, {7, 2},
     scsi_prin_capabilities_begin, NULL, {0x5e, 0x02, 0, 0, 0, 0, 0, U16, 0}},
    /* PERSISTENT RESERVE IN: READ FULL STATUS */
    {0x5e, 0x03, 10, KEYS, IN_BYTES, NO_FIELD, {7, 2},
     scsi_prin_full_status_begin, NULL, {0x5e, 0x03, 0, 0, 0, 0, 0, U16, 0}},
    /* PERSISTENT RESERVE OUT: REGISTER */
    {0x5f, 0x00, 10, KEYS, OUT_BYTES, NO_FIELD, {5, 4},
     scsi_prout_begin, scsi_prout_finish, {0x5f, 0x00, 0xff, 0, 0, U32, 0}},
    /* PERSISTENT RESERVE OUT: RESERVE */
    {0x5f, 0x01, 10, KEYS, OUT_BYTES, NO_FIELD, {5, 4},
     scsi_prout_begin, scsi_prout_finish, {0x5f, 0x01, 0xff, 0, 0, U32, 0}},
    /* PERSISTENT RESERVE OUT: RELEASE */
    {0x5f, 0x02, 10, KEYS, OUT_BYTES, NO_FIELD, {5, 4},
     scsi_prout_begin, scsi_prout_finish, {0x5f, 0x02, 0xff, 0, 0, U32, 0}},
    /* PERSISTENT RESERVE OUT: CLEAR */
    {0x5f, 0x03, 10, KEYS, OUT_BYTES, NO_FIELD, {5, 4},
     scsi_prout_begin, scsi_prout_finish, {0x5f, 0x03, 0xff, 0, 0, U32, 0}},
    /* PERSISTENT RESERVE OUT: PREEMPT */
    {0x5f, 0x04, 10, KEYS, OUT_BYTES, NO_FIELD, {5, 4},
     scsi_prout_begin, scsi_prout_finish, {0x5f, 0x04, 0xff, 0, 0, U32, 0}},
    /* PERSISTENT RESERVE OUT: PREEMPT AND ABORT */
    {0x5f, 0x05, 10, KEYS, OUT_BYTES, NO_FIELD, {5, 4},
     scsi_prout_begin, scsi_prout_finish, {0x5f, 0x05, 0xff, 0, 0, U32, 0}},
    /* PERSISTENT RESERVE OUT: REGISTER AND IGNORE EXISTING KEY */
    {0x5f, 0x06, 10, KEYS, OUT_BYTES, NO_FIELD, {5, 4},
     scsi_prout_begin, scsi_prout_finish, {0x5f, 0x06, 0xff, 0, 0, U32, 0}},
    /* PERSISTENT RESERVE OUT: REGISTER AND MOVE */
    {0x5f, 0x07, 10, KEYS, OUT_BYTES, NO_FIELD, {5, 4},
     scsi_prout_begin, scsi_prout_finish, {0x5f, 0x07, 0xff, 0, 0, U32, 0}},
    /* EXTENDED COPY (LID1) */
    {0x83, 0x00, 16, WRITES, OUT_BYTES, NO_FIELD, {10, 4},
     scsi_copy_begin, scsi_copy_finish, {0x83, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, U32, 0, 0}},
    /* RECEIVE COPY RESULTS: COPY STATUS */
    {0x84, 0x00, 16, LOOKS, IN_BYTES, NO_FIELD, {10, 4},
     scsi_copy_status_begin, NULL, {0x84, 0x00, 0xff, 0, 0, 0, 0, 0, 0, 0, U32, 0, 0}},
    /* RECEIVE COPY RESULTS: OPERATING PARAMETERS */
    {0x84, 0x03, 16, LOOKS, IN_BYTES, NO_FIELD, {10, 4},
     scsi_copy_parameters_begin, NULL, {0x84, 0x03, 0, 0, 0, 0, 0, 0, 0, 0, U32, 0, 0}},
    /* READ (16) */
    {0x88, NO_ACTION, 16, RANGE | READS, IN, {2, 8}, {10, 4},
     scsi_read_begin, scsi_read_finish, {0x88, DPO_FUA, U64, U32, GROUP, 0}},
    /* COMPARE AND WRITE */
    {0x89, NO_ACTION, 16, RANGE | WRITES, OUT_TWICE, {2, 8}, {13, 1},
     scsi_compare_write_begin, NULL, {0x89, DPO_FUA, U64, 0, 0, 0, 0xff, GROUP, 0}},
    /* WRITE (16) */
    {0x8a, NO_ACTION, 16, RANGE | WRITES, OUT, {2, 8}, {10, 4},
     scsi_write_begin, NULL, {0x8a, DPO_FUA, U64, U32, GROUP, 0}},
    /* ORWRITE (16) */
    {0x8b, NO_ACTION, 16, RANGE | WRITES, OUT, {2, 8}, {10, 4},
     scsi_orwrite_begin, NULL, {0x8b, DPO_FUA, U64, U32, GROUP, 0}},
    /* WRITE AND VERIFY (16) */
    {0x8e, NO_ACTION, 16, RANGE | WRITES, OUT, {2, 8}, {10, 4},
     scsi_write_verify_begin, scsi_write_verify_finish, {0x8e, DPO | 0x02, U64, U32, GROUP, 0}},
    /* VERIFY (16) */
    {0x8f, NO_ACTION, 16, RANGE | READS, VERIFY, {2, 8}, {10, 4},
     scsi_verify_begin, scsi_verify_finish, {0x8f, DPO | 0x06, U64, U32, GROUP, 0}},
    /* PRE-FETCH (16) */
    {0x90, NO_ACTION, 16, RANGE | READS, NOTHING, {2, 8}, {10, 4},
     scsi_prefetch_begin, NULL, {0x90, 0x02, U64, U32, GROUP, 0}},
    /* SYNCHRONIZE CACHE (16) */
    {0x91, NO_ACTION, 16, RANGE, NOTHING, {2, 8}, {10, 4},
     scsi_sync_begin, NULL, {0x91, 0x06, U64, U32, GROUP, 0}},
    /* WRITE SAME (16) */
    {0x93, NO_ACTION, 16, RANGE | WRITES, OUT_SAME, {2, 8}, {10, 4},
     scsi_write_same_begin, scsi_write_same_finish, {0x93, 0x09, U64, U32, GROUP, 0}},
    /* READ CAPACITY (16) */
    {0x9e, 0x10, 16, FREE, IN_BYTES, NO_FIELD, {10, 4},
     scsi_read_capacity16_begin, NULL, {0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, U32, 0, 0}},
    /* GET LBA STATUS */
    {0x9e, 0x12, 16, READS, IN_BYTES, {2, 8}, {10, 4},
     scsi_lba_status_begin, scsi_lba_status_finish, {0x9e, 0x12, U64, U32, 0, 0}},
    /* REPORT LUNS */
    {0xa0, NO_ACTION, 12, ALWAYS, IN_BYTES, NO_FIELD, {6, 4},
     scsi_report_luns_begin, NULL, {0xa0, 0, 0xff, 0, 0, 0, U32, 0, 0}},
    /* REPORT TARGET PORT GROUPS */
    {0xa3, 0x0a, 12, FREE, IN_BYTES, NO_FIELD, {6, 4},
     scsi_report_groups_begin, NULL, {0xa3, 0x2a, 0, 0, 0, 0, U32, 0, 0}},
    /* REPORT SUPPORTED OPERATION CODES */
    {0xa3, 0x0c, 12, LOOKS, IN_BYTES, NO_FIELD, {6, 4},
     scsi_report_opcodes_begin, NULL, {0xa3, 0x0c, 0x87, 0xff, U16, U32, 0, 0}},
    /* REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS */
    {0xa3, 0x0d, 12, LOOKS, IN_BYTES, NO_FIELD, {6, 4},
     scsi_report_functions_begin, NULL, {0xa3, 0x0d, 0x80, 0, 0, 0, U32, 0, 0}},
    /* READ (12) */
    {0xa8, NO_ACTION, 12, RANGE | READS, IN, {2, 4}, {6, 4},
     scsi_read_begin, scsi_read_finish, {0xa8, DPO_FUA, U32, U32, GROUP, 0}},
    /* WRITE (12) */
    {0xaa, NO_ACTION, 12, RANGE | WRITES, OUT, {2, 4}, {6, 4},
     scsi_write_begin, NULL, {0xaa, DPO_FUA, U32, U32, GROUP, 0}},
    /* WRITE AND VERIFY (12) */
    {0xae, NO_ACTION, 12, RANGE | WRITES, OUT, {2, 4}, {6, 4},
     scsi_write_verify_begin, scsi_write_verify_finish, {0xae, DPO | 0x02, U32, U32, GROUP, 0}},
    /* VERIFY (12) */
    {0xaf, NO_ACTION, 12, RANGE | READS, VERIFY, {2, 4}, {6, 4},
     scsi_verify_begin, scsi_verify_finish, {0xaf, DPO | 0x06, U32, U32, GROUP, 0}},
    /* READ DEFECT DATA (12) */
    {0xb7, NO_ACTION, 12, READS, IN_BYTES, NO_FIELD, {6, 4},
     scsi_defects_begin, NULL, {0xb7, 0x1f, U32, U32, 0, 0}},
};
/* clang-format on */

const uint32_t scsi_op_count = ARRAY_COUNT(scsi_ops);
