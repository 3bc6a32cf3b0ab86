/* SPDX-License-Identifier: Apache-2.0 */
/* Building of data-in in a buffer of its own. */
#include "target/front/scsi/reply.h"

#include "target/front/scsi/sense.h"

struct writer scsi_reply_begin(struct scsi_command *command, struct buf_pool *pool)
{
    return scsi_reply_begin_long(command, pool, SCSI_RESPONSE_BYTES_MAX);
}

struct writer scsi_reply_begin_long(struct scsi_command *command, struct buf_pool *pool,
                                    uint32_t bytes)
{
    ASSERT(!command->data_in.buf);
    command->data_in = slice_get(pool, bytes);
    return writer_of(command->data_in.bytes, command->data_in.length_bytes);
}

enum scsi_next scsi_reply_end(struct scsi_command *command, const struct writer *w,
                              uint64_t allocation_bytes)
{
    ASSERT(!w->bad && w->begin == command->data_in.bytes);
    uint64_t length = writer_length(w);
    if (length > allocation_bytes)
        length = allocation_bytes;
    command->data_in.length_bytes = (uint32_t)length;
    if (length == 0)
        slice_release(&command->data_in);
    return scsi_good(command);
}
