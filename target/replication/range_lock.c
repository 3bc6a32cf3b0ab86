/* SPDX-License-Identifier: Apache-2.0 */
/* FIFO locks on ranges of the volume. */
#include "target/replication/range_lock.h"

static const uint8_t range_zone_bits[RANGE_LEVELS] = {16, 20};

#define RANGE_ANY_ZONE UINT64_MAX

enum { RANGE_WIDE = RANGE_LEVELS };

void range_lock_init(struct range_lock *lock)
{
    *lock = (struct range_lock){0};
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

/* What a look at the claims that overlap one does with each. */
struct visit {
    const struct repl_range *range;
    bool release;
    uint32_t blockers;
    range_granted_fn *granted;
    void *arg;
};

static void visit_one(struct visit *visit, struct repl_range *other)
{
    if (!conflicts(visit->range, other))
        return;
    if (!visit->release) {
        visit->blockers++;
    } else if (other->turn > visit->range->turn) {
        ASSERT(other->blockers > 0);
        if (--other->blockers == 0)
            visit->granted(visit->arg, other);
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

static void visit_level(struct range_lock *lock, struct visit *visit, uint8_t level)
{
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

static void visit_all(struct range_lock *lock, struct visit *visit)
{
    for (uint8_t level = 0; level < RANGE_LEVELS; level++)
        visit_level(lock, visit, level);
    LIST_FOR_EACH (node, &lock->wide)
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

bool range_lock_claim(struct range_lock *lock, struct repl_range *range)
{
    ASSERT(range->begin_bytes < range->end_bytes);
    struct visit visit = {.range = range};
    range->turn = ++lock->turn;
    range->level = level_of(range);
    visit_all(lock, &visit);
    range->blockers = visit.blockers;
    file(lock, range);
    return range->blockers == 0;
}

void range_lock_release(struct range_lock *lock, struct repl_range *range,
                        range_granted_fn *granted, void *arg)
{
    struct visit visit = {.range = range, .release = true, .granted = granted, .arg = arg};
    for (int i = 0; i < 2; i++)
        list_remove(&range->zones[i].node);
    if (range->level != RANGE_WIDE)
        lock->counts[range->level]--;
    visit_all(lock, &visit);
}
