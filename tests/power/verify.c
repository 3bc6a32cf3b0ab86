/* SPDX-License-Identifier: Apache-2.0 */
/* What is there after a crash, against what may be there. */
#include "common/wire/generation.h"
#include "replica/map/map.h"
#include "tests/power/disk.h"
#include "tests/power/pool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct model found; /* what the model becomes */

uint64_t block_serial(const uint8_t *bytes, uint32_t block)
{
    static const uint8_t zeros[BLOCK_BYTES];
    struct stamp stamp;
    if (memcmp(bytes, zeros, BLOCK_BYTES) == 0)
        return 0;
    memcpy(&stamp, bytes, sizeof(stamp));
    for (uint32_t at = 0; at < BLOCK_BYTES; at += sizeof(stamp))
        MUST(memcmp(bytes + at, &stamp, sizeof(stamp)) == 0, "block %u is torn", block);
    MUST(stamp.block == block, "block %u shows block %llu", block, (unsigned long long)stamp.block);
    return stamp.serial;
}

/* Which volumes are there. */

static void see_volume(void *arg, const struct uuid *uuid, enum store_kept kept,
                       const uint8_t *const meta[2])
{
    (void)meta;
    bool *there = arg;
    for (uint32_t i = 0; i < MODEL_VOLUMES; i++) {
        if (kept != STORE_DELETED && uuid_equal(&found.volumes[i].uuid, uuid) &&
            (found.volumes[i].exists || found.volumes[i].appears)) {
            there[i] = true;
            return;
        }
    }
    MUST(kept == STORE_DELETED, "a volume is there that was deleted");
}

static void verify_list(struct pool *pool)
{
    bool there[MODEL_VOLUMES] = {false};
    struct error error;
    MUST(store_list(pool->store, see_volume, there, &error) == 0, "%s", error.text);
    for (uint32_t i = 0; i < MODEL_VOLUMES; i++) {
        struct volume *volume = &found.volumes[i];
        MUST(there[i] || !volume->exists || volume->goes, "volume %u is not there", i);
        if (!there[i])
            model_gone(&found, volume);
        volume->exists = there[i];
        volume->appears = volume->goes = false;
    }
}

/* Metadata pages. */

static void verify_page(struct history *history, const uint8_t *page, const char *what, bool killed)
{
    struct stamp first = {0};
    bool whole = true;
    if (history_is_open(history, killed)) {
        history_failed(history);
        return;
    }
    for (uint32_t at = 0; at < BLOCK_BYTES; at += sizeof(first)) {
        struct stamp stamp;
        memcpy(&stamp, page + at, sizeof(stamp));
        if (at == 0)
            first = stamp;
        whole = whole && stamp.serial == first.serial;
        MUST(history_has(history, stamp.serial, killed), "%s: %llu", what,
             (unsigned long long)stamp.serial);
    }
    MUST(whole || history->count > 1, "%s is torn", what);
    if (whole)
        history_found(history, first.serial, killed);
}

static void verify_pages(struct pool *pool, uint32_t idx, bool killed)
{
    struct volume *volume = &found.volumes[idx];
    const struct store_found *store_found = store_volume_found(pool->open[idx]);
    verify_page(&volume->meta[0], store_found->meta[0], "meta.0", killed);
    verify_page(&volume->meta[1], store_found->meta[1], "meta.1", killed);
    verify_page(&volume->drl, store_found->drl, "drl", killed);
    MUST(killed || !store_found->same_boot, "the planes count after a power loss");
}

/* Contents. */

static void verify_block(struct generation *g, uint32_t block, uint64_t serial, bool killed)
{
    struct history *history = &g->blocks[block];
    bool fine = g->sealed == MODEL_NEVER ? history_has(history, serial, killed)
                                         : history_newest(history) == serial;
    if (!fine) {
        for (uint32_t i = 0; i < history->count; i++)
            fprintf(stderr, "%llu at %llu\n", (unsigned long long)history->values[i].serial,
                    (unsigned long long)history->values[i].acked);
    }
    MUST(fine, "generation %llu%s, block %u: %llu, which cannot be", (unsigned long long)g->number,
         g->sealed == MODEL_NEVER ? " (head)" : "", block, (unsigned long long)serial);
    history_found(history, serial, killed);
}

