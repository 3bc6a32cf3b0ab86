/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of strake-replica: its command line. */
#ifndef STRAKE_REPLICA_CONFIG_H
#define STRAKE_REPLICA_CONFIG_H

#include "common/base/error.h"
#include "common/base/log.h"
#include "replica/store/store.h"

struct replica_config {
    const char *pool;
    const char *listen;
    const char *address_file; /* NULL: none */
    const char *tls_dir;      /* NULL: targets speak plain */
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
