/* SPDX-License-Identifier: Apache-2.0 */
/* The three ways, behind one shape; and what they share. */
#ifndef STRAKE_ATTACH_WAYS_H
#define STRAKE_ATTACH_WAYS_H

#include "tools/attach/attach.h"

/*
 * make: 0 and the attachment's device, or -1 with the reason. undo: 0, or -1 with the reason; what
 * is attached no more is no error.
 */
struct way {
    /* NULL when it can be done here, else why not. */
    const char *(*missing)(void);
    int (*make)(const struct attach_wish *wish, struct attachment *a, struct error *error);
    int (*undo)(const struct attachment *a, struct error *error);
    /* Is the device still there? */
    bool (*there)(const struct attachment *a);
};

extern const struct way way_iscsi, way_nbd, way_fuse;

/* keeper.c: a process of its own, that ends with the device. Takes a->keeper_fd over. */
MUST_USE int keeper_start(struct attachment *a, struct error *error);
/* The lock: *fd is -1 when a keeper lives. 0, or -1 with the reason. */
MUST_USE int keeper_lock(const struct attachment *a, int *fd, struct error *error);
/* Asks a living keeper to detach and waits for its end. False: there is none. */
MUST_USE bool keeper_end(const struct attachment *a);

/* A device that is mounted or otherwise held: -1 with the reason. Flushes it otherwise. */
MUST_USE int device_let_go(const char *device, struct error *error);

#endif
