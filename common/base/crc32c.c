/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32C by ISA-L, which takes and returns the register uninverted and an int length. */
#include "common/base/crc32c.h"

#include "common/base/assert.h"

#include <isa-l/crc.h>
#include <limits.h>

#ifdef __x86_64__
#include <immintrin.h>

/*
 * The library's AVX-512 code leaves the upper halves of the vector registers in use: each SSE
 * instruction then waits on them (500 cycles a call were seen), and a context switch saves them.
 */
__attribute__((target("avx"))) static void uppers_clear(void)
{
    _mm256_zeroupper();
}

static void vectors_settle(void)
{
    if (__builtin_cpu_supports("avx"))
        uppers_clear();
}
#else
static void vectors_settle(void)
{
}
#endif

uint32_t crc32c(uint32_t crc, const void *bytes, size_t length)
{
    ASSERT(length <= INT_MAX);
    /* The library's prototype lacks the const that its contract has. */
    union {
        const void *in;
        unsigned char *out;
    } data = {.in = bytes};
    uint32_t next = ~crc32_iscsi(data.out, (int)length, ~crc);
    vectors_settle();
    return next;
}
