/* SPDX-License-Identifier: Apache-2.0 */
/* What VPD page B0h promises and the commands hold each initiator to. */
#ifndef STRAKE_SCSI_LIMITS_H
#define STRAKE_SCSI_LIMITS_H

#include "target/front/scsi/scsi.h"

enum {
    SCSI_COMPARE_BLOCKS_MAX = 128,
    SCSI_UNMAP_DESCRIPTORS_MAX = 256,
    SCSI_SAME_BYTES_MAX = 16u << 20, /* WRITE SAME: a few pieces, if not zeros */
};

STATIC_ASSERT(2 * SCSI_COMPARE_BLOCKS_MAX * BLOCK_BYTES <= PAYLOAD_BYTES_MAX,
              "a COMPARE AND WRITE is one operation");
STATIC_ASSERT((uint32_t)SCSI_TRANSFER_BYTES_MAX <= BUF_BYTES_MAX, "a transfer fits one buffer");

#endif
