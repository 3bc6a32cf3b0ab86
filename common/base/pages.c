/* SPDX-License-Identifier: Apache-2.0 */
/* Pages that come from the heap and go to the kernel. */
#include "common/base/pages.h"

#include "common/base/assert.h"
#include "common/base/bytes.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static size_t whole_pages(size_t length)
{
    return (length + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}

void *pages_new(size_t length)
{
    ASSERT(length > 0);
    void *pages = aligned_alloc(PAGE_BYTES, whole_pages(length));
    ASSERT(pages);
    memset(pages, 0, whole_pages(length));
    return pages;
}

/* A kernel of larger pages refuses, and then they stay. */
void pages_give_back(void *pages, size_t length)
{
    uint8_t *bytes = pages;
    for (size_t at = 0; at < whole_pages(length); at += PAGE_BYTES) {
        if (bytes_are_zero(bytes + at, PAGE_BYTES))
            (void)madvise(bytes + at, PAGE_BYTES, MADV_DONTNEED);
    }
}
