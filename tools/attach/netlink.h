/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's NBD client, by generic netlink (linux/nbd-netlink.h). */
#ifndef STRAKE_ATTACH_NETLINK_H
#define STRAKE_ATTACH_NETLINK_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct netlink {
    int fd;
    uint16_t family;
    uint32_t group; /* where dead connections are told */
};

struct netlink_device {
    uint32_t idx; /* of /dev/nbdIDX */
    uint64_t size_bytes;
    uint32_t block_bytes;
    uint64_t flags;          /* transmission flags of NBD */
    uint64_t dead_timeout_s; /* how long requests wait when all connections are dead */
    const char *identifier;  /* shown in /sys/block/nbdIDX/backend */
};

/* 0, or -1 with the reason: the kernel has no nbd. */
MUST_USE int netlink_open(struct netlink *netlink, struct error *error);
void netlink_close(struct netlink *netlink);
/* A free device, with these sockets; sets its number. 0, or -1 with the reason. */
MUST_USE int netlink_attach(struct netlink *netlink, struct netlink_device *device, const int *fds,
                            uint32_t count, struct error *error);
/* A socket instead of a dead one; without a dead one nothing happens. 0, or -1 with the reason. */
MUST_USE int netlink_replace(struct netlink *netlink, const struct netlink_device *device, int fd,
                             struct error *error);
MUST_USE int netlink_detach(struct netlink *netlink, uint32_t idx, struct error *error);
/* A non-blocking socket that hears of dead connections, or -1 with the reason. */
MUST_USE int netlink_listen(const struct netlink *netlink, struct error *error);
/* Takes what was told. True when a connection of the device died, or when something was missed. */
MUST_USE bool netlink_heard(int fd, uint32_t idx);

#endif
