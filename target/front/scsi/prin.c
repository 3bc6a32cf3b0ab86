/* SPDX-License-Identifier: Apache-2.0 */
/* PERSISTENT RESERVE IN (SPC-4 6.15). */
#include "target/front/scsi/persist.h"

#include "target/front/scsi/port.h"
#include "target/front/scsi/reply.h"
#include "target/front/scsi/sense.h"

enum {
    HEAD_BYTES = 8,
    STATUS_BYTES_MAX = HEAD_BYTES + SCSI_REGISTRATIONS_MAX * (24 + SCSI_PORT_BYTES_MAX),
};

/* PRGENERATION, and room for the length of what follows. */
static struct writer answer_begin(struct scsi_command *command, struct buf_pool *pool)
{
    struct writer w = scsi_reply_begin_long(command, pool, STATUS_BYTES_MAX);
    write_u32(&w, command->unit->reservations.generation);
    write_u32(&w, 0);
    return w;
}

static enum scsi_next answer_end(struct scsi_command *command, struct writer *w,
                                 const struct scsi_cdb *cdb)
{
    scsi_reply_set_u16(w, 6, writer_length(w) - HEAD_BYTES);
    return scsi_reply_end(command, w, cdb->length);
}

enum scsi_next scsi_prin_keys_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                    struct buf_pool *pool)
{
    const struct scsi_reservations *all = &command->unit->reservations;
    struct writer w = answer_begin(command, pool);
    for (int i = 0; i < SCSI_REGISTRATIONS_MAX; i++)
        if (all->registrations[i].key)
            write_u64(&w, all->registrations[i].key);
    return answer_end(command, &w, cdb);
}

enum scsi_next scsi_prin_reservation_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                           struct buf_pool *pool)
{
    const struct scsi_reservations *all = &command->unit->reservations;
    struct writer w = answer_begin(command, pool);
    if (all->type != SCSI_RESERVED_NOT) {
        bool one = !scsi_type_is_of_all(all->type);
        write_u64(&w, one ? all->registrations[all->holder].key : 0);
        write_zeros(&w, 5);
        write_u8(&w, all->type); /* of the scope of a logical unit, 0 */
        write_zeros(&w, 2);
    }
    return answer_end(command, &w, cdb);
}

/*
 * Compatible handling of RESERVE, initiator ports named by others, all target ports (the one there
 * is) and, but for snapshots, persistence are there. Who only looks passes reservations as SPC-4
 * table 65 has it.
 */
enum scsi_next scsi_prin_capabilities_begin(struct scsi_command *command,
                                            const struct scsi_cdb *cdb, struct buf_pool *pool)
{
    enum { LENGTH = 8, CRH = 0x10, SIP_C = 0x08, ATP_C = 0x04, PTPL_C = 0x01 };
    enum { TMV = 0x80, ALLOW_LOOKING = 0x40, PTPL_A = 0x01 };
    const uint16_t types = 0xea01; /* all six */
    bool kept = command->unit->reservations.kept;
    bool keeps = command->unit->export->generation == 0;
    struct writer w = scsi_reply_begin(command, pool);
    write_u16(&w, LENGTH);
    write_u8(&w, CRH | SIP_C | ATP_C | (keeps ? PTPL_C : 0));
    write_u8(&w, TMV | ALLOW_LOOKING | (kept ? PTPL_A : 0));
    write_u16(&w, types);
    write_zeros(&w, 2);
    return scsi_reply_end(command, &w, cdb->length);
}

static void full_status_write(const struct scsi_reservations *all,
                              const struct scsi_registration *r, struct writer *w)
{
    enum { R_HOLDER = 0x01, TARGET_PORT = 1 };
    bool holds = scsi_registration_holds(all, r);
    write_u64(w, r->key);
    write_zeros(w, 4);
    write_u8(w, holds ? R_HOLDER : 0);
    write_u8(w, holds ? all->type : 0);
    write_zeros(w, 4);
    write_u16(w, TARGET_PORT);
    uint8_t bytes[SCSI_PORT_BYTES_MAX];
    struct writer id = writer_of(bytes, sizeof(bytes));
    scsi_port_encode(&r->port, &id);
    write_u32(w, (uint32_t)writer_length(&id));
    write_bytes(w, bytes, writer_length(&id));
}

enum scsi_next scsi_prin_full_status_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                           struct buf_pool *pool)
{
    const struct scsi_reservations *all = &command->unit->reservations;
    struct writer w = answer_begin(command, pool);
    for (int i = 0; i < SCSI_REGISTRATIONS_MAX; i++)
        if (all->registrations[i].key)
            full_status_write(all, &all->registrations[i], &w);
    return answer_end(command, &w, cdb);
}
