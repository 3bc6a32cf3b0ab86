/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model: each generation is an array of ids, copied whole. Operations do the same to the map
 * and to it; a family's copy is kept at each flush, for power loss.
 */
#ifndef STRAKE_TESTS_MAP_MODEL_H
#define STRAKE_TESTS_MAP_MODEL_H

#include "tests/unit/replica/map/fixture.h"

enum { MODEL_BLOCKS = 320, MODEL_VOLUMES = 5, MODEL_GENERATIONS = 10, MODEL_ROWS = 4 };

struct model_generation {
    uint64_t number;
    uint64_t base;
    struct uuid identity;
    bool complete;
    uint32_t ids[MODEL_BLOCKS];
};

struct model_volume {
    bool exists;
    struct uuid uuid;
    uint32_t family;
    uint64_t command;
    struct uuid command_identity;
    bool head_complete;
    uint32_t count; /* of generations; the last one is the head */
    struct model_generation generations[MODEL_GENERATIONS];
    uint32_t rows[MODEL_ROWS]; /* value of key i; 0: none */
};

/* A write or zero to one block, or to many, since its family's flush. */
struct model_late {
    struct uuid uuid;
    uint64_t number;
    uint32_t block;
    uint32_t id;
};

struct model {
    uint32_t state;
    bool power;
    bool lost;  /* there was a power loss */
    bool loose; /* or an install: equal content may lie at different places */
    uint32_t next_id;
    uint32_t next_uuid;
    struct model_volume volumes[MODEL_VOLUMES];
    struct model_volume flushed[MODEL_VOLUMES]; /* by slot: as of its family's last flush */
    struct map_volume *open[MODEL_VOLUMES];
    struct model_late *late;
    uint32_t late_count;
    uint32_t late_capacity;
    int job; /* 0 none, 1 a fold begun, 2 worked; 3, 4 a reclaim */
    int job_status;
    uint64_t synced; /* the journal's head when it was synced last */
};

uint32_t model_random(struct model *m, uint32_t below);
struct model *model_new(uint32_t seed, bool power);
void model_job(struct model *m);
void model_end_job(struct model *m);
/* The family's data goes to the disk, and its volumes are as they are now. */
void model_sync_family(struct model *m, uint32_t family);
int model_sync(void *arg, uint32_t family);
void model_flush_family(struct model *m, uint32_t family);
/* After -EAGAIN: everything that can be done is done. */
void model_make_room(struct model *m);
/* An existing volume's index, opened; -1. */
int model_pick(struct model *m);
void model_close(struct model *m, int i);
struct model_generation *model_head(struct model_volume *v);
int model_free_slot(struct model *m);
void model_create(struct model *m);
void model_clone(struct model *m);
void model_delete(struct model *m);
void model_late(struct model *m, const struct model_volume *v, uint64_t number, uint32_t block,
                uint32_t id);
/* Writes the ids at the runs' places. */
void model_data(uint32_t family, const struct map_run *runs, int count, const uint32_t *ids);
/* A write of these ids, and sometimes of another one between its two calls. */
void model_put(struct model *m, int i, struct model_generation *g, bool head, uint32_t first,
               uint32_t count, const uint32_t *ids, int depth);
void model_write(struct model *m);
void model_clear(struct model *m, int i, struct model_generation *g, bool head, uint32_t first,
                 uint32_t count);
void model_zero(struct model *m);
void model_flush(struct model *m);
struct model_generation *model_find(struct model_volume *v, uint64_t number);
void model_drop(struct model_volume *v, uint32_t idx);
void model_seal(struct model_volume *v, const struct uuid *identity);
void model_set_row(struct model *m, struct model_volume *v, struct message_command *command,
                   uint8_t value[4]);
void model_command(struct model *m, enum command_kind kind);
/* Blocks as they read. */
void model_read(uint32_t family, struct map_volume *open, uint64_t number,
                uint32_t ids[MODEL_BLOCKS]);
bool model_is_known(const struct model_volume *v, uint32_t g);
void model_verify_book(const struct model_volume *v, struct map_volume *open);
void model_verify_volume(struct model *m, int i);
void model_verify(struct model *m);
void model_note_used(void *arg, const struct map_slot *slot);
void model_check(struct model *m, bool all_reclaimed);
void model_close_all(struct model *m);
void model_reopen(struct model *m);
void model_garble_journal(struct model *m, uint64_t head);
bool model_is_late(const struct model *m, const struct uuid *uuid, uint32_t block, uint32_t id);
/* What is there now is taken as the truth, if it is old or new. */
void model_adopt(struct model *m, int i);
void model_power_loss(struct model *m);
void model_diff(struct model *m);
void model_space(struct model *m);
/* What another member has become while this one was away. */
void model_go_on(struct model *m, struct model_volume *v);
/* Sends one chunk of the book; the header again for the next one. */
void model_send(struct model *m, int i, struct writer *w, uint8_t *body, bool more);
void model_send_entry(struct model *m, int i, struct writer *w, uint8_t *body,
                      const struct book_entry *entry);
void model_install(struct model *m);
/* Makes one generation what it is elsewhere, and says so. */
void model_resync(struct model *m);
/* Everything is deleted: nothing is left. */
void model_finish(struct model *m);
void model_free(struct model *m);

/* Calls again while the map has no room. */
#define MODEL_RETRY(m, rc, call)                                                                   \
    do {                                                                                           \
        (rc) = (call);                                                                             \
        if ((rc) == -EAGAIN)                                                                       \
            model_make_room(m);                                                                    \
    } while ((rc) == -EAGAIN)

#endif
