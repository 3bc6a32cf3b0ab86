/* SPDX-License-Identifier: Apache-2.0 */
/* The table of metadata contexts, and how clients ask for them. */
#include "target/front/nbd/context.h"

#include <string.h>

/* Which blocks were never written only the replicas know: everything may hold data. */
static struct nbd_extent extent_allocation(const struct export *export, uint64_t offset_bytes,
                                           uint64_t length_bytes)
{
    ASSERT(offset_bytes <= export->size_bytes && length_bytes <= export->size_bytes - offset_bytes);
    return (struct nbd_extent){.length_bytes = length_bytes, .state = NBD_STATE_ALLOCATED};
}

const struct nbd_context nbd_contexts[NBD_CONTEXT_COUNT] = {
    {"base:allocation", extent_allocation},
};

uint32_t nbd_contexts_match(const char *text, uint32_t length, bool listing)
{
    uint32_t found = 0;
    bool namespace = listing && length > 0 && text[length - 1] == ':';
    for (uint32_t i = 0; i < NBD_CONTEXT_COUNT; i++) {
        const char *name = nbd_contexts[i].name;
        bool long_enough = namespace ? length <= strlen(name) : length == strlen(name);
        if (long_enough && memcmp(text, name, length) == 0)
            found |= 1u << i;
    }
    return found;
}

uint32_t nbd_contexts_all(void)
{
    return (1u << NBD_CONTEXT_COUNT) - 1;
}

uint32_t nbd_context_of_id(uint32_t id)
{
    return id >= 1 && id <= NBD_CONTEXT_COUNT ? 1u << (id - 1) : 0;
}
