/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a volume's members need and nobody has to ask for. A stranger, which a replica keeps though
 * it is no member any more or never became one, is deleted there: only on the word of a
 * configuration of our own epoch, and the replica looks for itself whether it knows a newer one. A
 * member whose data is at none of the replica processes, all of which are up, was wiped: it is
 * replaced. So is one whose replica is away for too long, if that was set.
 */
#include "target/control/member.h"

#include "common/base/log.h"

#include <stdlib.h>

enum { HEAL_TICK_S = 1 };

/* ---- strangers ---- */

struct stranger {
    struct control *control;
    struct uuid volume;
    struct uuid member;
    struct peer *peer;
};

static void on_forgotten(void *arg, const struct frame *reply)
{
    struct stranger *stranger = arg;
    bool gone = reply && (reply->status == FRAME_OK || reply->status == FRAME_NO_VOLUME);
    struct record *record = NULL;
    if (!stranger->control->stopping)
        record = catalogue_find_id(stranger->control, &stranger->volume);
    if (record && gone)
        record_displace(record, &stranger->member);
    else if (record && reply)
        peer_refused(stranger->peer, reply, "what is left of a former replica stays there");
    free(stranger);
}

static void strangers_delete(struct record *record)
{
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        struct placement *placement = &record->placements[i];
        bool told = !placement->peer || !placement->here || placement->deleted;
        if (told || !record_is_stranger(record, &placement->member))
            continue;
        struct stranger *stranger = malloc(sizeof(*stranger));
        ASSERT(stranger);
        *stranger = (struct stranger){.control = record->control,
                                      .volume = record->config.volume,
                                      .member = placement->member,
                                      .peer = placement->peer};
        placement->deleted = true;
        struct peer_status status;
        peer_status(placement->peer, &status);
        log_info("volume %s: %s keeps what is no replica of it any more: deleted there",
                 record->config.name, status.address);
        record_send_forget(&record->config, &stranger->member, stranger->peer, on_forgotten,
                           stranger);
    }
}

/* ---- members without data ---- */

static bool all_peers_up(struct control *control)
{
    for (uint32_t i = 0; i < peers_count(control->peers); i++) {
        if (!peer_is_up(peers_at(control->peers, i)))
            return false;
    }
    return true;
}

/* Where it was, if that is empty now; else where there is space. NULL: nowhere. */
static struct peer *heal_peer(struct record *record, const struct uuid *member)
{
    const struct placement *placement = record_placement(record, member);
    if (placement && peer_is_up(placement->peer) && !peer_keeps(record, placement->peer))
        return placement->peer;
    return catalogue_choose(record->control, record, NULL, 0);
}

/* NULL, or why the member is to be replaced. *waits: maybe later. */
static const char *heal_why(const struct record *record, const struct member *member, bool *waits)
{
    struct control *control = record->control;
    const struct placement *placement = record_placement(record, &member->uuid);
    uint64_t lost_ns = placement ? placement->lost_ns : control->started_ns;
    if (member->leaving || member->in_sync || record_present(record, &member->uuid))
        return NULL;
    if (control->heal && all_peers_up(control))
        return "the data of a replica is nowhere to be found";
    if (control->replace_after_ns == 0)
        return NULL;
    *waits = true;
    return lost_ns + control->replace_after_ns <= loop_now_ns(control->loop)
               ? "a replica was away for too long"
               : NULL;
}

static void heal(struct record *record)
{
    struct control *control = record->control;
    const struct config *config = &record->config;
    struct repl_status status;
    bool waits = false;
    volume_status(record->volume, &status);
    bool ready = status.state == REPL_SERVING || status.state == REPL_FROZEN;
    if (record->job || record->making > 0 || !ready || config->member_count == MEMBERS_MAX)
        return;
    for (uint8_t i = 0; i < config->member_count; i++) {
        const char *why = heal_why(record, &config->members[i], &waits);
        struct peer *peer = why ? heal_peer(record, &config->members[i].uuid) : NULL;
        if (peer && record->heal_ns <= loop_now_ns(control->loop)) {
            member_replace(record, &config->members[i], peer, why);
            break;
        }
        waits = waits || peer;
    }
    if (waits)
        loop_timer_start(&control->heal_tick, HEAL_TICK_S * (uint64_t)1000000000);
}

void members_look(struct record *record)
{
    struct control *control = record->control;
    record->look = false;
    if (record->state != RECORD_LIVE || !record->volume || record->stopping || record->fenced ||
        !record->known || control->stopping)
        return;
    member_settle(record);
    strangers_delete(record);
    heal(record);
}

void heal_tick(struct loop_timer *timer)
{
    struct control *control = CONTAINER_OF(timer, struct control, heal_tick);
    LIST_FOR_EACH (node, &control->records)
        record_look(CONTAINER_OF(node, struct record, node));
}
