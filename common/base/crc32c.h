/* SPDX-License-Identifier: Apache-2.0 */
/* CRC32C (Castagnoli; RFC 7143 section 13.1), by ISA-L. */
#ifndef STRAKE_BASE_CRC32C_H
#define STRAKE_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The checksum of what `crc` covered followed by `length` bytes; start with 0. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t length);

#endif
