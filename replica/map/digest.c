/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of generations, and the rows of the hashes they are made from. */
#include "replica/map/digest.h"

#include "replica/map/stored.h"
#include "replica/map/volume.h"

#include <errno.h>

#define STATE_NUMBER NUMBER_48MAX /* in the place of a group's number */

enum { STATE_BYTES = 3 * 8 + 2 * UUID_BYTES };

int map_digest(struct map_volume *volume, uint64_t generation, struct uuid *identity,
               uint8_t sha256[DIGEST_BYTES])
{
    struct branch *branch;
    const struct generation *g = generation ? lookup_generation(volume, generation, &branch) : NULL;
    if (!g || !g->row.sealed || !g->row.complete)
        return -ENOENT;
    *identity = g->row.identity;
    memcpy(sha256, g->row.digest, DIGEST_BYTES);
    return g->row.digested;
}

int map_digest_set(struct map_volume *volume, uint64_t generation, const struct uuid *identity,
                   const uint8_t sha256[DIGEST_BYTES])
{
    struct map *map = volume->map;
    struct branch *branch;
    struct generation *g = generation ? lookup_generation(volume, generation, &branch) : NULL;
    if (map->failed)
        return -EIO;
    if (!g || !g->row.sealed || !g->row.complete || !uuid_equal(&g->row.identity, identity))
        return -ENOENT;
    if (!map_fits(map, GENERATION_PUT_BYTES))
        return -EAGAIN;
    g->row.digested = true;
    memcpy(g->row.digest, sha256, DIGEST_BYTES);
    struct writer w = journal_begin(&map->journal, GENERATION_PUT_BYTES);
    generation_put(&w, branch, g);
    volume_recorded(volume, &w);
    return 0;
}

uint32_t map_volume_number(const struct map_volume *volume)
{
    return volume->row.id;
}

/* Work. */

static void state_encode(struct writer *w, const struct map_hashes *state)
{
    write_u64(w, state->from);
    write_bytes(w, state->from_identity.bytes, UUID_BYTES);
    write_u64(w, state->to);
    write_bytes(w, state->to_identity.bytes, UUID_BYTES);
    write_u64(w, state->next_group);
}

static void state_decode(struct reader *r, struct map_hashes *state)
{
    state->from = read_u64(r);
    read_copy(r, state->from_identity.bytes, UUID_BYTES);
    state->to = read_u64(r);
    read_copy(r, state->to_identity.bytes, UUID_BYTES);
    state->next_group = read_u64(r);
    r->bad = r->bad || reader_left(r) > 0;
}

static int state_put(struct stored *stored, uint32_t volume, const struct map_hashes *state)
{
    uint8_t bytes[STATE_BYTES];
    struct writer w = writer_of(bytes, sizeof(bytes));
    struct key key = key_step(volume, STATE_NUMBER);
    state_encode(&w, state);
    ASSERT(!w.bad && writer_left(&w) == 0);
    return stored_put(stored, TABLE_DIGESTS, &key, bytes, sizeof(bytes));
}

int map_hashes_state_work(struct map *map, uint32_t volume, struct map_hashes *state, bool *known)
{
    struct stored stored;
    struct reader r;
    struct key key = key_step(volume, STATE_NUMBER);
    *state = (struct map_hashes){0};
    int rc = stored_begin(&stored, map);
    if (rc == 0)
        rc = stored_get(&stored, TABLE_DIGESTS, &key, &r);
    *known = rc == 1;
    if (rc == 1)
        state_decode(&r, state);
    *known = *known && !r.bad;
    stored_abort(&stored);
    return rc < 0 ? rc : 0;
}

int map_hashes_clear_work(struct map *map, uint32_t volume, bool *ended)
{
    struct stored stored;
    struct key key = key_step(volume, STATE_NUMBER);
    int rc = stored_begin(&stored, map);
    if (rc == 0)
        rc = stored_delete(&stored, TABLE_DIGESTS, &key);
    if (rc == 0)
        rc = stored_delete_some(&stored, TABLE_DIGESTS, volume, 0, ended);
    if (rc == 0)
        rc = stored_commit(&stored);
    stored_abort(&stored);
    return rc;
}

int map_hashes_load_work(struct map *map, uint32_t volume, uint64_t number,
                         struct digest_group *group)
{
    struct stored stored;
    struct hashes_row row;
    struct reader r;
    struct key key = key_step(volume, number);
    digest_group_clear(group);
    int rc = stored_begin(&stored, map);
    if (rc == 0)
        rc = stored_get(&stored, TABLE_DIGESTS, &key, &r);
    if (rc == 1) {
        hashes_row_decode(&r, &row, group);
        rc = r.bad ? stored_error(&stored, MDB_CORRUPTED) : 0;
    }
    stored_abort(&stored);
    return rc;
}

int map_hashes_store_work(struct map *map, uint32_t volume, uint64_t number,
                          const struct digest_group *group, const struct map_hashes *state)
{
    struct stored stored;
    struct hashes_row row;
    uint8_t bytes[HASHES_ROW_BYTES_MAX];
    struct writer w = writer_of(bytes, sizeof(bytes));
    struct key key = key_step(volume, number);
    digest_group_hash(group, row.hash);
    hashes_row_encode(&w, &row, group);
    ASSERT(!w.bad);
    int rc = stored_begin(&stored, map);
    if (rc == 0 && group->count > 0)
        rc = stored_put(&stored, TABLE_DIGESTS, &key, bytes, writer_length(&w));
    else if (rc == 0)
        rc = stored_delete(&stored, TABLE_DIGESTS, &key);
    if (rc == 0)
        rc = state_put(&stored, volume, state);
    if (rc == 0)
        rc = stored_commit(&stored);
    stored_abort(&stored);
    return rc;
}

/* All groups' hashes, which each row begins with. */
static int add_groups(struct stored *stored, uint32_t volume, struct digest *digest)
{
    for (uint64_t number = 0;; number++) {
        struct reader k, v;
        struct key key = key_step(volume, number);
        int rc = stored_seek(stored, TABLE_DIGESTS, &key, &k, &v);
        if (rc <= 0 || read_u32(&k) != volume)
            return rc < 0 ? rc : 0;
        number = row_u48_decode(&k);
        if (number == STATE_NUMBER)
            return 0;
        const uint8_t *hash = read_bytes(&v, DIGEST_BYTES);
        if (k.bad || v.bad)
            return stored_error(stored, MDB_CORRUPTED);
        digest_add(digest, number, hash);
    }
}

int map_hashes_end_work(struct map *map, uint32_t volume, const struct map_hashes *state,
                        uint8_t sha256[DIGEST_BYTES])
{
    struct stored stored;
    struct digest *digest = digest_new();
    int rc = stored_begin(&stored, map);
    if (rc == 0)
        rc = add_groups(&stored, volume, digest);
    if (rc == 0)
        rc = state_put(&stored, volume, state);
    if (rc == 0)
        rc = stored_commit(&stored);
    stored_abort(&stored);
    digest_end(digest, sha256);
    digest_free(digest);
    return rc;
}
