/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a target is told at its start: options of the command line, over `name = value` lines of a
 * file, over defaults. Nothing here is opened or resolved; main does that.
 */
#ifndef STRAKE_TARGET_CONFIG_H
#define STRAKE_TARGET_CONFIG_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CONFIG_LIST_MAX = 64,
    CONFIG_TEXT_BYTES = 256,
    CONFIG_FILE_BYTES_MAX = 64u << 10,
};

struct config_list {
    char items[CONFIG_LIST_MAX][CONFIG_TEXT_BYTES];
    uint32_t count;
};

struct target_config {
    struct config_list replicas;
    char pool[CONFIG_TEXT_BYTES]; /* "": no replica in this process */
    char engine[CONFIG_TEXT_BYTES];
    struct config_list iscsi; /* addresses; empty: not spoken */
    struct config_list nbd;
    char control[CONFIG_TEXT_BYTES]; /* path of the API's socket */
    char iqn_prefix[CONFIG_TEXT_BYTES];
    struct config_list portals;          /* of the iSCSI listeners, in their order */
    char volumes[CONFIG_TEXT_BYTES];     /* patterns, by commas; "": all */
    char share[CONFIG_TEXT_BYTES];       /* "I/N"; "": all */
    uint32_t share_number, share_count;  /* what it says; 0: nothing */
    char access[CONFIG_TEXT_BYTES];      /* path of the access file; "": none */
    char tls_dir[CONFIG_TEXT_BYTES];     /* "": replicas are spoken to in the clear */
    char nbd_tls[CONFIG_TEXT_BYTES];     /* off, on, require */
    char nbd_tls_dir[CONFIG_TEXT_BYTES]; /* "": tls_dir */
    uint64_t slow_ms;                    /* 0: as the replication room has it; likewise below */
    uint64_t grace_ms;
    uint64_t io_timeout_ms;
    uint64_t resync_mib_s;
    uint64_t replace_after_s;
    char scrub_every[CONFIG_TEXT_BYTES]; /* a period, "7d"; "0": never */
    uint64_t scrub_every_s;              /* what it says */
    uint64_t memory_mib;
    uint64_t connections;
    uint64_t requests;
    char user[CONFIG_TEXT_BYTES]; /* to become when all is open; "": stay who we are */
    bool no_seccomp;
    bool list_snapshots;
    bool no_heal;
    bool no_busy_poll;
    bool fail_when_full;
    bool insecure;
    bool debug;
    bool help;
    bool version;
};

/* 0, or -1 with the reason. With `help` or `version` nothing else was looked at. */
MUST_USE int config_parse(struct target_config *config, int argc, char *const argv[],
                          struct error *error);
/* One setting, by the name it has on the command line and in a file. */
MUST_USE int config_set(struct target_config *config, const char *name, const char *value,
                        struct error *error);
/* The text of a file; `path` is for the reason only. */
MUST_USE int config_read(struct target_config *config, const char *path, char *text,
                         struct error *error);
/*
 * Refuses what would serve whoever comes along: an address beyond this machine without access rules
 * (NBD: or TLS that every client must use), unless the settings say that this is wanted.
 */
MUST_USE int config_exposure(const struct target_config *config, struct error *error);
/* Prints the options. */
void config_help(void);

#endif
