/* SPDX-License-Identifier: Apache-2.0 */
/* PERSISTENT RESERVE IN and OUT, and RESERVE and RELEASE. */
#ifndef STRAKE_SCSI_PERSIST_H
#define STRAKE_SCSI_PERSIST_H

#include "target/front/scsi/cdb.h"

scsi_step scsi_prin_keys_begin;
scsi_step scsi_prin_reservation_begin;
scsi_step scsi_prin_capabilities_begin;
scsi_step scsi_prin_full_status_begin;

scsi_step scsi_prout_begin;
scsi_step scsi_prout_finish;

scsi_step scsi_reserve_begin;
scsi_step scsi_release_begin;

#endif
