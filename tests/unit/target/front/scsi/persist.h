/* SPDX-License-Identifier: Apache-2.0 */
/* Three initiator ports (nexus 1 to 3) and what they say about reservations. */
#ifndef STRAKE_TESTS_SCSI_PERSIST_H
#define STRAKE_TESTS_SCSI_PERSIST_H

#include "common/base/bytes.h"
#include "tests/unit/target/front/scsi/fixture.h"

enum { A = 1, B = 2, C = 3 };
enum { KEY_A = 0xa1, KEY_B = 0xb2, KEY_C = 0xc3 };
enum {
    OUT_REGISTER,
    OUT_RESERVE,
    OUT_RELEASE,
    OUT_CLEAR,
    OUT_PREEMPT,
    OUT_PREEMPT_AND_ABORT,
    OUT_REGISTER_AND_IGNORE,
    OUT_REGISTER_AND_MOVE,
};
enum { FLAG_APTPL = 0x01, FLAG_ALL_TG_PT = 0x04, FLAG_SPEC_I_PT = 0x08 };

static inline enum scsi_status test_unit_ready(uint32_t number)
{
    as(number);
    return run(BYTES(0x00));
}

static inline void setup_ports(void)
{
    setup_512();
    for (uint32_t id = A; id <= C; id++) {
        attach(id);
        ck_assert_int_eq(test_unit_ready(id), SCSI_CHECK_CONDITION);
    }
}

static inline enum scsi_status out_list(uint8_t action, uint8_t type, const uint8_t *list,
                                        uint32_t length)
{
    uint8_t cdb[10] = {0x5f, action, type};
    cdb[7] = (uint8_t)(length >> 8);
    cdb[8] = (uint8_t)length;
    data_out_set(list, length);
    return run(cdb, sizeof(cdb));
}

/* The list of 24 bytes. */
static inline enum scsi_status out_flags(uint32_t number, uint8_t action, uint8_t type,
                                         uint64_t key, uint64_t action_key, uint8_t flags)
{
    uint8_t list[24] = {0};
    struct writer w = writer_of(list, sizeof(list));
    write_u64(&w, key);
    write_u64(&w, action_key);
    list[20] = flags;
    as(number);
    return out_list(action, type, list, sizeof(list));
}

static inline enum scsi_status out(uint32_t number, uint8_t action, uint8_t type, uint64_t key,
                                   uint64_t action_key)
{
    return out_flags(number, action, type, key, action_key, 0);
}

static inline void register_all(void)
{
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, KEY_A), SCSI_GOOD);
    ck_assert_int_eq(out(B, OUT_REGISTER, 0, 0, KEY_B), SCSI_GOOD);
    ck_assert_int_eq(out(C, OUT_REGISTER, 0, 0, KEY_C), SCSI_GOOD);
}

/* A and B are registered, A reserved. */
static inline void reserve(uint8_t type)
{
    ck_assert_int_eq(out(A, OUT_REGISTER, 0, 0, KEY_A), SCSI_GOOD);
    ck_assert_int_eq(out(B, OUT_REGISTER, 0, 0, KEY_B), SCSI_GOOD);
    ck_assert_int_eq(out(A, OUT_RESERVE, type, KEY_A, 0), SCSI_GOOD);
}

/* The unit attention that the nexus hears next; 0: none. */
static inline uint32_t attention_of(uint32_t number)
{
    if (test_unit_ready(number) == SCSI_GOOD)
        return 0;
    ck_assert_uint_eq(command.sense[2], 0x06);
    return u16_at(command.sense + 12);
}

static inline uint64_t u64_at(const uint8_t *bytes)
{
    struct reader r = reader_of(bytes, 8);
    return read_u64(&r);
}

/* The registered keys, in READ KEYS' order; how many there are. */
static inline uint32_t keys_read(uint64_t keys[SCSI_REGISTRATIONS_MAX])
{
    ck_assert_good(0x5e, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0);
    uint32_t count = (command.data_in.length_bytes - 8) / 8;
    ck_assert_uint_eq(u16_at(command.data_in.bytes + 6), 8 * count);
    for (uint32_t i = 0; i < count; i++)
        keys[i] = u64_at(command.data_in.bytes + 8 + 8 * i);
    return count;
}

static inline uint32_t key_count(void)
{
    uint64_t keys[SCSI_REGISTRATIONS_MAX];
    return keys_read(keys);
}

static inline bool key_is_there(uint64_t key)
{
    uint64_t keys[SCSI_REGISTRATIONS_MAX];
    uint32_t count = keys_read(keys);
    for (uint32_t i = 0; i < count; i++)
        if (keys[i] == key)
            return true;
    return false;
}

/* The type of the reservation and its holder's key; 0: there is none. */
static inline uint8_t reservation_read(uint64_t *key)
{
    ck_assert_good(0x5e, 1, 0, 0, 0, 0, 0, 0, 0xff, 0);
    *key = 0;
    if (command.data_in.length_bytes == 8)
        return 0;
    ck_assert_uint_eq(command.data_in.length_bytes, 24);
    *key = u64_at(command.data_in.bytes + 8);
    return command.data_in.bytes[21];
}

#define ck_assert_reserved(type, holder_key)                                                       \
    do {                                                                                           \
        uint64_t key_;                                                                             \
        ck_assert_uint_eq(reservation_read(&key_), type);                                          \
        ck_assert_uint_eq(key_, holder_key);                                                       \
    } while (0)

static inline uint32_t generation_read(void)
{
    ck_assert_good(0x5e, 0, 0, 0, 0, 0, 0, 0, 0xff, 0);
    return u16_at(command.data_in.bytes + 2);
}

#endif
