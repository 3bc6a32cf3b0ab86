/* SPDX-License-Identifier: Apache-2.0 */
/* What a nexus remembers of the copies it asked for; what is done with it: copy.h. */
#ifndef STRAKE_SCSI_COPIES_H
#define STRAKE_SCSI_COPIES_H

#include <stdbool.h>
#include <stdint.h>

/*
 * An EXTENDED COPY: kept while it runs, and after that, if the initiator gave it a list identifier,
 * until it asked how it went, or the place is needed.
 */
enum { SCSI_COPIES_MAX = 8 }; /* of a nexus at once */
enum scsi_copy_state { SCSI_COPY_NONE, SCSI_COPY_RUNS, SCSI_COPY_DONE, SCSI_COPY_FAILED };
struct scsi_copy {
    uint8_t state; /* enum scsi_copy_state */
    bool listed;
    uint8_t list_id;
    uint16_t segments_begin; /* where in the data-out the segment descriptors are */
    uint16_t segment_count;
    uint16_t segments_done;
    uint32_t at_bytes; /* of the segment under way, what is written */
    uint32_t copied_bytes;
};

#endif
