/* SPDX-License-Identifier: Apache-2.0 */
/* What is done for a volume that is used: growth, digests, scrub, space that is given back. */
#include "common/digest/digest.h"
#include "common/wire/generation.h"
#include "replica/store/family.h"
#include "tests/power/disk.h"
#include "tests/power/pool.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    ASKS_MAX = 20000, /* for what is done in the background */
    PAUSE_NS = 300 * 1000,
};

struct pause {
    struct loop_timer timer;
    struct loop *loop;
};

static void pause_over(struct loop_timer *timer)
{
    loop_stop(CONTAINER_OF(timer, struct pause, timer)->loop);
}

static void pool_pause(struct pool *pool)
{
    struct pause pause = {.loop = &pool->loop};
    loop_timer_init(&pause.timer, &pool->loop, pause_over);
    loop_timer_start(&pause.timer, PAUSE_NS);
    loop_run(&pool->loop);
}

/* Growth: the room is made first, then the size is noted, unless a crash comes in between. */

void pool_grow(struct pool *pool)
{
    struct volume *volume = pool_any_volume(pool);
    if (!volume || volume->blocks + MODEL_STEP > MODEL_BLOCKS)
        return;
    const struct volume grown = {.blocks = volume->blocks + MODEL_STEP};
    struct store_req req = {.op = STORE_GROW,
                            .length_bytes = (uint64_t)grown.blocks * BLOCK_BYTES,
                            .plane_bytes = pool_plane_bytes(&grown)};
    int status = pool_do(pool, pool_index(pool, volume), &req);
    if (!pool_fine(pool, status, "growing a volume"))
        return;
    disk_lock();
    volume->blocks = grown.blocks;
    disk_unlock();
}

/* Digests: what is told is of what is read. */

static bool read_block(struct pool *pool, const struct volume *volume, const struct generation *g,
                       uint32_t block, uint8_t *bytes, int *status)
{
    struct store_req req = {.op = STORE_READ,
                            .generation = g->sealed == MODEL_NEVER ? 0 : g->number,
                            .offset_bytes = (uint64_t)block * BLOCK_BYTES,
                            .length_bytes = BLOCK_BYTES,
                            .data = slice_get(&pool->bufs, BLOCK_BYTES)};
    *status = pool_do(pool, pool_index(pool, volume), &req);
    memcpy(bytes, req.data.bytes, BLOCK_BYTES);
    slice_release(&req.data);
    return *status == 0;
}

/* False: it cannot be read. */
static bool compute_digest(struct pool *pool, const struct volume *volume,
                           const struct generation *g, uint8_t sha256[DIGEST_BYTES])
{
    static uint8_t content[MODEL_BLOCKS * BLOCK_BYTES];
    static struct digest_group group;
    uint8_t hash[DIGEST_BYTES];
    int status = 0;
    for (uint32_t b = 0; b < volume->blocks && status == 0; b++)
        (void)read_block(pool, volume, g, b, content + (size_t)b * BLOCK_BYTES, &status);
    if (!pool_fine(pool, status, "reading what a digest is of"))
        return false;
    digest_group_clear(&group);
    digest_group_set(&group, 0, content, volume->blocks * BLOCK_BYTES);
    struct digest *digest = digest_new();
    digest_group_hash(&group, hash);
    if (group.count > 0)
        digest_add(digest, 0, hash);
    digest_end(digest, sha256);
    digest_free(digest);
    return true;
}

static int ask_digest(struct pool *pool, const struct volume *volume, const struct generation *g,
                      bool verify, struct message_digest *message)
{
    uint8_t reply[256];
    struct store_req req = {.op = STORE_DIGEST,
                            .generation = g->number,
                            .verify = verify,
                            .reply = {.bytes = reply, .length_bytes = sizeof(reply)}};
    int status = pool_do(pool, pool_index(pool, volume), &req);
    struct reader r = reader_of(reply, req.reply.length_bytes);
    if (status == 0)
        message_digest_decode(&r, message);
    return status;
}

