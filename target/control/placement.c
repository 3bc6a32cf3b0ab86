/* SPDX-License-Identifier: Apache-2.0 */
/* Where a volume's members are, and what their replicas are told about them. */
#include "target/control/state.h"

#include "common/base/log.h"

bool peer_is_up(const struct peer *peer)
{
    struct peer_status status;
    peer_status(peer, &status);
    return status.up;
}

const struct placement *record_placement(const struct record *record, const struct uuid *member)
{
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        if (record->placements[i].peer && uuid_equal(&record->placements[i].member, member))
            return &record->placements[i];
    }
    return NULL;
}

/* The slot of the member, else one that is free or holds what is no member any more. */
static struct placement *record_slot(struct record *record, const struct uuid *member)
{
    struct placement *unused = NULL;
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        struct placement *placement = &record->placements[i];
        bool stranger = config_member_idx(&record->config, &placement->member) < 0 &&
                        !uuid_equal(&record->coming, &placement->member);
        if (placement->peer && uuid_equal(&placement->member, member))
            return placement;
        if (!placement->peer || (stranger && !(unused && (!unused->peer || placement->here))))
            unused = placement;
    }
    return unused;
}

const struct placement *record_present(const struct record *record, const struct uuid *member)
{
    const struct placement *placement = record_placement(record, member);
    return placement && placement->here && peer_is_up(placement->peer) ? placement : NULL;
}

void record_place(struct record *record, const struct uuid *member, struct peer *peer, bool deleted)
{
    struct placement *placement = record_slot(record, member);
    if (placement)
        *placement =
            (struct placement){.member = *member, .peer = peer, .here = true, .deleted = deleted};
}

bool record_is_stranger(const struct record *record, const struct uuid *member)
{
    return record->known && config_member_idx(&record->config, member) < 0 &&
           !uuid_equal(&record->coming, member);
}

void record_displace(struct record *record, const struct uuid *member)
{
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        if (uuid_equal(&record->placements[i].member, member))
            record->placements[i] = (struct placement){.peer = NULL};
    }
}

uint32_t config_data_count(const struct config *config, const struct uuid *but)
{
    uint32_t count = 0;
    for (uint8_t i = 0; i < config->member_count; i++) {
        const struct member *member = &config->members[i];
        count += member->kind == MEMBER_DATA && !member->leaving &&
                 !(but && uuid_equal(&member->uuid, but));
    }
    return count;
}

uint32_t record_members_up(const struct record *record)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < record->config.member_count; i++)
        count += record_present(record, &record->config.members[i].uuid) != NULL;
    return count;
}

bool peer_keeps(const struct record *record, const struct peer *peer)
{
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        const struct placement *placement = &record->placements[i];
        if (placement->peer == peer && (placement->here || !peer_is_up(peer)))
            return true;
    }
    return false;
}

/* Two addresses may lead to one pool. */
static bool pool_keeps(const struct record *record, const struct uuid *pool)
{
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        struct peer *peer = record->placements[i].peer;
        struct peer_status status = {.address = NULL};
        if (peer && peer_keeps(record, peer))
            peer_status(peer, &status);
        if (status.address && uuid_equal(&status.pool, pool))
            return true;
    }
    return false;
}

static bool peer_taken(const struct peer_status *status, struct peer *const *taken,
                       uint32_t taken_count)
{
    for (uint32_t i = 0; i < taken_count; i++) {
        struct peer_status other;
        peer_status(taken[i], &other);
        if (uuid_equal(&other.pool, &status->pool))
            return true;
    }
    return false;
}

struct peer *catalogue_choose(struct control *control, const struct record *record,
                              struct peer *const *taken, uint32_t taken_count)
{
    struct peer *best = NULL;
    uint64_t best_bytes = 0;
    for (uint32_t i = 0; i < peers_count(control->peers); i++) {
        struct peer *peer = peers_at(control->peers, i);
        struct peer_status status;
        peer_status(peer, &status);
        bool keeps = record && pool_keeps(record, &status.pool);
        if (!status.up || keeps || peer_taken(&status, taken, taken_count))
            continue;
        if (!best || status.free_bytes > best_bytes) {
            best = peer;
            best_bytes = status.free_bytes;
        }
    }
    return best;
}

/* ---- frames to one replica ---- */

struct config record_tombstone(const struct record *record)
{
    struct config config = record->volume ? *volume_config(record->volume) : record->config;
    config.deleted = true;
    config.version++;
    return config;
}

static void send_delete(const struct message_delete *del, struct peer *peer, peer_reply_fn *done,
                        void *arg)
{
    uint8_t body[MESSAGE_BYTES_MAX + EPITAPH_BYTES_MAX];
    struct writer w = writer_of(body, sizeof(body));
    message_delete_encode(&w, del);
    ASSERT(!w.bad);
    peer_call(peer,
              &(struct frame){
                  .type = FRAME_DELETE, .body = body, .body_bytes = (uint32_t)writer_length(&w)},
              done, arg);
}

void record_send_delete(const struct config *tombstone, const json_t *epitaph, struct peer *peer,
                        peer_reply_fn *done, void *arg)
{
    ASSERT(tombstone->deleted);
    struct message_delete del = {.config = *tombstone};
    char *text = epitaph ? json_dumps(epitaph, JSON_COMPACT) : NULL;
    size_t length = text ? strlen(text) : 0;
    if (length > 0 && length <= EPITAPH_BYTES_MAX)
        del.epitaph =
            (struct epitaph){.length_bytes = (uint32_t)length, .bytes = (const uint8_t *)text};
    send_delete(&del, peer, done, arg);
    free(text);
}

void record_send_forget(const struct config *config, const struct uuid *member, struct peer *peer,
                        peer_reply_fn *done, void *arg)
{
    ASSERT(!config->deleted && config_member_idx(config, member) < 0);
    send_delete(&(struct message_delete){.config = *config, .member = *member}, peer, done, arg);
}

void record_send_create(const struct config *config, const struct uuid *member,
                        const struct origin *origin, struct peer *peer, peer_reply_fn *done,
                        void *arg)
{
    uint8_t body[MESSAGE_BYTES_MAX];
    struct writer w = writer_of(body, sizeof(body));
    message_create_encode(&w, &(struct message_create){.member = *member,
                                                       .config = *config,
                                                       .origin = origin->volume,
                                                       .origin_generation = origin->generation});
    ASSERT(!w.bad && config_member_idx(config, member) >= 0);
    peer_call(peer,
              &(struct frame){
                  .type = FRAME_CREATE, .body = body, .body_bytes = (uint32_t)writer_length(&w)},
              done, arg);
}

void peer_refused(struct peer *peer, const struct frame *reply, const char *what)
{
    struct peer_status status;
    peer_status(peer, &status);
    log_warn("replica %s: %s (%s)", status.address, what, frame_status_text(reply->status));
}
