/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32C by ISA-L, which takes and returns the register uninverted and an int length. */
#include "common/base/crc32c.h"

#include "common/base/assert.h"

#include <isa-l/crc.h>
#include <limits.h>

uint32_t crc32c(uint32_t crc, const void *bytes, size_t length)
{
    ASSERT(length <= INT_MAX);
    /* The library's prototype lacks the const that its contract has. */
    union {
        const void *in;
        unsigned char *out;
    } data = {.in = bytes};
    return ~crc32_iscsi(data.out, (int)length, ~crc);
}
