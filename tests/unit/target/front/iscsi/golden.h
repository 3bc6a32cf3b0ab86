/* SPDX-License-Identifier: Apache-2.0 */
/* Header segments byte by byte: what the golden ones are made of, and how they are held against. */
#ifndef STRAKE_TESTS_ISCSI_GOLDEN_H
#define STRAKE_TESTS_ISCSI_GOLDEN_H

#include "tests/lib/suite.h"

#include <string.h>

#define ITT   0x11, 0x12, 0x13, 0x14
#define WORD  0x21, 0x22, 0x23, 0x24 /* bytes 20-23 */
#define SN    0x31, 0x32, 0x33, 0x34
#define SN2   0x41, 0x42, 0x43, 0x44
#define SN3   0x51, 0x52, 0x53, 0x54
#define DATA  0x00, 0x01, 0x02, 0x03
#define LUN_1 0x00, 0x01, 0, 0, 0, 0, 0, 0
#define NIL4  0, 0, 0, 0
#define NIL8  NIL4, NIL4
#define NIL16 NIL8, NIL8

/* Encodes to the golden bytes, and decodes from them to what encodes to them again. */
#define CHECK_GOLDEN(type, value, golden)                                                          \
    do {                                                                                           \
        struct pdu_##type again;                                                                   \
        uint8_t bhs[PDU_BHS_BYTES];                                                                \
        ck_assert_uint_eq(sizeof(golden), PDU_BHS_BYTES);                                          \
        pdu_##type##_encode(bhs, (value));                                                         \
        ck_assert_mem_eq(bhs, golden, PDU_BHS_BYTES);                                              \
        memset(&again, 0xa5, sizeof(again));                                                       \
        pdu_##type##_decode(golden, &again);                                                       \
        memset(bhs, 0, sizeof(bhs));                                                               \
        pdu_##type##_encode(bhs, &again);                                                          \
        ck_assert_mem_eq(bhs, golden, PDU_BHS_BYTES);                                              \
    } while (0)

#endif
