/* SPDX-License-Identifier: Apache-2.0 */
/* The reports: logical units, supported commands, supported task management functions. */
#ifndef STRAKE_SCSI_REPORT_H
#define STRAKE_SCSI_REPORT_H

#include "target/front/scsi/cdb.h"

scsi_step scsi_report_luns_begin;
scsi_step scsi_report_groups_begin;
scsi_step scsi_report_opcodes_begin;
scsi_step scsi_report_functions_begin;

#endif
