/* SPDX-License-Identifier: Apache-2.0 */
/*
 * iSCSI TransportIDs (SPC-4 7.6.4.6): how an initiator port is named in parameter data. They begin
 * with a byte of format and protocol, a reserved one and the length of what follows.
 */
#ifndef STRAKE_SCSI_PORT_H
#define STRAKE_SCSI_PORT_H

#include "target/front/scsi/reservations.h"

enum { SCSI_PORT_BYTES_MAX = 4 + 248 }; /* 223 of the name, ",i,0x", 12 digits, zeros to 4 */

/* "NAME,i,0xISID". */
void scsi_port_encode(const struct scsi_port *port, struct writer *w);
/* Takes one TransportID; `whole`: it names a port, else all those of a device. False: it is none.
 */
MUST_USE bool scsi_port_decode(struct reader *r, struct scsi_port *port, bool *whole);

#endif
