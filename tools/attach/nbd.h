/* SPDX-License-Identifier: Apache-2.0 */
/* What attaching by NBD and its keeper share: a device, as the kernel and the target see it. */
#ifndef STRAKE_ATTACH_NBD_H
#define STRAKE_ATTACH_NBD_H

#include "tools/attach/attach.h"
#include "tools/attach/client.h"
#include "tools/attach/netlink.h"

#include <stdbool.h>

struct nbd {
    struct netlink netlink;
    struct client_source source;
    struct netlink_device device;
    uint32_t connections;
};

/* The kernel's client, and where the target is. 0, or -1 with the reason. */
MUST_USE int nbd_open(struct nbd *nbd, const struct attachment *a, struct error *error);
void nbd_close(struct nbd *nbd);
/* A connection past the handshake; the device is as the target describes it. -1 with the reason. */
MUST_USE int nbd_connect(struct nbd *nbd, bool read_only, struct error *error);
/* The number in "/dev/nbd7"; false for another path. */
MUST_USE bool nbd_idx_of(const char *device, uint32_t *idx);
/* Is the device connected to anything, dead or alive? */
bool nbd_is_attached(uint32_t idx);

#endif
