/* SPDX-License-Identifier: Apache-2.0 */
/* INQUIRY: who we are, and the vital product data pages. */
#ifndef STRAKE_SCSI_INQUIRY_H
#define STRAKE_SCSI_INQUIRY_H

#include "target/front/scsi/cdb.h"

scsi_step scsi_inquiry_begin;

#endif