void pool_digest(struct pool *pool)
{
    struct volume *volume = pool_any_volume(pool);
    const struct generation *g = pool_any_sealed(volume);
    struct message_digest message = {.state = DIGEST_COMPUTING};
    uint8_t sha256[DIGEST_BYTES];
    if (!g)
        return;
    int status = ask_digest(pool, volume, g, pick(3) == 0, &message);
    if (pick(3) == 0)
        return; /* it is computed while others go on */
    for (uint32_t i = 0; i < ASKS_MAX && status == 0 && message.state == DIGEST_COMPUTING; i++) {
        pool_pause(pool);
        status = ask_digest(pool, volume, g, false, &message);
    }
    if (!pool_fine(pool, status, "a digest") || (pool->failing && message.state == DIGEST_BAD))
        return;
    MUST(message.state == DIGEST_KNOWN, "no digest of generation %llu: %d",
         (unsigned long long)g->number, message.state);
    if (compute_digest(pool, volume, g, sha256))
        MUST(memcmp(sha256, message.sha256, sizeof(sha256)) == 0,
             "the digest of generation %llu is another one", (unsigned long long)g->number);
}

/* Scrub: a block of a sealed generation is changed on the disk, and written again as it was. */

/* A flushed block that nobody has in doubt; false: none was met. */
static bool choose_block(struct pool *pool, struct volume *volume, const struct generation *g,
                         uint32_t *block)
{
    for (uint32_t tries = 0; tries < 32; tries++) {
        *block = (uint32_t)pick(volume->blocks);
        bool fine = history_newest(&g->blocks[*block]) != 0;
        for (uint32_t i = 0; i < MODEL_VOLUMES; i++) {
            const struct volume *other = &pool->model->volumes[i];
            fine = fine && !(other->exists && other->family == volume->family &&
                             (!pool->open[i] || other->rebuild.active || other->doubtful[*block]));
        }
        if (fine)
            return true;
    }
    return false;
}

/* Changes each place of the file that holds these bytes: the block, or its checksum. */
static void damage_file(int fd, const struct damage *damage, bool sum)
{
    uint8_t bytes[BLOCK_BYTES];
    for (off_t at = lseek(fd, 0, SEEK_DATA); at >= 0 && at < (off_t)SEGMENT_BYTES;
         at = lseek(fd, at + BLOCK_BYTES, SEEK_DATA)) {
        long got = syscall(SYS_pread64, fd, bytes, sizeof(bytes), at);
        MUST(got == (long)sizeof(bytes), "a file cannot be read");
        if (memcmp(bytes, damage->bytes, sizeof(bytes)) != 0)
            continue;
        uint64_t byte = sum ? store_sums_offset((uint64_t)at) : (uint64_t)at + pick(BLOCK_BYTES);
        got = syscall(SYS_pread64, fd, bytes, 1, byte);
        bytes[0] ^= (uint8_t)(1u << pick(8));
        got += syscall(SYS_pwrite64, fd, bytes, 1, byte);
        MUST(got == 2, "a file cannot be changed");
        disk_wrote_durably(fd, bytes, byte, 1);
    }
}

static const struct damage *damaging;
static bool damaging_sum;

static int damage_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)ftw;
    if (type != FTW_F)
        return 0;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    MUST(fd >= 0, "%s: %s", path, strerror(errno));
    damage_file(fd, damaging, damaging_sum);
    close(fd);
    return 0;
}

/* Of every family: no other shows these bytes. */
static void damage_files(const struct pool *pool, const struct damage *damage)
{
    char path[256];
    damaging = damage;
    damaging_sum = pick(2);
    snprintf(path, sizeof(path), "%s/data", pool->root);
    (void)nftw(path, damage_one, 16, FTW_PHYS);
}

