/* SPDX-License-Identifier: Apache-2.0 */
/* Data-in that needs no disk: written whole, then cut to the ALLOCATION LENGTH. */
#ifndef STRAKE_SCSI_REPLY_H
#define STRAKE_SCSI_REPLY_H

#include "common/base/bytes.h"
#include "target/front/scsi/scsi.h"

/* Room for SCSI_RESPONSE_BYTES_MAX, in command->data_in. */
struct writer scsi_reply_begin(struct scsi_command *command, struct buf_pool *pool);
/* Room for `bytes`. */
struct writer scsi_reply_begin_long(struct scsi_command *command, struct buf_pool *pool,
                                    uint32_t bytes);
/* GOOD, with at most `allocation_bytes` of what was written. Returns SCSI_DONE. */
enum scsi_next scsi_reply_end(struct scsi_command *command, const struct writer *w,
                              uint64_t allocation_bytes);

/* Length fields before what they count: sets the two bytes at `at`. */
static inline void scsi_reply_set_u16(struct writer *w, size_t at, size_t value)
{
    ASSERT(at + 2 <= writer_length(w) && value <= UINT16_MAX);
    struct writer field = writer_of(w->begin + at, 2);
    write_u16(&field, (uint16_t)value);
}

#endif
