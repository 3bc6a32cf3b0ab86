/* SPDX-License-Identifier: Apache-2.0 */
/* Parameter lists of EXTENDED COPY, which name the fixture's unit. */
#ifndef STRAKE_TESTS_SCSI_COPYING_H
#define STRAKE_TESTS_SCSI_COPYING_H

#include "common/base/bytes.h"
#include "tests/unit/target/front/scsi/fixture.h"

enum { LIST_HEADER = 16, LIST_DEVICE = 32, LIST_SEGMENT = 28 };

#define COPY(length)       0x83, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (length) >> 8, (length)&0xff, 0, 0
#define COPY_STATUS(id)    0x84, 0, id, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0, 0
#define COPY_PARAMETERS(n) 0x84, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, n, 0, 0

struct segment {
    uint16_t blocks;
    uint64_t source_lba;
    uint64_t destination_lba;
};

/* The next command's data-out: this unit `device_count` times, and segments from it to itself. */
static inline void list_set(uint8_t list_id, uint8_t usage, uint16_t device_count,
                            const struct segment *segments, uint32_t segment_count)
{
    static const uint8_t device[LIST_DEVICE] = {0xe4, 0,    0,    0,    0x01, 0x03, 0,    8,
                                                0x38, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    data_out_fill(0, LIST_HEADER + device_count * (uint32_t)LIST_DEVICE +
                         segment_count * (uint32_t)LIST_SEGMENT);
    struct writer w = writer_of(command.data_out.bytes, command.data_out.length_bytes);
    write_u8(&w, list_id);
    write_u8(&w, (uint8_t)(usage << 3));
    write_u16(&w, (uint16_t)(device_count * LIST_DEVICE));
    write_u32(&w, 0);
    write_u32(&w, segment_count * LIST_SEGMENT);
    write_u32(&w, 0);
    for (uint16_t i = 0; i < device_count; i++) {
        write_bytes(&w, device, LIST_DEVICE - 4);
        write_u32(&w, export.block_bytes);
    }
    for (uint32_t i = 0; i < segment_count; i++) {
        write_u8(&w, 0x02);
        write_u8(&w, 0);
        write_u16(&w, LIST_SEGMENT - 4);
        write_zeros(&w, 6);
        write_u16(&w, segments[i].blocks);
        write_u64(&w, segments[i].source_lba);
        write_u64(&w, segments[i].destination_lba);
    }
    ck_assert(!w.bad);
    cdb_set(BYTES(0x83));
    w = writer_of(command.cdb + 10, 4);
    write_u32(&w, command.data_out.length_bytes);
}

#define SEGMENTS(...)                                                                              \
    ((const struct segment[]){__VA_ARGS__}),                                                       \
        (uint32_t)(sizeof((const struct segment[]){__VA_ARGS__}) / sizeof(struct segment))

#endif
