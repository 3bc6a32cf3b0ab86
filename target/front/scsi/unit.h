/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about the logical unit itself: is it there, how large is it, what can it do. */
#ifndef STRAKE_SCSI_UNIT_H
#define STRAKE_SCSI_UNIT_H

#include "target/front/scsi/cdb.h"

/* Logical blocks of the export. */
static inline uint64_t scsi_unit_blocks(const struct scsi_unit *unit)
{
    return unit->export->size_bytes / unit->export->block_bytes;
}

scsi_step scsi_unit_ready_begin;
scsi_step scsi_unit_prevent_begin;
scsi_step scsi_unit_start_stop_begin;
scsi_step scsi_request_sense_begin;
scsi_step scsi_defects_begin;
scsi_step scsi_read_capacity10_begin;
scsi_step scsi_read_capacity16_begin;

#endif
