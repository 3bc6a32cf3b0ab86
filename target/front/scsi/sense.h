/* SPDX-License-Identifier: Apache-2.0 */
/* How a command ends: status and sense data (SPC-4 4.5). All return SCSI_DONE. */
#ifndef STRAKE_SCSI_SENSE_H
#define STRAKE_SCSI_SENSE_H

#include "common/base/bytes.h"
#include "target/front/scsi/scsi.h"

enum scsi_key {
    SCSI_KEY_NO_SENSE = 0x0,
    SCSI_KEY_NOT_READY = 0x2,
    SCSI_KEY_MEDIUM_ERROR = 0x3,
    SCSI_KEY_HARDWARE_ERROR = 0x4,
    SCSI_KEY_ILLEGAL_REQUEST = 0x5,
    SCSI_KEY_UNIT_ATTENTION = 0x6,
    SCSI_KEY_DATA_PROTECT = 0x7,
    SCSI_KEY_COPY_ABORTED = 0xa,
    SCSI_KEY_ABORTED_COMMAND = 0xb,
    SCSI_KEY_MISCOMPARE = 0xe,
};

/* Additional sense code and qualifier: ASC << 8 | ASCQ. */
enum scsi_asc {
    SCSI_ASC_NONE = 0x0000,
    SCSI_ASC_OPERATION_IN_PROGRESS = 0x0016,
    SCSI_ASC_NOT_READY = 0x0400,        /* cause not reportable */
    SCSI_ASC_BECOMING_READY = 0x0401,   /* is in process of becoming ready */
    SCSI_ASC_COPY_UNREACHABLE = 0x0804, /* unreachable copy target */
    SCSI_ASC_WRITE_ERROR = 0x0c00,
    SCSI_ASC_COPY_FAILURE = 0x0d01,       /* third party device failure */
    SCSI_ASC_COPY_NOT_REACHABLE = 0x0d02, /* copy target device not reachable */
    SCSI_ASC_INVALID_COMMAND_IU = 0x0e03, /* invalid field in command information unit */
    SCSI_ASC_UNRECOVERED_READ = 0x1100,
    SCSI_ASC_PARAMETER_LENGTH = 0x1a00, /* parameter list length error */
    SCSI_ASC_MISCOMPARE = 0x1d00,       /* miscompare during verify operation */
    SCSI_ASC_INVALID_OPCODE = 0x2000,
    SCSI_ASC_LBA_OUT_OF_RANGE = 0x2100,
    SCSI_ASC_INVALID_FIELD_IN_CDB = 0x2400,
    SCSI_ASC_LUN_NOT_SUPPORTED = 0x2500,
    SCSI_ASC_INVALID_PARAMETER = 0x2600,  /* invalid field in parameter list */
    SCSI_ASC_INVALID_RELEASE = 0x2604,    /* invalid release of persistent reservation */
    SCSI_ASC_COPY_DEVICES = 0x2606,       /* too many target descriptors */
    SCSI_ASC_COPY_DEVICE_TYPE = 0x2607,   /* unsupported target descriptor type code */
    SCSI_ASC_COPY_SEGMENTS = 0x2608,      /* too many segment descriptors */
    SCSI_ASC_COPY_SEGMENT_TYPE = 0x2609,  /* unsupported segment descriptor type code */
    SCSI_ASC_INLINE_DATA_LENGTH = 0x260b, /* inline data length exceeded */
    SCSI_ASC_WRITE_PROTECTED = 0x2700,
    SCSI_ASC_SOFTWARE_WRITE_PROTECTED = 0x2702, /* of the logical unit */
    SCSI_ASC_SPACE_ALLOCATION = 0x2707,         /* space allocation failed write protect */
    SCSI_ASC_SAVING_NOT_SUPPORTED = 0x3900,     /* saving parameters not supported */
    SCSI_ASC_INTERNAL_FAILURE = 0x4400,         /* internal target failure */
    SCSI_ASC_REGISTRATION_RESOURCES = 0x5504,   /* insufficient registration resources */
};

struct scsi_sense {
    enum scsi_key key;
    uint16_t asc; /* enum scsi_asc or scsi_attention */
    bool has_information;
    uint64_t information;
    bool has_field; /* of ILLEGAL REQUEST: which field, of the CDB or else of the data-out */
    bool field_in_cdb;
    uint16_t field_byte;
    uint8_t field_bit;
    bool has_segment; /* of COPY ABORTED: in which segment descriptor */
    uint16_t segment;
};

enum { SCSI_SENSE_FIXED_BYTES = 18 };

/* At most SCSI_SENSE_BYTES_MAX bytes. */
void scsi_sense_encode(const struct scsi_sense *sense, bool descriptors, struct writer *w);

enum scsi_next scsi_good(struct scsi_command *command);
enum scsi_next scsi_conflict(struct scsi_command *command); /* RESERVATION CONFLICT */
enum scsi_next scsi_fail_sense(struct scsi_command *command, const struct scsi_sense *sense);
enum scsi_next scsi_fail(struct scsi_command *command, enum scsi_key key, uint16_t asc);
/* The blocks from `lba` on are not all there: INFORMATION is the first that is not (SBC-3 4.18.1).
 */
enum scsi_next scsi_fail_range(struct scsi_command *command, uint64_t lba);
/* Invalid field in CDB, and which one: its first byte and, there, its highest bit. */
enum scsi_next scsi_fail_cdb(struct scsi_command *command, uint16_t byte, uint8_t bit);
/* Invalid field in parameter list. */
enum scsi_next scsi_fail_parameter(struct scsi_command *command, uint16_t byte, uint8_t bit);
/* What the status, not 0, of a block request is to the initiator. */
struct scsi_sense scsi_sense_of(const struct block_req *block);

#endif
