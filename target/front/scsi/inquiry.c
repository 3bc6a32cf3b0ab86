/* SPDX-License-Identifier: Apache-2.0 */
/* Standard INQUIRY data (SPC-4 6.6) and VPD pages (SPC-4 7.8, SBC-3 6.6). */
#include "target/front/scsi/inquiry.h"

#include "target/front/scsi/copy.h"
#include "target/front/scsi/limits.h"
#include "target/front/scsi/reply.h"
#include "target/front/scsi/sense.h"
#include "target/front/scsi/unit.h"

#define VENDOR   "STRAKE  "
#define PRODUCT  "VOLUME          "
#define REVISION "0001"

enum {
    NO_UNIT = 0x7f, /* peripheral qualifier 011b, device type 1Fh */
    VERSION_SPC_4 = 0x06,
    RESPONSE_FORMAT = 0x02,
    CMDQUE = 0x02,
    TPGS_IMPLICIT = 0x10, /* REPORT TARGET PORT GROUPS is there, SET is not */
    THIRD_PARTY_COPY = 0x08,
    STANDARD_BYTES = 96,
    VPD_HEADER_BYTES = 4,
    VPD_LONG_BYTES = 64, /* of pages 86h, B0h and B1h */
    EVPD = 0x01,
};

enum vpd_page {
    VPD_SUPPORTED = 0x00,
    VPD_SERIAL = 0x80,
    VPD_IDENTIFICATION = 0x83,
    VPD_EXTENDED = 0x86,
    VPD_COPY = 0x8f,
    VPD_LIMITS = 0xb0,
    VPD_CHARACTERISTICS = 0xb1,
    VPD_PROVISIONING = 0xb2,
};

/* Of a designator (SPC-4 7.8.6). */
enum {
    CODE_BINARY = 1,
    CODE_ASCII = 2,
    CODE_UTF8 = 3,
    ISCSI = 0x50,     /* protocol identifier, with the code set */
    OF_UNIT = 0x00,   /* association, with the type */
    OF_PORT = 0x90,   /* and the protocol identifier is valid */
    OF_TARGET = 0xa0, /* the same */
    TYPE_VENDOR_ID = 1,
    TYPE_NAA = 3,
    TYPE_RELATIVE_PORT = 4,
    TYPE_PORT_GROUP = 5,
    TYPE_NAME = 8,
};

static void standard_write(const struct scsi_unit *unit, struct writer *w)
{
    static const uint16_t versions[] = {0x00a0 /* SAM-5 */, 0x0960 /* iSCSI */, 0x0460 /* SPC-4 */,
                                        0x04c0 /* SBC-3 */};
    write_u8(w, unit ? 0 : NO_UNIT);
    write_u8(w, 0);
    write_u8(w, VERSION_SPC_4);
    write_u8(w, RESPONSE_FORMAT);
    write_u8(w, STANDARD_BYTES - 5);
    write_u8(w, unit ? TPGS_IMPLICIT | THIRD_PARTY_COPY : 0);
    write_u8(w, 0);
    write_u8(w, CMDQUE);
    write_bytes(w, VENDOR, 8);
    write_bytes(w, PRODUCT, 16);
    write_bytes(w, REVISION, 4);
    write_zeros(w, 22);
    for (size_t i = 0; i < ARRAY_COUNT(versions); i++)
        write_u16(w, versions[i]);
    write_zeros(w, STANDARD_BYTES - writer_length(w));
}

static void supported_write(const struct scsi_unit *unit, struct writer *w)
{
    static const uint8_t pages[] = {VPD_SUPPORTED,       VPD_SERIAL,      VPD_IDENTIFICATION,
                                    VPD_EXTENDED,        VPD_COPY,        VPD_LIMITS,
                                    VPD_CHARACTERISTICS, VPD_PROVISIONING};
    write_bytes(w, pages, unit ? sizeof(pages) : 1);
}

static void serial_write(const struct scsi_unit *unit, struct writer *w)
{
    char text[UUID_TEXT_BYTES];
    uuid_format(&unit->export->uuid, text);
    write_bytes(w, text, UUID_TEXT_BYTES - 1);
}

static void designator_write(struct writer *w, uint8_t code, uint8_t type, const void *bytes,
                             uint8_t length)
{
    write_u8(w, code);
    write_u8(w, type);
    write_u8(w, 0);
    write_u8(w, length);
    write_bytes(w, bytes, length);
}

/* A SCSI name string: "NAME" + "SUFFIX", a zero, and zeros up to a multiple of four. */
static void name_write(struct writer *w, uint8_t type, const char *name, const char *suffix)
{
    size_t length = strlen(name) + strlen(suffix);
    size_t padded = (length / 4 + 1) * 4;
    ASSERT(padded <= UINT8_MAX);
    write_u8(w, type == (OF_UNIT | TYPE_NAME) ? CODE_UTF8 : ISCSI | CODE_UTF8);
    write_u8(w, type);
    write_u8(w, 0);
    write_u8(w, (uint8_t)padded);
    write_bytes(w, name, strlen(name));
    write_bytes(w, suffix, strlen(suffix));
    write_zeros(w, padded - length);
}