/* How many blocks from the first on are read at once; what is open is left out. */
static uint32_t next_blocks(struct generation *g, uint32_t *first, uint32_t blocks, bool killed)
{
    uint32_t count = 0, most = 1 + (uint32_t)pick(40);
    while (*first < blocks && history_is_open(&g->blocks[*first], killed))
        history_failed(&g->blocks[(*first)++]);
    while (count < most && *first + count < blocks &&
           !history_is_open(&g->blocks[*first + count], killed))
        count++;
    return count;
}

static void verify_generation(struct pool *pool, uint32_t idx, struct generation *g, bool killed)
{
    uint32_t blocks = pool->model->volumes[idx].blocks;
    bool head = g->sealed == MODEL_NEVER;
    uint32_t first = 0;
    for (uint32_t count; (count = next_blocks(g, &first, blocks, killed)) > 0; first += count) {
        struct store_req req = {.op = STORE_READ,
                                .generation = head ? 0 : g->number,
                                .offset_bytes = (uint64_t)first * BLOCK_BYTES,
                                .length_bytes = (uint64_t)count * BLOCK_BYTES,
                                .data = slice_get(&pool->bufs, count * BLOCK_BYTES)};
        int status = pool_do(pool, idx, &req);
        MUST(status == 0, "volume %u, generation %llu%s, blocks %u to %u: %s", idx,
             (unsigned long long)g->number, head ? " (head)" : "", first, first + count - 1,
             strerror(-status));
        for (uint32_t i = 0; i < count; i++)
            verify_block(g, first + i,
                         block_serial(req.data.bytes + (size_t)i * BLOCK_BYTES, first + i), killed);
        slice_release(&req.data);
    }
}

/* What is counted is what is listed. */
static void verify_space(struct pool *pool, uint32_t idx)
{
    static uint8_t runs[DIFF_RUNS_MAX * 16];
    struct store_req req = {.op = STORE_SPACE,
                            .reply = {.bytes = runs, .length_bytes = sizeof(runs)}};
    struct message_space space;
    uint64_t data_bytes = 0, size_bytes = (uint64_t)found.volumes[idx].blocks * BLOCK_BYTES;
    MUST(pool_do(pool, idx, &req) == 0, "no space is told");
    struct reader r = reader_of(req.reply.bytes, req.reply.length_bytes);
    message_space_decode(&r, &space);
    for (uint64_t at = 0; at < size_bytes; at += req.length_bytes) {
        req = (struct store_req){.op = STORE_DIFF,
                                 .reply = {.bytes = runs, .length_bytes = sizeof(runs)},
                                 .offset_bytes = at,
                                 .length_bytes = size_bytes - at};
        MUST(pool_do(pool, idx, &req) == 0, "no difference is told");
        r = reader_of(req.reply.bytes, req.reply.length_bytes);
        while (reader_left(&r) > 0) {
            struct diff_run run;
            diff_run_decode(&r, &run);
            data_bytes += run.state == DIFF_DATA ? run.length_bytes : 0;
        }
    }
    MUST(space.logical_bytes == data_bytes, "volume %u: %llu bytes are counted, there are %llu",
         idx, (unsigned long long)space.logical_bytes, (unsigned long long)data_bytes);
    MUST(space.unique_bytes + space.reclaimable_bytes + space.shared_bytes >= data_bytes,
         "volume %u: less is stored than shown", idx);
}

