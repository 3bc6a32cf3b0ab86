/* SPDX-License-Identifier: Apache-2.0 */
/* FIFO locks on ranges of the volume. */
#include "target/replication/range_lock.h"

static const uint8_t range_zone_bits[RANGE_LEVELS] = {16, 20};

#define RANGE_ANY_ZONE UINT64_MAX

enum { RANGE_WIDE = RANGE_LEVELS };

void range_lock_init(struct range_lock *lock, const struct range_news *news)
{
    *lock = (struct range_lock){.news = *news};
    for (int level = 0; level < RANGE_LEVELS; level++) {
        for (int i = 0; i < RANGE_BUCKETS; i++)
            list_init(&lock->buckets[level][i]);
    }
    list_init(&lock->wide);
}

static uint64_t zone_of(uint8_t level, uint64_t bytes)
{
    return bytes >> range_zone_bits[level];
}

static struct list *bucket_of(struct range_lock *lock, uint8_t level, uint64_t zone)
{
    return &lock->buckets[level][(zone * 0x9e3779b97f4a7c15u) >> 56];
}

static uint8_t level_of(const struct repl_range *range)
{
    uint8_t level = 0;
    while (level < RANGE_LEVELS &&
           range->end_bytes - range->begin_bytes > (uint64_t)1 << range_zone_bits[level])
        level++;
    return level;
}

static bool conflicts(const struct repl_range *a, const struct repl_range *b)
{
    return a != b && (a->exclusive || b->exclusive) && a->begin_bytes < b->end_bytes &&
           b->begin_bytes < a->end_bytes;
}

enum visit_kind { VISIT_CLAIM, VISIT_UNHOLD, VISIT_RELEASE };

/* A look at the claims that conflict with one. */
struct visit {
    struct range_lock *lock;
    struct repl_range *range;
    enum visit_kind kind;
};

static void more_blockers(struct range_lock *lock, struct repl_range *range)
{
    if (range->blockers++ == 0)
        lock->news.waits(lock->news.arg, range);
}

static void fewer_blockers(struct range_lock *lock, struct repl_range *range)
{
    ASSERT(range->blockers > 0 && !range->held);
    if (--range->blockers == 0)
        lock->news.granted(lock->news.arg, range);
}

/* Does `a`, which is not held, wait for `b`? */
static bool waits_for(const struct repl_range *a, const struct repl_range *b)
{
    if (b->held)
        return true;
    return a->internal == b->internal ? b->turn < a->turn : b->internal;
}

static void visit_one(struct visit *visit, struct repl_range *other)
{
    struct repl_range *range = visit->range;
    if (!conflicts(range, other))
        return;
    switch (visit->kind) {
    case VISIT_CLAIM:
        if (waits_for(range, other))
            range->blockers++;
        else
            more_blockers(visit->lock, other);
        break;
    case VISIT_UNHOLD:
        if (!other->internal)
            break;
        range->blockers++;
        fewer_blockers(visit->lock, other);
        break;
    case VISIT_RELEASE:
        if (!other->held && waits_for(other, range))
            fewer_blockers(visit->lock, other);
        break;
    }
}

/* Two claims may meet in several zones: they count in the one where their overlap begins. */
static void visit_bucket(struct visit *visit, struct list *bucket, uint8_t level, uint64_t only)
{
    LIST_FOR_EACH (node, bucket) {
        struct repl_zone *zone = CONTAINER_OF(node, struct repl_zone, node);
        uint64_t a = visit->range->begin_bytes;
        uint64_t b = zone->range->begin_bytes;
        bool meant = only == RANGE_ANY_ZONE || zone->zone == only; /* zones share buckets */
        if (meant && zone->zone == zone_of(level, a > b ? a : b))
            visit_one(visit, zone->range);
    }
}

static void visit_level(struct visit *visit, uint8_t level)
{
    struct range_lock *lock = visit->lock;
    if (lock->counts[level] == 0)
        return;
    if (visit->range->level == RANGE_WIDE) {
        for (int i = 0; i < RANGE_BUCKETS; i++)
            visit_bucket(visit, &lock->buckets[level][i], level, RANGE_ANY_ZONE);
        return;
    }
    uint64_t last = zone_of(level, visit->range->end_bytes - 1);
    for (uint64_t zone = zone_of(level, visit->range->begin_bytes); zone <= last; zone++)
        visit_bucket(visit, bucket_of(lock, level, zone), level, zone);
}

static void visit_all(struct visit *visit)
{
    for (uint8_t level = 0; level < RANGE_LEVELS; level++)
        visit_level(visit, level);
    LIST_FOR_EACH (node, &visit->lock->wide)
        visit_one(visit, CONTAINER_OF(node, struct repl_zone, node)->range);
}

static void file(struct range_lock *lock, struct repl_range *range)
{
    for (int i = 0; i < 2; i++) {
        list_init(&range->zones[i].node);
        range->zones[i].range = range;
    }
    if (range->level == RANGE_WIDE) {
        list_append(&lock->wide, &range->zones[0].node);
        return;
    }
    uint64_t first = zone_of(range->level, range->begin_bytes);
    uint64_t last = zone_of(range->level, range->end_bytes - 1);
    ASSERT(last - first <= 1);
    lock->counts[range->level]++;
    for (uint64_t zone = first; zone <= last; zone++) {
        struct repl_zone *filed = &range->zones[zone - first];
        filed->zone = zone;
        list_append(bucket_of(lock, range->level, zone), &filed->node);
    }
}

void range_lock_claim(struct range_lock *lock, struct repl_range *range)
{
    ASSERT(range->begin_bytes < range->end_bytes);
    range->turn = ++lock->turn;
    range->level = level_of(range);
    range->blockers = 0;
    range->held = false;
    visit_all(&(struct visit){.lock = lock, .range = range, .kind = VISIT_CLAIM});
    file(lock, range);
}

void range_lock_unhold(struct range_lock *lock, struct repl_range *range)
{
    ASSERT(range->held && !range->internal && range->blockers == 0);
    range->held = false;
    visit_all(&(struct visit){.lock = lock, .range = range, .kind = VISIT_UNHOLD});
}

void range_lock_release(struct range_lock *lock, struct repl_range *range)
{
    for (int i = 0; i < 2; i++)
        list_remove(&range->zones[i].node);
    if (range->level != RANGE_WIDE)
        lock->counts[range->level]--;
    visit_all(&(struct visit){.lock = lock, .range = range, .kind = VISIT_RELEASE});
}
