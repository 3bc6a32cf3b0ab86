/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scrubs: when volumes have their turn without being asked, and what the last one of each found,
 * which is the row `scrub` of the volume's book. Private to the control room.
 */
#ifndef STRAKE_CONTROL_SCRUB_H
#define STRAKE_CONTROL_SCRUB_H

#include "target/volume/volume.h"

struct control;
struct record;

struct scrub_result {
    uint64_t ended_s; /* since 1970; 0: there was none */
    uint64_t done_bytes;
    uint64_t found;      /* damaged pieces */
    uint64_t unrepaired; /* of these */
};

/* Of one volume. */
struct scrub_state {
    enum {
        SCRUB_OVER,
        SCRUB_RUNS,
        SCRUB_ENDED, /* its result is being written into the book */
    } phase;
    uint64_t began_s;
    uint32_t ended_before;      /* repl_scrub_status.ended when it began */
    struct scrub_result result; /* ENDED: what is being written */
    struct scrub_result last;
};

/*
 * When a volume that was scrubbed (or created) at `last_s` is due. The turns of a volume are a
 * period apart, and its identity says where in the period they are.
 */
uint64_t scrub_due_s(const struct uuid *id, uint64_t last_s, uint64_t now_s, uint64_t period_s);
/* The same of a record; UINT64_MAX: never. */
uint64_t scrub_record_due_s(const struct record *record, uint64_t now_s);
/* Begins one, if none is under way. */
void scrub_begin(struct record *record, uint64_t now_s);
/* If it ended, its result is kept. */
void scrub_look(struct record *record, uint64_t now_s);
/*
 * Looks at all volumes, and begins the scrub that is due and waits the longest. Returns after how
 * many seconds to look again; UINT64_MAX: not before something is different.
 */
uint64_t scrub_turns(struct control *control, uint64_t now_s);
/* The run of control.scrub_tick. */
void scrub_tick(struct loop_timer *timer);
/* The record's book was read. */
void scrub_known(struct record *record);

#endif
