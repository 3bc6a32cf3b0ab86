/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A volume as a block device of this machine, by one of three ways: the kernel's iSCSI initiator
 * (open-iscsi), the kernel's NBD client (generic netlink), or a file by FUSE (nbdfuse). What is
 * attached is written down in DIR/NAME.json, DIR being $XDG_RUNTIME_DIR/strake/attach or
 * /run/strake/attach, until it is detached.
 *
 * A device by NBD has a keeper: a process that replaces connections when they die, so that a target
 * that is killed and comes back means waiting and no error. It holds a lock on DIR/NAME.keeper, in
 * which its process number is, and logs to DIR/NAME.log. The device outlives its keeper; attaching
 * once more finds the device and gives it a keeper again.
 */
#ifndef STRAKE_ATTACH_ATTACH_H
#define STRAKE_ATTACH_ATTACH_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    ATTACH_NAME_BYTES = 144, /* "VOLUME@sha256:..." at most */
    ATTACH_PATH_BYTES = 256,
    ATTACH_SOURCE_BYTES = 512,
    ATTACH_CONNECTIONS_MAX = 16,
    ATTACH_TIMEOUT_S = 600, /* by default */
};

enum attach_way { ATTACH_ANY, ATTACH_ISCSI, ATTACH_NBD, ATTACH_FUSE };

struct attach_wish {
    enum attach_way way;                    /* ANY: the first of the others that can be done */
    char iscsi_source[ATTACH_SOURCE_BYTES]; /* "iscsi://PORTAL/IQN"; "": not that way */
    char nbd_source[ATTACH_SOURCE_BYTES]; /* "nbd://ADDR:PORT/NAME", "nbd+unix:///NAME?socket=PATH"
                                           */
    uint32_t connections;                 /* of NBD; 0: as many as suit the target */
    uint32_t timeout_s;                   /* how long requests wait for a target that is away */
    bool read_only;
    bool foreground; /* NBD: the caller calls attach_keep, and is the keeper */
};

struct attachment {
    char name[ATTACH_NAME_BYTES];
    enum attach_way way;
    char source[ATTACH_SOURCE_BYTES];
    char device[ATTACH_PATH_BYTES]; /* a path; by FUSE of a file */
    uint32_t connections;
    bool read_only;
    uint32_t timeout_s;
    bool found;    /* it was attached before */
    int keeper_fd; /* the keeper's lock, for attach_keep; else -1 */
};

/* "iscsi", "nbd", "fuse". */
const char *attach_way_name(enum attach_way way);
/* The fields of a wish whose volume is given as a URI. 0, or -1 with the reason. */
MUST_USE int attach_wish_uri(struct attach_wish *wish, const char *uri, struct error *error);
/* 0, or -1 with the reason. */
MUST_USE int attach_make(const struct attach_wish *wish, struct attachment *attachment,
                         struct error *error);
/*
 * Keeps a device by NBD until SIGTERM or SIGINT, then detaches it unless it is in use. 0, or -1
 * with the reason.
 */
MUST_USE int attach_keep(struct attachment *attachment, struct error *error);
/* By name or device. 0 and what it was, or -1 with the reason. */
MUST_USE int attach_undo(const char *name_or_device, struct attachment *attachment,
                         struct error *error);

#endif
