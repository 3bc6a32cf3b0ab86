/* SPDX-License-Identifier: Apache-2.0 */
/* Every digest that is known, computed again from what lies there. */
#include "tools/check/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS_MAX = 17 };

struct content {
    struct pool *pool;
    struct map_volume *volume;
    struct map_info info;
    uint64_t generation;
    struct digest_group group;
    uint8_t bytes[DIGEST_PIECE_BYTES];
};

static int read_piece(struct content *content, uint64_t offset_bytes, uint64_t length_bytes)
{
    uint64_t done = 0;
    memset(content->bytes, 0, sizeof(content->bytes));
    while (done < length_bytes) {
        struct map_run runs[RUNS_MAX];
        int count = map_find(content->volume, content->generation, offset_bytes + done,
                             length_bytes - done, runs, RUNS_MAX);
        for (int i = 0; i < count; i++) {
            int rc = 0;
            if (runs[i].state == MAP_DATA)
                rc = data_read(content->pool, content->info.family, runs[i].segment,
                               runs[i].offset_bytes, content->bytes + done, runs[i].length_bytes);
            if (rc)
                return rc;
            done += runs[i].length_bytes;
        }
        if (count <= 0)
            return count < 0 ? count : -EIO;
    }
    return 0;
}

/* How many bytes from here on, up to a whole number of pieces, are not stored at all. */
static int skip(struct content *content, uint64_t offset_bytes, uint64_t *skipped_bytes)
{
    struct map_run run;
    uint64_t left = content->info.size_bytes - offset_bytes;
    int rc = map_find(content->volume, content->generation, offset_bytes, left, &run, 1);
    *skipped_bytes = 0;
    if (rc == 1 && run.state == MAP_ABSENT && run.length_bytes == left)
        *skipped_bytes = left;
    else if (rc == 1 && run.state == MAP_ABSENT)
        *skipped_bytes = run.length_bytes / DIGEST_PIECE_BYTES * DIGEST_PIECE_BYTES;
    return rc < 0 ? rc : 0;
}

static void end_group(struct content *content, struct digest *digest, uint64_t number)
{
    uint8_t hash[DIGEST_BYTES];
    if (content->group.count > 0) {
        digest_group_hash(&content->group, hash);
        digest_add(digest, number, hash);
    }
    digest_group_clear(&content->group);
}

static int compute(struct content *content, struct digest *digest)
{
    uint64_t size = content->info.size_bytes, group = 0, skipped;
    digest_group_clear(&content->group);
    for (uint64_t at = 0; at < size;) {
        int rc = skip(content, at, &skipped);
        if (rc == 0 && skipped == 0) {
            uint64_t length = size - at < DIGEST_PIECE_BYTES ? size - at : DIGEST_PIECE_BYTES;
            if (at / DIGEST_GROUP_BYTES != group)
                end_group(content, digest, group);
            group = at / DIGEST_GROUP_BYTES;
            rc = read_piece(content, at, length);
            uint32_t piece = (uint32_t)(at % DIGEST_GROUP_BYTES / DIGEST_PIECE_BYTES);
            digest_group_set(&content->group, piece, content->bytes, (uint32_t)length);
            skipped = length;
        }
        if (rc)
            return rc;
        at += skipped;
    }
    end_group(content, digest, group);
    return 0;
}

static void check_generation(struct content *content, const struct uuid *volume,
                             const uint8_t want[DIGEST_BYTES])
{
    char name[UUID_TEXT_BYTES];
    uint8_t sha256[DIGEST_BYTES];
    struct digest *digest = digest_new();
    int rc = compute(content, digest);
    digest_end(digest, sha256);
    digest_free(digest);
    uuid_format(volume, name);
    if (rc)
        pool_found(content->pool, "volume %s, generation %llu: cannot be read as a whole", name,
                   (unsigned long long)content->generation);
    else if (memcmp(sha256, want, sizeof(sha256)) != 0)
        pool_found(content->pool,
                   "volume %s, generation %llu: its content is not the one its digest is of", name,
                   (unsigned long long)content->generation);
}

static void check_volume(void *arg, const struct uuid *volume, uint32_t family)
{
    struct content *content = arg;
    struct uuid identity;
    uint8_t sha256[DIGEST_BYTES];
    (void)family;
    int rc = map_volume_open(content->pool->map, volume, &content->volume);
    if (rc) {
        content->pool->error = rc;
        return;
    }
    map_volume_info(content->volume, &content->info);
    for (uint64_t number = 1; number < content->info.lineage.head_generation; number++) {
        content->generation = number;
        if (map_digest(content->volume, number, &identity, sha256) == 1)
            check_generation(content, volume, sha256);
    }
    map_volume_close(content->volume);
}

void digests_check(struct pool *pool)
{
    struct content *content = calloc(1, sizeof(*content));
    ASSERT(content);
    content->pool = pool;
    map_volume_each(pool->map, check_volume, content);
    free(content);
}
