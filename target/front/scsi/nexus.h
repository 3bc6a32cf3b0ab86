/* SPDX-License-Identifier: Apache-2.0 */
/* Unit attentions: what each nexus is to be told before its next command (SAM-5 5.14). */
#ifndef STRAKE_SCSI_NEXUS_H
#define STRAKE_SCSI_NEXUS_H

#include "target/front/scsi/scsi.h"

/* NULL: not attached. */
struct scsi_nexus *scsi_nexus_find(struct scsi_unit *unit, uint32_t nexus_id);
/* The oldest attention of the nexus, which is told with it; 0: none, or not attached. */
uint16_t scsi_nexus_take(struct scsi_unit *unit, uint32_t nexus_id);

#endif
