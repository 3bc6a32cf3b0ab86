/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be found after a crash. Of each block of each generation the model keeps the contents it
 * may have: the one the last flush covers, then those that were asked for since. Plain memory: the
 * model of a crash is a copy.
 */
#ifndef STRAKE_TESTS_POWER_MODEL_H
#define STRAKE_TESTS_POWER_MODEL_H

#include "common/base/buf.h"
#include "common/base/uuid.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MODEL_VOLUMES = 4,
    MODEL_BLOCKS = 96, /* at most; a volume grows by steps */
    MODEL_STEP = 16,
    MODEL_GENERATIONS = 14,
    MODEL_VALUES = 12,
    MODEL_COMMANDS = 48,
};

#define MODEL_NEVER UINT64_MAX

/* Times are counted by answers. */
struct value {
    uint64_t serial; /* of the operation that wrote it; 0: zeros */
    uint64_t acked;  /* when it was answered */
};

struct history {
    struct value values[MODEL_VALUES]; /* oldest first; the first one is there for certain */
    uint32_t count;
    /* A write failed: until the next one anything may be there; after a power loss, until it is
     * flushed. */
    bool unknown;
    bool stained;
};

struct generation {
    uint64_t number;
    /* By which command. */
    uint64_t born;
    uint64_t sealed;
    uint64_t dropped;
    struct history blocks[MODEL_BLOCKS];
};

/*
 * Takes over what another member has become; alone in its family, from a flush to a flush. Until
 * INSTALL is durable the volume may be found as it was, its head with what was written since; then
 * with the generations of the model, from some one on not complete.
 */
struct rebuild {
    bool active;
    bool installed; /* answered */
    bool all_incomplete;
    uint64_t settled; /* the last generation of which that was answered */
    bool written[MODEL_BLOCKS];
    uint64_t command; /* the last one before it */
    struct generation was[MODEL_GENERATIONS];
    uint32_t was_count;
    /* Of the volume's generations, in their order: what the other member says of them. */
    struct uuid identities[MODEL_GENERATIONS];
    uint64_t bases[MODEL_GENERATIONS];
};

struct volume {
    bool exists;
    bool appears; /* being made: it may be there */
    bool goes;    /* being deleted: it may be gone */
    bool failed;  /* a sync of it failed, and its record says so: nobody uses it any more */
    struct uuid uuid;
    uint32_t family;
    uint64_t command; /* the last one given */
    struct generation generations[MODEL_GENERATIONS];
    uint32_t count;
    struct history meta[2];
    struct history drl;
    uint64_t doubtful[MODEL_BLOCKS]; /* when it was written last; 0: it agrees with its checksum */
    uint32_t blocks;                 /* of them it has */
    struct rebuild rebuild;
};

/* Commands no flush covers, of all volumes, as they were given. */
struct order {
    uint32_t volume;
    uint64_t command;
    uint64_t acked;
};

/* A block that may have been changed on the disk, and what it was. */
struct damage {
    bool active;
    uint32_t family;
    uint32_t block;
    uint64_t serial;
    uint8_t bytes[BLOCK_BYTES];
};

struct model {
    uint64_t now;
    uint64_t serial;
    uint32_t families;
    uint32_t uuids;
    struct volume volumes[MODEL_VOLUMES];
    struct order orders[MODEL_COMMANDS];
    uint32_t order_count;
    struct damage damage;
};

/* What was asked for last. */
uint64_t history_newest(const struct history *history);
bool history_is_full(const struct history *history);
void history_ask(struct history *history, uint64_t serial);
/* What was asked for last is answered; is there for certain. */
void history_ack(struct history *history, uint64_t now);
void history_certain(struct history *history);
/* This may be found after the power was lost, or after the process was killed. */
bool history_has(const struct history *history, uint64_t serial, bool killed);
void history_failed(struct history *history);
/* Anything may be there. */
bool history_is_open(const struct history *history, bool killed);
/* It was found. */
void history_found(struct history *history, uint64_t serial, bool killed);

struct generation *model_head(struct volume *volume);
/* NULL: there is none of this number. */
struct generation *model_find(struct volume *volume, uint64_t number);
/* A volume that shows what the generation does; from NULL: nothing. NULL: there is no room. */
struct volume *model_create(struct model *model, const struct volume *origin,
                            const struct generation *from);
void model_gone(struct model *model, struct volume *volume);
/* One more command can be given before a flush. */
bool model_has_room(const struct model *model, const struct volume *volume);
/* A command is given: its effect is there, not yet answered. */
void model_seal(struct model *model, struct volume *volume);
void model_drop(struct model *model, struct volume *volume, struct generation *generation);
void model_revert(struct model *model, struct volume *volume, const struct generation *generation);
void model_ack_command(struct model *model, const struct volume *volume);
/* The volume is to become what its generations are from now on; made from `was`. */
void model_rebuild(struct volume *volume, const struct generation *was, uint32_t was_count);
/* Its block is about to be written, with this. */
void model_rebuild_writes(struct volume *volume, uint32_t block, uint64_t serial);
/* Found after a crash, the last command and the lowest generation not complete: NULL, or why that
 * cannot be. */
const char *model_rebuild_found(struct volume *volume, uint64_t command, uint64_t incomplete,
                                bool killed);
/* It was refused. */
void model_undo_command(struct model *model, struct volume *volume);
/* A flush that was asked for at this time is answered. */
void model_flushed(struct model *model, uint32_t family, uint64_t asked);
/* What no flush covers may be gone, though it was answered. */
void model_lose_power(struct model *model);
/* The volumes are found after these commands: NULL, or why that cannot be. */
const char *model_roll_back(struct model *model, const uint64_t *commands, bool killed);

#endif
