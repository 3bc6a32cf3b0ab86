/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that read, write, compare and make durable the medium's blocks. */
#ifndef STRAKE_SCSI_MEDIUM_H
#define STRAKE_SCSI_MEDIUM_H

#include "target/front/scsi/cdb.h"

scsi_step scsi_read_begin;
scsi_step scsi_read_finish;
scsi_step scsi_write_begin;
scsi_step scsi_orwrite_begin;
scsi_step scsi_write_verify_begin;
scsi_step scsi_write_verify_finish;
scsi_step scsi_verify_begin;
scsi_step scsi_verify_finish;
scsi_step scsi_compare_write_begin;
scsi_step scsi_sync_begin;
scsi_step scsi_prefetch_begin;

/* Fill in the command's block request and return SCSI_BLOCK. */
enum scsi_next scsi_block_submit(struct scsi_command *command, enum block_op op, uint32_t flags,
                                 uint64_t offset_bytes, uint64_t length_bytes);
enum scsi_next scsi_block_flush(struct scsi_command *command);

#endif
