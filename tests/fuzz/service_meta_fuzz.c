/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata record: whatever is read from a disk, its checksum made right, decodes to a record
 * that encodes to one that decodes to the same, or is refused with a reason. */
#include "common/base/crc32c.h"
#include "replica/service/meta.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t record[META_BYTES] = {0};
    uint8_t again[META_BYTES];
    struct meta meta;
    struct meta second;
    memcpy(record, data, size < META_BYTES ? size : META_BYTES);
    struct writer w = writer_of(record + 8, 4);
    write_u32(&w, crc32c(0, record + 12, META_BYTES - 12));
    if (meta_decode(record, &meta))
        return 0;
    meta_encode(again, &meta);
    ASSERT(!meta_decode(again, &second));
    ASSERT(meta.seq == second.seq && uuid_equal(&meta.member, &second.member));
    return 0;
}
