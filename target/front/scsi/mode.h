/* SPDX-License-Identifier: Apache-2.0 */
/* MODE SENSE and MODE SELECT. */
#ifndef STRAKE_SCSI_MODE_H
#define STRAKE_SCSI_MODE_H

#include "target/front/scsi/cdb.h"

scsi_step scsi_mode_sense_begin;
scsi_step scsi_mode_select_begin;

#endif
