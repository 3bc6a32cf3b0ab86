/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks against their checksums, as they lie in POOL/data/FAMILY/NUMBER (replica/store/store.h).
 */
#include "tools/check/check.h"

#include "common/base/crc32c.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SLOT_BLOCKS = 16, SEGMENT_SLOTS_LOG = STORE_SEGMENT_SHIFT - 16 };

static int segment_open(struct pool *pool, uint32_t family, uint64_t segment)
{
    char path[32];
    if (pool->segment_fd >= 0 && pool->family == family && pool->segment == segment)
        return 0;
    if (pool->segment_fd >= 0)
        close(pool->segment_fd);
    snprintf(path, sizeof(path), "%08x/%08llx", family, (unsigned long long)segment);
    pool->segment_fd = openat(pool->data_fd, path, O_RDONLY | O_CLOEXEC);
    pool->family = family;
    pool->segment = segment;
    return pool->segment_fd < 0 ? -errno : 0;
}

int data_read(struct pool *pool, uint32_t family, uint64_t segment, uint64_t offset_bytes,
              uint8_t *bytes, uint64_t length_bytes)
{
    int rc = segment_open(pool, family, segment);
    while (rc == 0 && length_bytes > 0) {
        ssize_t got = pread(pool->segment_fd, bytes, length_bytes, (off_t)offset_bytes);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -ENODATA;
        bytes += got;
        offset_bytes += (uint64_t)got;
        length_bytes -= (uint64_t)got;
    }
    return rc;
}

static void tell(struct pool *pool, const struct map_slot *slot, uint32_t block, const char *what)
{
    char name[UUID_TEXT_BYTES];
    uint64_t at = slot->offset_bytes + (uint64_t)block * BLOCK_BYTES;
    uuid_format(&slot->volume, name);
    if (files_unclean(pool, &slot->volume)) {
        printf("volume %s, generation %llu: the block at byte %llu %s; the volume was not closed "
               "in order: it may have been under way\n",
               name, (unsigned long long)slot->generation, (unsigned long long)at, what);
        pool->doubts++;
        return;
    }
    pool_found(pool, "volume %s, generation %llu: the block at byte %llu %s", name,
               (unsigned long long)slot->generation, (unsigned long long)at, what);
}

void data_check_slot(struct pool *pool, const struct map_slot *slot)
{
    static const uint64_t in_segment = ((uint64_t)1 << SEGMENT_SLOTS_LOG) - 1;
    uint64_t segment = slot->slot >> SEGMENT_SLOTS_LOG;
    uint64_t first = (slot->slot & in_segment) * SLOT_BLOCKS;
    for (uint32_t i = 0; i < SLOT_BLOCKS; i++) {
        uint8_t bytes[BLOCK_BYTES];
        uint32_t sum;
        if (!(slot->blocks >> i & 1))
            continue;
        int rc =
            data_read(pool, slot->family, segment, (first + i) * BLOCK_BYTES, bytes, sizeof(bytes));
        if (rc == 0)
            rc =
                data_read(pool, slot->family, segment, store_sums_offset((first + i) * BLOCK_BYTES),
                          (uint8_t *)&sum, sizeof(sum));
        if (rc)
            tell(pool, slot, i, "cannot be read");
        else if (crc32c(0, bytes, sizeof(bytes)) != le32toh(sum))
            tell(pool, slot, i, "does not agree with its checksum");
    }
}
