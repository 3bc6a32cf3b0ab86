/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of the management room: the catalogue of volumes as the replicas tell it, what may be
 * done with them, and the HTTP API over which tools ask for it. Drives the volumes from above and
 * is never in the path of a read or a write.
 *
 *   GET    /v1/status               the target, its listeners, the replicas it reaches
 *   GET    /v1/volumes              all volumes; ?deleted=1 with the records of deleted ones: "was"
 *   POST   /v1/volumes              {"name", "size_bytes" or "clone_of": "VOLUME@SNAPSHOT",
 *                                   "replicas"?, "witness"?, "block_bytes"?, "owner"?, "message"?,
 *                                   "labels"?}
 *                                   201 and the volume, once every replica has made it
 *   GET    /v1/volumes/NAME         one volume: identity, members, state and the reason for it
 *   PATCH  /v1/volumes/NAME         {"owner"?, "message"?, "labels"?}: what is given is
 *                                   changed; a label that is null is removed. {"size_bytes"}:
 *                                   it grows while clients use it; answered when it has
 *   DELETE /v1/volumes/NAME         the data goes, the record stays; ?force=1 although clients use
 *                                   it, or fewer than a majority of its replicas are up
 *   GET    /v1/volumes/NAME/members         who keeps it, who is in sync, and why another is not
 *   POST   /v1/volumes/NAME/members         {"replica"?: address, "witness"?, "replaces"?: MEMBER}
 *   DELETE /v1/volumes/NAME/members/MEMBER  it goes, once the others do without it. MEMBER is an
 *                                   id, 8 characters of it or more, or a replica's address
 *   GET    /v1/volumes/NAME/diff    ?from=A&to=B&offset=N: ranges that changed from snapshot A
 *                                   (not given: all that is there) to B (not given: now); a piece
 *                                   of the answer, which goes on at "next_offset_bytes"
 *   GET    /v1/volumes/NAME/snapshots          ?label=K=V, more than once: those that have all
 *   POST   /v1/volumes/NAME/snapshots          {"name"?, "message"?, "labels"?}
 *   GET    /v1/volumes/NAME/snapshots/SNAP     SNAP is its name, or "sha256:..." of its content
 *   PATCH  /v1/volumes/NAME/snapshots/SNAP     {"message"?, "labels"?}
 *   DELETE /v1/volumes/NAME/snapshots/SNAP     refused while clients use it
 *   POST   /v1/volumes/NAME/snapshots/SNAP/revert   {"keep"?: name of what the volume has now}
 *   POST   /v1/volumes/NAME/snapshots/SNAP/digest   {"verify"?}: the replicas begin to compute it,
 *   GET    .../digest                               or to read all again; asked until they are done
 *   POST   /v1/volumes/NAME/scrub   begins one, if none is under way
 *   GET    /v1/volumes/NAME/scrub   what the last one found, how far one is that is "running", when
 *                                   the next is due
 *   GET    /v1/sessions             the clients' connections
 *   DELETE /v1/sessions/ID          closes one; its requests in flight stay unanswered
 *
 * NAME may also be a volume's id. An error is {"error": "one line"} with the fitting HTTP status.
 */
#ifndef STRAKE_CONTROL_CONTROL_H
#define STRAKE_CONTROL_CONTROL_H

#include "target/front/front.h"
#include "target/peers/peers.h"
#include "target/volume/volume.h"

struct control;

/* The volumes that are this target's business; the others belong to other targets. */
struct control_share {
    const char *names; /* patterns with * and ?, by commas; NULL or "": all names */
    uint32_t number;   /* 1 to count: which share of all identities; count 0: all */
    uint32_t count;
};

struct control_settings {
    struct control_share share; /* its text is the caller's */
    const char *socket_path;    /* of the API's unix socket */
    struct repl_settings repl;
    bool list_snapshots; /* discovery shows them as well as volumes */
    bool no_heal;        /* members whose data is gone are not replaced unless somebody asks */
    uint64_t replace_after_ns; /* those that are away for so long are replaced; 0: never */
    uint64_t scrub_every_s;    /* each volume is scrubbed once in so long; 0: never */
    uint32_t ops_max;          /* replicated operations in flight, all volumes together */
};

struct control *control_new(const struct control_settings *settings, struct loop *loop,
                            struct stream_sender *sender, struct buf_pool *bufs,
                            struct front *front, const struct uuid *process, struct error *error);
/* Replicas are added to these; the catalogue hears of their volumes. */
struct peers *control_peers(struct control *control);
/*
 * Stops every volume cleanly, then `done`. The front must have stopped, or its requests be in
 * flight no longer.
 */
void control_stop(struct control *control, void (*done)(void *arg), void *arg);
/* After control_stop. The volumes go as well: before front_free, which has their exports. */
void control_free(struct control *control);

#endif
