/* SPDX-License-Identifier: Apache-2.0 */
/* Unit attentions: what each nexus is to be told before its next command (SAM-5 5.14). */
#ifndef STRAKE_SCSI_NEXUS_H
#define STRAKE_SCSI_NEXUS_H

#include "target/front/scsi/scsi.h"

/* The registration of the nexus' port. NULL: there is none, or the nexus is gone. */
struct scsi_registration *scsi_nexus_registration(struct scsi_unit *unit,
                                                  const struct scsi_nexus *nexus);
/* The oldest attention of the nexus, which is told with it; 0: none, or it is gone. */
uint16_t scsi_nexus_take(struct scsi_nexus *nexus);

#endif
