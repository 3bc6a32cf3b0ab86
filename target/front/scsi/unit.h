/* SPDX-License-Identifier: Apache-2.0 */
/* The commands about the logical unit itself: is it there, how large is it, what can it do. */
#ifndef STRAKE_SCSI_UNIT_H
#define STRAKE_SCSI_UNIT_H

#include "target/front/scsi/cdb.h"

#include <string.h>

/* Logical blocks of the export. */
static inline uint64_t scsi_unit_blocks(const struct scsi_unit *unit)
{
    return unit->export->size_bytes / unit->export->block_bytes;
}

/*
 * The unit's NAA designator: 3, locally assigned, and the last 60 bits of the UUID, which in
 * version 4 are all random and follow the two bits of the variant.
 */
enum { SCSI_NAA_BYTES = 8 };
static inline void scsi_unit_naa(const struct scsi_unit *unit, uint8_t naa[SCSI_NAA_BYTES])
{
    memcpy(naa, unit->export->uuid.bytes + 8, SCSI_NAA_BYTES);
    naa[0] = (uint8_t)(0x30 | (naa[0] & 0x0f));
}

scsi_step scsi_unit_ready_begin;
scsi_step scsi_unit_prevent_begin;
scsi_step scsi_unit_start_stop_begin;
scsi_step scsi_request_sense_begin;
scsi_step scsi_defects_begin;
scsi_step scsi_read_capacity10_begin;
scsi_step scsi_read_capacity16_begin;

#endif
