/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that give space back or fill it with one block: UNMAP and WRITE SAME. */
#ifndef STRAKE_SCSI_PROVISION_H
#define STRAKE_SCSI_PROVISION_H

#include "target/front/scsi/cdb.h"

scsi_step scsi_lba_status_begin;
scsi_step scsi_lba_status_finish;
scsi_step scsi_unmap_begin;
scsi_step scsi_unmap_finish;
scsi_step scsi_write_same_begin;
scsi_step scsi_write_same_finish;

#endif
