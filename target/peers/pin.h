/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members that are tied to a certificate. One that is made at a replica process reached within TLS
 * gets an identity (RFC 9562, version 8) that ends with the first 7 bytes of the SHA-256 of whom
 * that process proved to be. A volume's list of members thus says by which certificate each is
 * believed, wherever it is kept, and a renewed certificate of the same name is as good. Others are
 * of version 4: whoever may be spoken to is believed.
 */
#ifndef STRAKE_PEERS_PIN_H
#define STRAKE_PEERS_PIN_H

#include "common/base/uuid.h"

/* Ties a new, random identity; `who` is "certificate NAME", or "" of a process that proves nothing.
 */
void pin_member(struct uuid *member, const char *who);
/* Whether `who` may be believed to keep this member. */
bool pin_proved(const struct uuid *member, const char *who);

#endif
