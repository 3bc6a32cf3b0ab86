/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of the transmission phase: what may be asked, and what is asked of the volume. */
#ifndef STRAKE_FRONT_NBD_REQUEST_H
#define STRAKE_FRONT_NBD_REQUEST_H

#include "target/front/nbd/nbd.h"

/* How long the payload is that follows the header. */
MUST_USE uint64_t nbd_request_payload_bytes(const struct nbd_session *session,
                                            const struct nbd_header *header);
/*
 * NULL when the session's client may ask this of its export, else why not, and *status is the
 * answer (-E...). Whatever passes is trusted from there on; a BLOCK_STATUS with a payload only as
 * far as its header goes. DISC is not asked about.
 */
MUST_USE const char *nbd_request_invalid(const struct nbd_session *session,
                                         const struct nbd_header *header, int *status);
/*
 * What SCSI reservations and write protection (struct export) mean to a valid request of a client
 * that is no initiator: EXPORT_OPEN when they let it pass.
 */
MUST_USE enum export_guard nbd_request_guard(const struct export *export,
                                             const struct nbd_header *header);
/* True when the volume must do something for a valid request. */
MUST_USE bool nbd_request_needs_volume(const struct nbd_header *header);
/* Fills the block request of a valid request that needs the volume, but for a WRITE's data. */
void nbd_request_fill(struct block_req *block, const struct nbd_header *header);

#endif
