/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may use what: the rules of an access file, and a client judged by them. Pure.
 *
 *   [volume scratch]                     a rule for a volume; "*": for volumes without one
 *   [volume scratch@golden]              for one snapshot; "scratch@*": for all of scratch; without
 *                                        either, what is true of the volume is of its snapshots
 *   initiators = iqn.1994-05.com.x:*     names as patterns of * and ?, by commas; none: any
 *   addresses  = 10.1.0.0/16, fd00::/8   where from, or "unix"; none: anywhere
 *   user       = alice                   CHAP (RFC 7143 section 12.1): who must prove to know
 *   secret     = at least 12 characters  this, or what is in `secret-file`
 *   mutual-user, mutual-secret, mutual-secret-file: we prove ourselves, to those who ask
 *   nbd        = yes                     NBD too, which knows neither initiators nor users
 *   tls        = alice, backup-*         NBD, within TLS: names of certificates or shared keys
 *   redirect   = 10.1.0.7:3260           iSCSI: sent there instead
 *
 *   [discovery]                          the same for discovery sessions
 *
 * Several rules of one volume are alternatives. A volume that no rule is for is open to all, and so
 * is discovery, which shows to each only what it may use.
 */
#ifndef STRAKE_FRONT_ACCESS_H
#define STRAKE_FRONT_ACCESS_H

#include "common/base/error.h"
#include "target/front/export/export.h"

#include <stddef.h>

enum {
    ACCESS_RULES_MAX = 1024,
    ACCESS_PATTERNS_MAX = 16,
    ACCESS_USER_BYTES = 128,
    ACCESS_SECRET_BYTES_MIN = 12, /* RFC 7143 section 9.2.1: 96 bits */
    ACCESS_SECRET_BYTES_MAX = 128,
    ACCESS_REDIRECT_BYTES = 128,
    ACCESS_IDENTITY_BYTES = 160,
};

enum access_from { ACCESS_FROM_UNKNOWN, ACCESS_FROM_UNIX, ACCESS_FROM_INET };

/* IPv4 addresses are kept as IPv4-mapped IPv6 ones. */
struct access_address {
    enum access_from from;
    uint8_t bytes[16];
};

struct access_net {
    struct access_address address;
    uint8_t prefix_bits;
};

/* What one end shows of itself to the other by CHAP. */
struct access_secret {
    char user[ACCESS_USER_BYTES]; /* "": there is none */
    uint8_t bytes[ACCESS_SECRET_BYTES_MAX];
    uint32_t length_bytes;
};

struct access_rule {
    char volume[EXPORT_NAME_BYTES]; /* "*": those without a rule of their own; "": discovery */
    char initiators[ACCESS_PATTERNS_MAX][IQN_BYTES];
    uint32_t initiator_count;
    struct access_net nets[ACCESS_PATTERNS_MAX];
    uint32_t net_count;
    struct access_secret theirs;
    struct access_secret ours;
    bool nbd;
    char identities[ACCESS_PATTERNS_MAX][ACCESS_IDENTITY_BYTES]; /* of NBD clients; none: any */
    uint32_t identity_count;
    char redirect[ACCESS_REDIRECT_BYTES]; /* "": no */
};

struct access;

/* Who asks. */
struct access_client {
    const char *initiator; /* iSCSI name; NULL: an NBD client */
    struct access_address address;
    const char *identity; /* of an NBD client, proved by TLS; NULL or "": none */
};

/* How a client may be let in: bits. */
enum access_way {
    ACCESS_FREELY = 1u << 0,  /* without authentication */
    ACCESS_BY_CHAP = 1u << 1, /* when it proves to be the user of a rule */
};

/*
 * The content of a file that a rule names: at most `size` bytes, their number in *length. 0, or -1
 * with the reason.
 */
typedef int access_read_fn(void *arg, const char *path, uint8_t *bytes, uint32_t size,
                           uint32_t *length, struct error *error);

/* The rules of a text, which is cut to pieces. NULL with the reason, in which no secret is. */
struct access *access_new(char *text, access_read_fn *read_file, void *arg, struct error *error);
/* NULL is allowed. */
void access_free(struct access *access);

/*
 * The rules by which the client may use the volume ("": discovery), one after another: the first
 * for `previous` NULL; NULL when there are no more. `access` NULL is a file without rules.
 */
const struct access_rule *access_next(const struct access *access, const char *volume,
                                      const struct access_client *client,
                                      const struct access_rule *previous);
/* enum access_way bits; 0: not at all. */
uint32_t access_ways(const struct access *access, const char *volume,
                     const struct access_client *client);
/* One rule after another, of whatever volume; NULL past the last. */
const struct access_rule *access_rule_at(const struct access *access, uint32_t idx);
/* Why access_ways is 0. */
const char *access_why(const struct access *access, const char *volume,
                       const struct access_client *client);
/* "ADDR:PORT" as sockets tell it: "10.0.0.1:3260", "[::1]:3260", "unix:/path". */
struct access_address access_address_of(const char *text);
/* True when the name fits the pattern, in any case. */
bool access_name_fits(const char *pattern, const char *name);

#endif