static void identification_write(const struct scsi_unit *unit, struct writer *w)
{
    static const uint8_t one[4] = {0, 0, 0, 1};
    const struct uuid *uuid = &unit->export->uuid;
    uint8_t naa[SCSI_NAA_BYTES];
    scsi_unit_naa(unit, naa);
    designator_write(w, CODE_BINARY, OF_UNIT | TYPE_NAA, naa, sizeof(naa));

    char vendor_id[8 + UUID_TEXT_BYTES] = VENDOR;
    uuid_format(uuid, vendor_id + 8);
    designator_write(w, CODE_ASCII, OF_UNIT | TYPE_VENDOR_ID, vendor_id, sizeof(vendor_id) - 1);

    designator_write(w, ISCSI | CODE_BINARY, OF_PORT | TYPE_RELATIVE_PORT, one, sizeof(one));
    designator_write(w, ISCSI | CODE_BINARY, OF_PORT | TYPE_PORT_GROUP, one, sizeof(one));
    if (unit->target_name) {
        name_write(w, OF_UNIT | TYPE_NAME, unit->target_name, ",L,0x0000000000000000");
        name_write(w, OF_PORT | TYPE_NAME, unit->target_name, ",t,0x0001");
        name_write(w, OF_TARGET | TYPE_NAME, unit->target_name, "");
    }
}

static void extended_write(struct writer *w)
{
    enum { SIMPSUP = 0x01, V_SUP = 0x01, LUICLR = 0x01 };
    write_u8(w, 0);
    write_u8(w, SIMPSUP);
    write_u8(w, V_SUP);
    write_u8(w, LUICLR);
    write_zeros(w, VPD_LONG_BYTES - writer_length(w));
}

static void limits_write(const struct scsi_unit *unit, struct writer *w)
{
    enum { WSNZ = 0x01 };
    const uint32_t UGAVALID = 1u << 31;
    uint32_t block_bytes = unit->export->block_bytes;
    write_u8(w, WSNZ);
    write_u8(w, SCSI_COMPARE_BLOCKS_MAX);
    write_u16(w, (uint16_t)(BLOCK_BYTES / block_bytes)); /* optimal transfer length granularity */
    write_u32(w, SCSI_TRANSFER_BYTES_MAX / block_bytes);
    write_u32(w, PAYLOAD_BYTES_MAX / block_bytes); /* optimal transfer length */
    write_u32(w, 0);                               /* maximum prefetch length */
    write_u32(w, UINT32_MAX);                      /* maximum unmap LBA count: no limit */
    write_u32(w, SCSI_UNMAP_DESCRIPTORS_MAX);
    write_u32(w, BLOCK_BYTES / block_bytes); /* optimal unmap granularity */
    write_u32(w, UGAVALID);
    write_u64(w, SCSI_SAME_BYTES_MAX / block_bytes);
    write_zeros(w, VPD_LONG_BYTES - writer_length(w));
}

static void characteristics_write(struct writer *w)
{
    enum { NON_ROTATING = 1, VBULS = 0x01 };
    write_u16(w, NON_ROTATING);
    write_zeros(w, 2);
    write_u8(w, VBULS); /* unmapped blocks can be verified: they are zeros */
    write_zeros(w, VPD_LONG_BYTES - writer_length(w));
}

static void provisioning_write(struct writer *w)
{
    enum { LBPU = 0x80, LBPWS = 0x40, LBPWS10 = 0x20, LBPRZ = 0x04, THIN = 0x02 };
    write_u8(w, 0);
    write_u8(w, LBPU | LBPWS | LBPWS10 | LBPRZ);
    write_u8(w, THIN);
    write_u8(w, 0);
}

/* False when there is no such page. */
static bool vpd_write(const struct scsi_unit *unit, uint8_t page, struct writer *w)
{
    if (!unit && page != VPD_SUPPORTED)
        return false;
    write_u8(w, unit ? 0 : NO_UNIT);
    write_u8(w, page);
    write_u16(w, 0);
    switch (page) {
    case VPD_SUPPORTED:
        supported_write(unit, w);
        break;
    case VPD_SERIAL:
        serial_write(unit, w);
        break;
    case VPD_IDENTIFICATION:
        identification_write(unit, w);
        break;
    case VPD_EXTENDED:
        extended_write(w);
        break;
    case VPD_COPY:
        scsi_copy_page_write(unit, w);
        break;
    case VPD_LIMITS:
        limits_write(unit, w);
        break;
    case VPD_CHARACTERISTICS:
        characteristics_write(w);
        break;
    case VPD_PROVISIONING:
        provisioning_write(w);
        break;
    default:
        return false;
    }
    scsi_reply_set_u16(w, 2, writer_length(w) - VPD_HEADER_BYTES);
    return true;
}

enum scsi_next scsi_inquiry_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                  struct buf_pool *pool)
{
    bool vpd = command->cdb[1] & EVPD;
    uint8_t page = command->cdb[2];
    if (!vpd && page != 0)
        return scsi_fail_cdb(command, 2, 7);
    struct writer w = scsi_reply_begin(command, pool);
    if (!vpd)
        standard_write(command->unit, &w);
    else if (!vpd_write(command->unit, page, &w))
        return scsi_fail_cdb(command, 2, 7);
    return scsi_reply_end(command, &w, cdb->length);
}