/* Of a volume that takes another member's over: what is complete. */
static bool is_told(const struct pool *pool, uint32_t idx, const struct generation *g)
{
    const struct lineage *lineage = &store_volume_found(pool->open[idx])->lineage;
    return !found.volumes[idx].rebuild.active ||
           (g->sealed != MODEL_NEVER &&
            (lineage->incomplete_generation == 0 || g->number < lineage->incomplete_generation));
}

static void verify_volume(struct pool *pool, uint32_t idx, bool killed)
{
    struct volume *volume = &found.volumes[idx];
    for (uint32_t i = 0; i < volume->count; i++) {
        if (volume->generations[i].dropped == MODEL_NEVER &&
            is_told(pool, idx, &volume->generations[i]))
            verify_generation(pool, idx, &volume->generations[i], killed);
    }
    for (uint32_t b = 0; b < MODEL_BLOCKS; b++) {
        if (volume->doubtful[b])
            volume->doubtful[b] = 1;
    }
    verify_space(pool, idx);
}

static void verify_rebuild(const struct pool *pool, uint32_t idx, bool killed)
{
    const struct lineage *lineage = &store_volume_found(pool->open[idx])->lineage;
    if (!found.volumes[idx].rebuild.active)
        return;
    const char *wrong = model_rebuild_found(&found.volumes[idx], lineage->command,
                                            lineage->incomplete_generation, killed);
    MUST(!wrong, "volume %u: %s", idx, wrong);
}

/* What was interrupted goes on; then all of it is as it is at the other member. */
static void verify_rebuilt(struct pool *pool, uint32_t idx)
{
    struct volume *volume = &pool->model->volumes[idx];
    if (!pool_rebuild_go_on(pool, volume))
        return;
    for (uint32_t i = 0; i < volume->count; i++)
        verify_generation(pool, idx, &volume->generations[i], true);
    verify_space(pool, idx);
}

void pool_verify(struct pool *pool, bool killed)
{
    uint64_t commands[MODEL_VOLUMES] = {0};
    memcpy(&found, pool->model, sizeof(found));
    verify_list(pool);
    for (uint32_t i = 0; i < MODEL_VOLUMES; i++) {
        commands[i] = found.volumes[i].command;
        if (!found.volumes[i].exists || found.volumes[i].failed)
            continue;
        pool_volume_open(pool, i, pick(2));
        found.volumes[i].failed = pool->model->volumes[i].failed;
        if (!pool->open[i])
            continue;
        verify_pages(pool, i, killed);
        commands[i] = store_volume_found(pool->open[i])->lineage.command;
        verify_rebuild(pool, i, killed);
    }
    pool_mend(pool);
    const char *wrong = model_roll_back(&found, commands, killed);
    MUST(!wrong, "%s", wrong);
    for (uint32_t i = 0; i < MODEL_VOLUMES; i++) {
        if (!pool->open[i])
            continue;
        MUST(store_volume_found(pool->open[i])->lineage.head_generation ==
                 model_head(&found.volumes[i])->number,
             "volume %u has another head", i);
        verify_volume(pool, i, killed);
    }
    disk_lock();
    memcpy(pool->model, &found, sizeof(found));
    pool->model->damage.active = false;
    disk_unlock();
    for (uint32_t i = 0; i < MODEL_VOLUMES; i++) {
        if (pool->open[i] && pool->model->volumes[i].rebuild.active)
            verify_rebuilt(pool, i);
    }
}

static int sync_nothing(void *arg, uint32_t family)
{
    (void)arg;
    (void)family;
    return 0;
}

static void on_finding(void *arg, const char *words)
{
    (void)arg;
    fprintf(stderr, "check: %s\n", words);
}

void pool_check(const struct pool *pool)
{
    const struct map_settings settings = {
        .directory = pool->root, .boot = pool->boot, .sync = sync_nothing};
    struct error error;
    struct map *map = map_open(&settings, &error);
    MUST(map, "%s", error.text);
    int findings = map_check(map, on_finding, NULL, NULL);
    MUST(findings == 0, "the check finds %d", findings);
    map_close(map);
}
