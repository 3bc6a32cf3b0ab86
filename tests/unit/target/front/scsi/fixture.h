/* SPDX-License-Identifier: Apache-2.0 */
/* A logical unit over a small disk in memory, and ways to send it commands. */
#ifndef STRAKE_TESTS_SCSI_FIXTURE_H
#define STRAKE_TESTS_SCSI_FIXTURE_H

#include "target/front/scsi/scsi.h"
#include "tests/unit/target/front/scsi/disk.h"

enum { NEXUS = 7, NEXUS_COUNT = 66, STEPS_MAX = 512 };

static struct export export;
static struct scsi_unit unit;
static struct scsi_command command;
static struct scsi_nexus nexuses[NEXUS_COUNT]; /* by number */
static uint32_t steps;                         /* block requests the last command took */
static struct block_req requests[STEPS_MAX];   /* them, as they were submitted */

#define BYTES(...)    ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})
#define REPEAT8(byte) byte, byte, byte, byte, byte, byte, byte, byte

static inline void fixture_setup(uint32_t block_bytes)
{
    buf_pool_init(&pool, 64u << 20);
    export = (struct export){.name = "a", .size_bytes = DISK_BYTES, .block_bytes = block_bytes};
    ck_assert(uuid_parse("00112233-4455-4677-8899-aabbccddeeff", &export.uuid));
    scsi_unit_init(&unit, &export);
    memset(disk, 0, sizeof(disk));
    row_bytes = 0;
    run_count = 0;
    memset(nexuses, 0, sizeof(nexuses));
    command = (struct scsi_command){.unit = &unit, .nexus = &nexuses[NEXUS]};
}

static inline void setup_512(void)
{
    fixture_setup(512);
}

static inline void setup_4096(void)
{
    fixture_setup(BLOCK_BYTES);
}

/* The initiator port of a nexus. */
static inline const struct scsi_port *port_of(uint32_t number)
{
    static struct scsi_port ports[NEXUS_COUNT];
    ck_assert_uint_lt(number, ARRAY_COUNT(ports));
    struct scsi_port *port = &ports[number];
    *port = (struct scsi_port){.isid = number, .initiator = "iqn.2001-04.com.example:host"};
    return port;
}

static inline void attach(uint32_t number)
{
    scsi_nexus_attach(&unit, &nexuses[number], port_of(number));
}

/* The next commands are of this nexus. */
static inline void as(uint32_t number)
{
    command.nexus = &nexuses[number];
}

/* All buffers must be back, so each test ends with it. */
static inline void teardown(void)
{
    slice_release(&command.data_in);
    slice_release(&command.data_out);
    buf_pool_release(&pool);
}

static inline void cdb_set(const uint8_t *cdb, size_t length)
{
    slice_release(&command.data_in);
    memset(command.cdb, 0, sizeof(command.cdb));
    memcpy(command.cdb, cdb, length);
}

static inline void data_out_set(const void *bytes, size_t length)
{
    slice_release(&command.data_out);
    if (!length)
        return;
    command.data_out = slice_get(&pool, (uint32_t)length);
    memcpy(command.data_out.bytes, bytes, length);
}

/* `length` bytes of `fill`. */
static inline void data_out_fill(uint8_t fill, size_t length)
{
    slice_release(&command.data_out);
    command.data_out = slice_get(&pool, (uint32_t)length);
    memset(command.data_out.bytes, fill, length);
}

/* Runs the command that is set to its end. */
static inline enum scsi_status run_on(void)
{
    steps = 0;
    enum scsi_next next = scsi_command(&command, &pool);
    while (next == SCSI_BLOCK) {
        ck_assert_uint_lt(steps, STEPS_MAX);
        scsi_submitting(&command, &pool);
        requests[steps++] = command.block;
        disk_execute(&command.block);
        next = scsi_finish(&command, &pool);
    }
    ck_assert_ptr_null(command.block.data.buf);
    return command.status;
}

static inline enum scsi_status run(const uint8_t *cdb, size_t length)
{
    cdb_set(cdb, length);
    return run_on();
}

/* Runs one whose first block request ends with `status`. */
static inline enum scsi_status run_failing(int status, const uint8_t *cdb, size_t length)
{
    cdb_set(cdb, length);
    ck_assert_int_eq(scsi_command(&command, &pool), SCSI_BLOCK);
    command.block.status = status;
    ck_assert_int_eq(scsi_finish(&command, &pool), SCSI_DONE);
    return command.status;
}

#define ck_assert_good(...)  ck_assert_int_eq(run(BYTES(__VA_ARGS__)), SCSI_GOOD)
#define ck_assert_check(...) ck_assert_int_eq(run(BYTES(__VA_ARGS__)), SCSI_CHECK_CONDITION)

static inline uint32_t u16_at(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

/* Fixed format sense: key, ASC and ASCQ. */
#define ck_assert_sense(key, asc)                                                                  \
    do {                                                                                           \
        ck_assert_int_eq(command.status, SCSI_CHECK_CONDITION);                                    \
        ck_assert_uint_eq(command.sense_bytes, 18);                                                \
        ck_assert_uint_eq(command.sense[0] & 0x7f, 0x70);                                          \
        ck_assert_uint_eq(command.sense[2], key);                                                  \
        ck_assert_uint_eq(u16_at(command.sense + 12), asc);                                        \
    } while (0)

/* INVALID FIELD IN CDB with the pointer to this field. */
#define ck_assert_bad_cdb(byte, bit)                                                               \
    do {                                                                                           \
        ck_assert_sense(0x05, 0x2400);                                                             \
        ck_assert_uint_eq(command.sense[15], 0xc8u | (bit));                                       \
        ck_assert_uint_eq(u16_at(command.sense + 16), byte);                                       \
    } while (0)

/* INVALID FIELD IN PARAMETER LIST with the pointer to this field. */
#define ck_assert_bad_parameter(byte, bit)                                                         \
    do {                                                                                           \
        ck_assert_sense(0x05, 0x2600);                                                             \
        ck_assert_uint_eq(command.sense[15], 0x88u | (bit));                                       \
        ck_assert_uint_eq(u16_at(command.sense + 16), byte);                                       \
    } while (0)

/* LOGICAL BLOCK ADDRESS OUT OF RANGE; INFORMATION is the first one that is. */
#define ck_assert_bad_lba(lba)                                                                     \
    do {                                                                                           \
        ck_assert_sense(0x05, 0x2100);                                                             \
        ck_assert_uint_eq(command.sense[0], 0xf0);                                                 \
        ck_assert_uint_eq(u16_at(command.sense + 3) << 16 | u16_at(command.sense + 5), lba);       \
    } while (0)

static inline void check_data_in(const uint8_t *bytes, size_t length)
{
    ck_assert_uint_eq(command.data_in.length_bytes, length);
    ck_assert_mem_eq(command.data_in.bytes, bytes, length);
    ck_assert_uint_eq(command.expected_bytes, length);
}
#define ck_assert_data_in(...) check_data_in(BYTES(__VA_ARGS__))

#endif
