/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of the transmission phase. With extended headers each is an extended chunk; else a
 * structured one where the client asked for them and the answer carries something: data, extents or
 * the text of an error. A READ is answered in one chunk, as DF demands, whether it was set or not;
 * a chunk without data, if all of it is zeros.
 */
#ifndef STRAKE_FRONT_NBD_REPLY_H
#define STRAKE_FRONT_NBD_REPLY_H

#include "target/front/nbd/nbd.h"

/* The request succeeded and has nothing to tell. */
void nbd_reply_done(const struct nbd_session *session, const struct nbd_header *header,
                    struct tx *tx);
/* The READ succeeded; its data goes by reference. */
void nbd_reply_data(const struct nbd_session *session, const struct nbd_header *header,
                    const struct slice *data, struct tx *tx);
/* The BLOCK_STATUS succeeded for the first of request->contexts, which is answered and removed. */
void nbd_reply_status(const struct nbd_session *session, struct nbd_request *request,
                      struct tx *tx);
/* That first one. */
static inline uint32_t nbd_status_slot(const struct nbd_request *request)
{
    uint32_t slot = 0;
    ASSERT(request->contexts);
    while (!(request->contexts >> slot & 1))
        slot++;
    return slot;
}
/* The request failed with `status` (-E...), for the reason `why`. */
void nbd_reply_error(const struct nbd_session *session, const struct nbd_header *header, int status,
                     const char *why, struct tx *tx);

#endif
