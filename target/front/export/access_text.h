/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of access rules share. Private to them. */
#ifndef STRAKE_FRONT_ACCESS_TEXT_H
#define STRAKE_FRONT_ACCESS_TEXT_H

#include "target/front/export/access.h"

struct access {
    struct access_rule *rules; /* owned */
    uint32_t rule_count;
};

/* An IPv4 or IPv6 address without a port; *bits: how long a prefix of it may be. */
bool access_address_parse(const char *host, struct access_address *address, uint8_t *bits);

#endif