static void write_again(struct pool *pool, const struct volume *volume, const struct generation *g)
{
    const struct damage *damage = &pool->model->damage;
    bool head = g->sealed == MODEL_NEVER;
    struct store_req req = {.op = STORE_WRITE,
                            .generation = head ? 0 : g->number,
                            .mend = !head,
                            .fua = true,
                            .offset_bytes = (uint64_t)damage->block * BLOCK_BYTES,
                            .length_bytes = BLOCK_BYTES,
                            .data = slice_get(&pool->bufs, BLOCK_BYTES)};
    memcpy(req.data.bytes, damage->bytes, BLOCK_BYTES);
    slice_crc_fill(&req.data);
    int status = pool_do(pool, pool_index(pool, volume), &req);
    slice_release(&req.data);
    (void)pool_fine(pool, status, "mending a block");
}

static void mend_in(struct pool *pool, const struct volume *volume, const struct generation *g)
{
    const struct damage *damage = &pool->model->damage;
    uint8_t bytes[BLOCK_BYTES];
    int status;
    if (g->dropped != MODEL_NEVER || history_newest(&g->blocks[damage->block]) != damage->serial)
        return;
    if (!read_block(pool, volume, g, damage->block, bytes, &status))
        MUST(status == -EILSEQ, "a changed block: %s", strerror(-status));
    if (status || pick(4) == 0)
        write_again(pool, volume, g);
    MUST(read_block(pool, volume, g, damage->block, bytes, &status) &&
             memcmp(bytes, damage->bytes, sizeof(bytes)) == 0,
         "generation %llu, block %u is not mended: %s", (unsigned long long)g->number,
         damage->block, strerror(-status));
}

void pool_mend(struct pool *pool)
{
    const struct damage *damage = &pool->model->damage;
    for (uint32_t i = 0; damage->active && i < MODEL_VOLUMES; i++) {
        const struct volume *volume = &pool->model->volumes[i];
        if (!pool->open[i] || volume->family != damage->family || damage->block >= volume->blocks)
            continue;
        for (uint32_t j = 0; j < volume->count; j++)
            mend_in(pool, volume, &volume->generations[j]);
    }
    disk_lock();
    pool->model->damage.active = false;
    disk_unlock();
}

void pool_scrub(struct pool *pool)
{
    struct volume *volume = pool_any_volume(pool);
    const struct generation *g = pool_any_sealed(volume);
    struct damage damage = {0};
    int status;
    if (!g || pool->failing || !pool_sync(pool, volume))
        return;
    /* Flushed, what was dropped is forgotten, and generations move. */
    g = pool_any_sealed(volume);
    if (!g || !choose_block(pool, volume, g, &damage.block))
        return;
    damage.active = true;
    damage.family = volume->family;
    damage.serial = history_newest(&g->blocks[damage.block]);
    if (!read_block(pool, volume, g, damage.block, damage.bytes, &status))
        fail("generation %llu, block %u: %s", (unsigned long long)g->number, damage.block,
             strerror(-status));
    disk_lock();
    pool->model->damage = damage;
    disk_unlock();
    damage_files(pool, &damage);
    pool_mend(pool);
}

/* Space. */

static uint64_t reclaimable_bytes(struct pool *pool, uint32_t idx)
{
    uint8_t reply[256];
    struct store_req req = {.op = STORE_SPACE,
                            .reply = {.bytes = reply, .length_bytes = sizeof(reply)}};
    struct message_space space = {0};
    MUST(pool_do(pool, idx, &req) == 0, "no space is told");
    struct reader r = reader_of(req.reply.bytes, req.reply.length_bytes);
    message_space_decode(&r, &space);
    return space.reclaimable_bytes;
}

void pool_reclaim(struct pool *pool)
{
    struct volume *volume = pool_any_volume(pool);
    if (!volume || pool->failing || !pool_sync(pool, volume))
        return;
    uint32_t idx = pool_index(pool, volume);
    for (uint32_t i = 0; reclaimable_bytes(pool, idx) > 0; i++) {
        MUST(i < ASKS_MAX, "%llu bytes do not come back",
             (unsigned long long)reclaimable_bytes(pool, idx));
        pool_pause(pool);
    }
}
