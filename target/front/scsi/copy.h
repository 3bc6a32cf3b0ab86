/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EXTENDED COPY and what RECEIVE COPY RESULTS tells of it, with list identifiers of one byte (SPC-4
 * 6.4, 6.18 and 6.20): blocks of a unit copied to other blocks of the same unit.
 */
#ifndef STRAKE_SCSI_COPY_H
#define STRAKE_SCSI_COPY_H

#include "common/base/bytes.h"
#include "target/front/scsi/cdb.h"
#include "target/front/scsi/sense.h"

scsi_step scsi_copy_begin;
scsi_step scsi_copy_finish;
scsi_step scsi_copy_status_begin;
scsi_step scsi_copy_parameters_begin;

enum {
    SCSI_COPY_DEVICE_TYPE = 0xe4,  /* identification descriptor CSCD descriptor */
    SCSI_COPY_SEGMENT_TYPE = 0x02, /* from block device to block device */
    SCSI_COPY_DEVICE_BYTES = 32,
    SCSI_COPY_SEGMENT_BYTES = 28,
    SCSI_COPY_DEVICES_MAX = 8,
    SCSI_COPY_SEGMENTS_MAX = 16,
    SCSI_COPY_LIST_BYTES_MAX = SCSI_COPY_DEVICES_MAX * SCSI_COPY_DEVICE_BYTES +
                               SCSI_COPY_SEGMENTS_MAX * SCSI_COPY_SEGMENT_BYTES,
    SCSI_COPY_BYTES_MAX = 16u << 20, /* of a segment */
};

/* What is known of the nexus' copy with this list identifier, or NULL. */
struct scsi_copy *scsi_copy_find(struct scsi_nexus *nexus, uint8_t list_id);
/* A block request failed: if the command copies, COPY ABORTED, and where. */
void scsi_copy_sense(const struct scsi_command *command, struct scsi_sense *sense);
/* The command is over, with its status, or dropped: what its nexus keeps of it follows. */
void scsi_copy_end(struct scsi_command *command);
void scsi_copy_drop(struct scsi_command *command);
/* The unit is reset: nothing is kept of copies that are over. */
void scsi_copies_forget(struct scsi_unit *unit);

/* The descriptors of VPD page 8Fh (SPC-4 7.8.17). */
void scsi_copy_page_write(const struct scsi_unit *unit, struct writer *w);

#endif
