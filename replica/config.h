/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of strake-replica: its command line. */
#ifndef STRAKE_REPLICA_CONFIG_H
#define STRAKE_REPLICA_CONFIG_H

#include "common/base/error.h"
#include "common/base/log.h"
#include "replica/store/store.h"

enum { REPLICA_TARGETS_MAX = 64 };

struct replica_config {
    const char *pool;
    const char *listen;
    const char *address_file;                 /* NULL: none */
    const char *tls_dir;                      /* NULL: targets speak plain */
    const char *targets[REPLICA_TARGETS_MAX]; /* who may connect, by certificate */
    uint32_t target_count;                    /* 0: whoever has one */
    const char *user; /* to become when all is open; NULL: stay who we are */
    bool no_seccomp;
    struct uuid expected; /* zero: any */
    enum store_engine engine;
    enum log_level log_level;
    uint64_t memory_bytes;
    bool help;
    bool version;
};

/* What argv says; texts are argv's. 0, or -1 with the reason. */
MUST_USE int replica_config_parse(struct replica_config *config, int argc, char *const argv[],
                                  struct error *error);
extern const char replica_config_help[];

#endif
