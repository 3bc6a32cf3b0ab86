/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests of sealed generations, computed when somebody asks, one at a time in the whole pool, by
 * the thread of low priority (hasher.h): pieces are read like any other request, and only those
 * that differ from the generation whose hashes the map has. What was done of it is kept group by
 * group (1 GiB), also when the volume is closed or the process killed in between: who asks again
 * has it gone on (private to the room).
 *
 * To verify is to read all of a generation, to compute all hashes anew and to keep none. What
 * cannot be read or is not what it was is told until it is verified once more.
 */
#ifndef STRAKE_STORE_DIGESTER_H
#define STRAKE_STORE_DIGESTER_H

#include "common/net/loop.h"
#include "replica/map/map.h"
#include "replica/store/hasher.h"
#include "replica/store/request.h"
#include "replica/store/worker.h"

enum { DIGEST_TASKS = 4 }; /* of a volume; who asks for more than are free asks again */

/* What was asked for lately, of an open volume. */
struct digest_task {
    uint64_t generation; /* 0: free */
    struct uuid identity;
    uint64_t order; /* in which they were asked for, in the whole pool */
    enum digest_state state;
    bool verify;
    bool verify_next; /* asked for while it was computed */
    int status;       /* the last one came to nothing: to be told once */
    uint64_t done_bytes;
    uint8_t sha256[DIGEST_BYTES];
};

struct store;

struct digester {
    struct store *store;         /* of the caller */
    struct store_volume *volume; /* whose task is under way, or NULL */
    struct digest_task *task;
    uint64_t order;
    struct loop_task go_on;
    struct work work;
    int status;                  /* of the work */
    struct loop_timer next_turn; /* to look on in the map */
    struct hasher hasher;        /* of a group: its hashes once they are loaded */
    struct map_hashes state;
    bool known;      /* the state is */
    bool comparable; /* VERIFY: the map has the hashes of this very generation */
    bool cleared;
    bool some;                        /* of the hasher's group some pieces are wanted */
    uint64_t position_bytes;          /* what is before it was looked at */
    struct digest_group expected;     /* VERIFY, comparable */
    uint8_t group_hash[DIGEST_BYTES]; /* VERIFY */
    struct digest *digest;            /* VERIFY, owned */
};

void digester_init(struct digester *digester, struct store *store);
void digester_release(struct digester *digester);
/* STORE_DIGEST: what is known, and more is found out if need be. 0, -EAGAIN, or another -errno. */
MUST_USE int digester_ask(struct store_req *req);
/* Something of the volume is under way; when it is closing, volume_go_on_closing follows. */
bool digester_is_busy_with(const struct digester *digester, const struct store_volume *volume);

#endif
