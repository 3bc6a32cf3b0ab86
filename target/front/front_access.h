/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The access file and the files it names, on the disk: read at the start and whenever one of them
 * has changed. What cannot be read leaves the rules as they were. Private to the room.
 */
#ifndef STRAKE_FRONT_FRONT_ACCESS_H
#define STRAKE_FRONT_FRONT_ACCESS_H

#include "target/front/export/access.h"

#include <sys/stat.h>

enum { ACCESS_PATH_BYTES = 512, ACCESS_FILE_BYTES_MAX = 1 << 20 };

/* A file as it was when it was read. */
struct access_stamp {
    char path[ACCESS_PATH_BYTES];
    struct stat stat; /* zeros: it could not be looked at */
};

struct front_access {
    /* What else rules must keep: 0, or -1 with the reason. NULL: nothing. */
    int (*check)(void *arg, const struct access *rules, struct error *error);
    void *check_arg;
    char path[ACCESS_PATH_BYTES]; /* "": there is none */
    struct access *rules;         /* owned */
    struct access_stamp *stamps;  /* owned; the access file, then those with secrets */
    uint32_t stamp_count;
};

/* 0, or -1 with the reason and the rules as they were. */
MUST_USE int front_access_read(struct front_access *access, struct error *error);
/* True when one of the files is not what was read. */
bool front_access_changed(const struct front_access *access);
void front_access_release(struct front_access *access);

#endif
