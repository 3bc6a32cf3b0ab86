/* SPDX-License-Identifier: Apache-2.0 */
/* Reservations on their way into the volume's book. */
#ifndef STRAKE_SCSI_ROW_H
#define STRAKE_SCSI_ROW_H

#include "target/front/scsi/scsi.h"

/* Fills in the command's block request and returns SCSI_BLOCK. */
enum scsi_next scsi_row_submit(struct scsi_command *command);
/*
 * The request's value: the reservations of this moment. Rows take effect in the order of their
 * submission, so none is ever older than the one before, whoever's command it belongs to.
 */
void scsi_row_fill(struct scsi_command *command, struct buf_pool *pool);

#endif
