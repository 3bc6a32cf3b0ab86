/* SPDX-License-Identifier: Apache-2.0 */
/* What reservations forbid: the table of conflicts of SPC-4 5.9.1, SBC-3 4.17 and SPC-2 5.5. */
#ifndef STRAKE_SCSI_GUARD_H
#define STRAKE_SCSI_GUARD_H

#include "target/front/scsi/cdb.h"

/* True when somebody's reservation forbids the command. */
bool scsi_guard_forbids(struct scsi_command *command);
/* Reservations or the write protection changed: tells the export what other protocols may do. */
void scsi_guard_update(struct scsi_unit *unit);
/* RELEASE, or what does the same. */
void scsi_unit_unreserve(struct scsi_unit *unit);

#endif
