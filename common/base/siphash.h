/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, 2012): a keyed hash; who does not
 * know the key cannot make two contents collide. */
#ifndef STRAKE_BASE_SIPHASH_H
#define STRAKE_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

enum { SIPHASH_KEY_BYTES = 16, SIPHASH_BYTES = 16 };

void siphash(const uint8_t key[SIPHASH_KEY_BYTES], const void *bytes, size_t length,
             uint8_t hash[SIPHASH_BYTES]);

#endif
