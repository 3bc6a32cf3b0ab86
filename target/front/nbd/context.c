/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata contexts: how clients ask for them, and what they say of a range. */
#include "target/front/nbd/context.h"

#include <string.h>

static bool is_text(const char *text, uint32_t length, const char *want)
{
    return length == strlen(want) && memcmp(text, want, length) == 0;
}

/* "base:" of "base:allocation"; all of NBD_CONTEXT_CHANGED counts as one, too. */
static bool begins(const char *name, const char *text, uint32_t length)
{
    return length > 0 && text[length - 1] == ':' && length <= strlen(name) &&
           memcmp(name, text, length) == 0;
}

struct nbd_context_query nbd_context_query_of(const struct export *export, const char *text,
                                              uint32_t length, bool listing)
{
    struct nbd_context_query query = {0};
    const uint32_t changed = sizeof(NBD_CONTEXT_CHANGED) - 1;
    const struct export_snapshots *snapshots = export->snapshots;
    query.allocation = is_text(text, length, NBD_CONTEXT_ALLOCATION) ||
                       (listing && begins(NBD_CONTEXT_ALLOCATION, text, length));
    query.every_snapshot = snapshots && listing && begins(NBD_CONTEXT_CHANGED, text, length);
    if (snapshots && length > changed && memcmp(text, NBD_CONTEXT_CHANGED, changed) == 0)
        query.from_generation =
            snapshots->generation(snapshots->owner, text + changed, length - changed);
    return query;
}

bool nbd_context_select(struct nbd_contexts *contexts, uint64_t from_generation, uint32_t *slot)
{
    for (uint32_t i = from_generation ? 1 : 0; i < NBD_CONTEXTS_MAX; i++) {
        bool used = contexts->mask & 1u << i;
        if (used && contexts->from_generation[i] == from_generation)
            return false;
        if (used)
            continue;
        contexts->mask |= 1u << i;
        contexts->from_generation[i] = from_generation;
        *slot = i;
        return true;
    }
    return false;
}

uint32_t nbd_context_of_id(uint32_t id)
{
    return id >= 1 && id <= NBD_CONTEXTS_MAX ? 1u << (id - 1) : 0;
}

static uint8_t extent_state(uint32_t slot, uint8_t state)
{
    bool zeros = slot == 0 ? state != BLOCK_DATA : state == BLOCK_ZEROED;
    uint8_t bits = zeros ? NBD_STATE_ZERO : 0;
    if (slot == 0)
        return zeros ? bits | NBD_STATE_HOLE : bits;
    return state != BLOCK_HOLE ? bits | NBD_STATE_CHANGED : bits;
}

uint32_t nbd_extents_of(struct block_run *runs, uint32_t count, uint32_t slot,
                        uint64_t length_bytes)
{
    uint32_t extents = 0;
    uint64_t left = length_bytes;
    if (count == 0)
        runs[count++] = (struct block_run){length_bytes, BLOCK_DATA};
    for (uint32_t i = 0; i < count && left > 0; i++) {
        uint64_t length = runs[i].length_bytes < left ? runs[i].length_bytes : left;
        uint8_t state = extent_state(slot, runs[i].state);
        left -= length;
        if (extents > 0 && runs[extents - 1].state == state)
            runs[extents - 1].length_bytes += length;
        else
            runs[extents++] = (struct block_run){length, state};
    }
    ASSERT(extents > 0 && runs[0].length_bytes > 0);
    return extents;
}
