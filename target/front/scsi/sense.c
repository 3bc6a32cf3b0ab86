/* SPDX-License-Identifier: Apache-2.0 */
/* Sense data in both formats, and which sense each failure gets. */
#include "target/front/scsi/sense.h"

#include "target/front/scsi/unit.h"

#include <errno.h>

enum {
    RESPONSE_FIXED = 0x70,
    RESPONSE_DESCRIPTORS = 0x72,
    INFORMATION_VALID = 0x80,
    FIELD_VALID = 0x80,
    FIELD_IN_CDB = 0x40,
    FIELD_BIT_VALID = 0x08,
};

/* Sense key specific data of ILLEGAL REQUEST: the field pointer (SPC-4 table 47). */
static void field_encode(const struct scsi_sense *sense, struct writer *w)
{
    if (!sense->has_field) {
        write_zeros(w, 3);
        return;
    }
    ASSERT(sense->field_bit < 8);
    uint8_t flags = FIELD_VALID | FIELD_BIT_VALID | sense->field_bit;
    if (sense->field_in_cdb)
        flags |= FIELD_IN_CDB;
    write_u8(w, flags);
    write_u16(w, sense->field_byte);
}

/* SPC-4 4.5.3. An INFORMATION that does not fit is left out, as it demands. */
static void fixed_encode(const struct scsi_sense *sense, struct writer *w)
{
    bool information = sense->has_information && sense->information <= UINT32_MAX;
    write_u8(w, information ? RESPONSE_FIXED | INFORMATION_VALID : RESPONSE_FIXED);
    write_u8(w, 0);
    write_u8(w, (uint8_t)sense->key);
    write_u32(w, information ? (uint32_t)sense->information : 0);
    write_u8(w, SCSI_SENSE_FIXED_BYTES - 8);
    write_u32(w, sense->has_segment ? sense->segment : 0);
    write_u16(w, sense->asc);
    write_u8(w, 0);
    field_encode(sense, w);
}

/* SPC-4 4.5.2. */
static void descriptors_encode(const struct scsi_sense *sense, struct writer *w)
{
    uint8_t length = (uint8_t)((sense->has_information ? 12 : 0) + (sense->has_segment ? 12 : 0) +
                               (sense->has_field ? 8 : 0));
    write_u8(w, RESPONSE_DESCRIPTORS);
    write_u8(w, (uint8_t)sense->key);
    write_u16(w, sense->asc);
    write_zeros(w, 3);
    write_u8(w, length);
    if (sense->has_information) {
        const uint8_t head[] = {0x00, 0x0a, INFORMATION_VALID, 0};
        write_bytes(w, head, sizeof(head));
        write_u64(w, sense->information);
    }
    /* SPC-4 5.16.7.4: neither sense data of the source nor of the destination, then the segment. */
    if (sense->has_segment) {
        const uint8_t head[] = {0x01, 0x0a, 0, 0, 0, 0};
        write_bytes(w, head, sizeof(head));
        write_u16(w, sense->segment);
        write_zeros(w, 4);
    }
    if (sense->has_field) {
        const uint8_t head[] = {0x02, 0x06, 0, 0};
        write_bytes(w, head, sizeof(head));
        field_encode(sense, w);
        write_u8(w, 0);
    }
}

void scsi_sense_encode(const struct scsi_sense *sense, bool descriptors, struct writer *w)
{
    if (descriptors)
        descriptors_encode(sense, w);
    else
        fixed_encode(sense, w);
}

enum scsi_next scsi_good(struct scsi_command *command)
{
    command->status = SCSI_GOOD;
    return SCSI_DONE;
}

enum scsi_next scsi_conflict(struct scsi_command *command)
{
    command->status = SCSI_RESERVATION_CONFLICT;
    return SCSI_DONE;
}

enum scsi_next scsi_fail_sense(struct scsi_command *command, const struct scsi_sense *sense)
{
    struct writer w = writer_of(command->sense, sizeof(command->sense));
    scsi_sense_encode(sense, command->unit && command->unit->descriptor_sense, &w);
    ASSERT(!w.bad);
    command->sense_bytes = (uint32_t)writer_length(&w);
    command->status = SCSI_CHECK_CONDITION;
    return SCSI_DONE;
}

enum scsi_next scsi_fail(struct scsi_command *command, enum scsi_key key, uint16_t asc)
{
    return scsi_fail_sense(command, &(struct scsi_sense){.key = key, .asc = asc});
}

enum scsi_next scsi_fail_range(struct scsi_command *command, uint64_t lba)
{
    uint64_t blocks = scsi_unit_blocks(command->unit);
    return scsi_fail_sense(command,
                           &(struct scsi_sense){.key = SCSI_KEY_ILLEGAL_REQUEST,
                                                .asc = SCSI_ASC_LBA_OUT_OF_RANGE,
                                                .has_information = true,
                                                .information = lba > blocks ? lba : blocks});
}

enum scsi_next scsi_fail_cdb(struct scsi_command *command, uint16_t byte, uint8_t bit)
{
    return scsi_fail_sense(command, &(struct scsi_sense){.key = SCSI_KEY_ILLEGAL_REQUEST,
                                                         .asc = SCSI_ASC_INVALID_FIELD_IN_CDB,
                                                         .has_field = true,
                                                         .field_in_cdb = true,
                                                         .field_byte = byte,
                                                         .field_bit = bit});
}

enum scsi_next scsi_fail_parameter(struct scsi_command *command, uint16_t byte, uint8_t bit)
{
    return scsi_fail_sense(command, &(struct scsi_sense){.key = SCSI_KEY_ILLEGAL_REQUEST,
                                                         .asc = SCSI_ASC_INVALID_PARAMETER,
                                                         .has_field = true,
                                                         .field_byte = byte,
                                                         .field_bit = bit});
}

struct scsi_sense scsi_sense_of(const struct block_req *block)
{
    bool read = block->op == BLOCK_READ;
    switch (block->status) {
    case -EIO:
        return (struct scsi_sense){.key = SCSI_KEY_MEDIUM_ERROR,
                                   .asc = read ? SCSI_ASC_UNRECOVERED_READ : SCSI_ASC_WRITE_ERROR};
    case -ENOSPC:
        return (struct scsi_sense){.key = SCSI_KEY_DATA_PROTECT, .asc = SCSI_ASC_SPACE_ALLOCATION};
    case -EROFS:
        return (struct scsi_sense){.key = SCSI_KEY_DATA_PROTECT, .asc = SCSI_ASC_WRITE_PROTECTED};
    case -EINVAL:
        return (struct scsi_sense){.key = SCSI_KEY_ILLEGAL_REQUEST,
                                   .asc = SCSI_ASC_LBA_OUT_OF_RANGE};
    case -ESHUTDOWN:
        return (struct scsi_sense){.key = SCSI_KEY_NOT_READY, .asc = SCSI_ASC_NOT_READY};
    case -EILSEQ:
        /* SBC-3 5.3: INFORMATION is the offset in the data-out of the first byte that differs. */
        return (struct scsi_sense){.key = SCSI_KEY_MISCOMPARE,
                                   .asc = SCSI_ASC_MISCOMPARE,
                                   .has_information = true,
                                   .information = block->mismatch_bytes};
    default:
        return (struct scsi_sense){.key = SCSI_KEY_HARDWARE_ERROR,
                                   .asc = SCSI_ASC_INTERNAL_FAILURE};
    }
}
