/* SPDX-License-Identifier: Apache-2.0 */
/* The row "reservations": written when they change, read when the volume is opened. */
#include "target/front/scsi/row.h"

#include "target/front/scsi/guard.h"
#include "target/front/scsi/medium.h"

enum scsi_next scsi_row_submit(struct scsi_command *command)
{
    (void)scsi_block_submit(command, BLOCK_SET_ROW, 0, 0, 0);
    command->block.key = SCSI_RESERVATIONS_ROW;
    return SCSI_BLOCK;
}

void scsi_row_fill(struct scsi_command *command, struct buf_pool *pool)
{
    struct scsi_reservations *all = &command->unit->reservations;
    ASSERT(command->block.op == BLOCK_SET_ROW && !command->scratch.buf);
    command->progress = all->version;
    if (!all->kept || scsi_registration_count(all) == 0)
        return;
    all->stored = true;
    command->scratch = slice_get(pool, SCSI_RESERVATIONS_BYTES_MAX);
    struct writer w = writer_of(command->scratch.bytes, command->scratch.length_bytes);
    scsi_reservations_encode(all, &w);
    ASSERT(!w.bad);
    command->scratch.length_bytes = (uint32_t)writer_length(&w);
    command->block.data = command->scratch;
}

void scsi_reservations_await(struct scsi_unit *unit)
{
    unit->reservations.unknown = true;
    scsi_guard_update(unit);
}

bool scsi_reservations_load(struct scsi_unit *unit, const uint8_t *bytes, size_t length)
{
    struct reader r = reader_of(bytes, length);
    bool good = scsi_reservations_decode(&unit->reservations, &r);
    scsi_guard_update(unit);
    return good;
}

bool scsi_port_aborts(const struct scsi_unit *unit, const struct scsi_port *port)
{
    for (int i = 0; i < SCSI_REGISTRATIONS_MAX; i++) {
        const struct scsi_registration *r = &unit->reservations.registrations[i];
        if (r->aborts && scsi_port_equal(&r->port, port))
            return true;
    }
    return false;
}

void scsi_ports_aborted(struct scsi_unit *unit)
{
    for (int i = 0; i < SCSI_REGISTRATIONS_MAX; i++)
        unit->reservations.registrations[i].aborts = false;
}
