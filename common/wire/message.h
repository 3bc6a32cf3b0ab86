/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bodies of the replication protocol's frames (frame.h), and the volume's configuration, which
 * is the same bytes on the wire and in a replica's metadata. All big-endian, fields in the order of
 * the structs. Pure.
 */
#ifndef STRAKE_WIRE_MESSAGE_H
#define STRAKE_WIRE_MESSAGE_H

#include "common/base/bytes.h"
#include "common/base/uuid.h"
#include "common/wire/generation.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MEMBERS_MAX = 8,
    VOLUME_NAME_BYTES = 64,   /* with the final zero; visible ASCII */
    SOFTWARE_BYTES = 32,      /* likewise */
    CONFIG_BYTES_MAX = 1024,  /* an encoded configuration is never longer */
    MESSAGE_BYTES_MAX = 1280, /* nor is any message of this file, without an epitaph */
    EPITAPH_BYTES_MAX = 32u << 10,
};

enum member_kind { MEMBER_DATA = 0, MEMBER_WITNESS = 1 };

struct member {
    struct uuid uuid; /* of this replica of this volume; a wiped one gets a new identity */
    enum member_kind kind;
    bool in_sync;
    bool leaving; /* to be removed once the others do without it */
};

/* What the members agree on; ordered by (epoch, version). */
struct config {
    struct uuid volume;
    char name[VOLUME_NAME_BYTES];
    uint64_t size_bytes;
    uint32_t block_bytes; /* logical block shown to clients */
    uint64_t epoch;
    uint64_t version;
    struct uuid controller; /* the target process that proposed it */
    uint64_t base_checkpoint;
    uint64_t created_s;  /* seconds since 1970 */
    uint8_t min_in_sync; /* writes wait below this many members in sync */
    bool deleted;        /* the tombstone: data is gone, the record stays */
    uint8_t member_count;
    struct member members[MEMBERS_MAX];
};

/* GREET: who is at the other end. */
struct message_greet {
    uint32_t version_min; /* protocol versions spoken */
    uint32_t version_max;
    struct uuid process;           /* target: of this process; replica: of the pool */
    char software[SOFTWARE_BYTES]; /* visible ASCII and spaces, for the log */
};

/* What a deleted volume was, in words of the target that deleted it; replicas just keep it. */
struct epitaph {
    uint32_t length_bytes; /* 0: nothing is known, or it is not deleted */
    const uint8_t *bytes;  /* lent by whoever holds the body */
};

/* LIST: one volume kept here. */
struct message_volume {
    struct uuid member;
    bool failed;
    struct config config; /* the one accepted here */
    struct epitaph epitaph;
};

struct message_create {
    struct uuid member; /* the identity the new replica gets */
    struct uuid origin; /* a clone's: the volume it begins as, in the same pool; else zero */
    uint64_t origin_generation; /* and the generation of it, a sealed one; 0: no origin */
    struct config config;
};

/*
 * DELETE: either of the volume: `member` is zero and `config.deleted` set; it is kept as the
 * record. Or of one member, which is none of `config`'s any more, or never was: nothing is kept.
 */
struct message_delete {
    struct uuid member;
    struct config config;
    struct epitaph epitaph;
};

struct message_health {
    uint64_t free_bytes;
    uint64_t total_bytes;
};

struct message_open {
    struct uuid volume;
    struct uuid member; /* whom the target expects; anybody else answers NO_VOLUME */
    uint64_t epoch;     /* PREPARE */
    struct uuid controller;
    struct uuid dead; /* a target process known to be dead: its lease counts no more; or zero */
};

/* Reply to OPEN, also with STALE. */
struct message_opened {
    uint64_t promised_epoch;
    struct uuid promised_controller;
    bool lossy; /* lost its memory since its last write: not a source while a better one exists */
    bool failed;
    uint64_t done_checkpoint; /* the last one that is durable here */
    uint64_t base_checkpoint; /* the last one known to be durable at every data member */
    uint64_t doubt_bytes;     /* may differ between members in sync: recovery looks at these */
    uint64_t dirty_bytes;     /* of all planes: those and what members that are away may miss */
    struct lineage lineage;
    struct config config; /* the one accepted here */
};

/* Each encode writes exactly what decode reads; decode leaves r->bad set on anything malformed. */
void config_encode(struct writer *w, const struct config *config);
void config_decode(struct reader *r, struct config *config);
void message_greet_encode(struct writer *w, const struct message_greet *greet);
void message_greet_decode(struct reader *r, struct message_greet *greet);
void message_volume_encode(struct writer *w, const struct message_volume *volume);
void message_volume_decode(struct reader *r, struct message_volume *volume);
void message_create_encode(struct writer *w, const struct message_create *create);
void message_create_decode(struct reader *r, struct message_create *create);
void message_delete_encode(struct writer *w, const struct message_delete *del);
void message_delete_decode(struct reader *r, struct message_delete *del);
void message_health_encode(struct writer *w, const struct message_health *health);
void message_health_decode(struct reader *r, struct message_health *health);
void message_open_encode(struct writer *w, const struct message_open *open);
void message_open_decode(struct reader *r, struct message_open *open);
void message_opened_encode(struct writer *w, const struct message_opened *opened);
void message_opened_decode(struct reader *r, struct message_opened *opened);

/* -1, 0 or 1 by (epoch, version). */
int config_compare(const struct config *a, const struct config *b);
/* Index of the member, or -1. */
int config_member_idx(const struct config *config, const struct uuid *member);
/* NULL when the configuration keeps its rules, else which one it breaks. */
const char *config_invalid(const struct config *config);

#endif
