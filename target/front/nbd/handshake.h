/* SPDX-License-Identifier: Apache-2.0 */
/* The handshake: from the greeting to an open export. Called by nbd.c alone. */
#ifndef STRAKE_FRONT_NBD_HANDSHAKE_H
#define STRAKE_FRONT_NBD_HANDSHAKE_H

#include "target/front/nbd/nbd.h"

void nbd_greeting_send(struct tx *tx);
/* NBD_CLIENT_FLAGS: false when bytes are missing. */
MUST_USE bool nbd_client_flags_take(struct nbd_session *session, struct rx *rx);
/* NBD_OPTIONS: answers one option; false when bytes are missing. */
MUST_USE bool nbd_option_take(struct nbd_session *session, struct rx *rx, struct tx *tx);

#endif
