/* SPDX-License-Identifier: Apache-2.0 */
/* The table of registrations and its form in the volume's book. */
#include "target/front/scsi/reservations.h"

enum { VERSION = 1 };

bool scsi_port_equal(const struct scsi_port *a, const struct scsi_port *b)
{
    return a->isid == b->isid && strcmp(a->initiator, b->initiator) == 0;
}

struct scsi_registration *scsi_registration_find(struct scsi_reservations *all,
                                                 const struct scsi_port *port)
{
    for (int i = 0; i < SCSI_REGISTRATIONS_MAX; i++) {
        struct scsi_registration *r = &all->registrations[i];
        if (r->key && scsi_port_equal(&r->port, port))
            return r;
    }
    return NULL;
}

struct scsi_registration *scsi_registration_add(struct scsi_reservations *all,
                                                const struct scsi_port *port, uint64_t key)
{
    ASSERT(key != 0 && !scsi_registration_find(all, port));
    for (int i = 0; i < SCSI_REGISTRATIONS_MAX; i++) {
        struct scsi_registration *r = &all->registrations[i];
        if (r->key)
            continue;
        *r = (struct scsi_registration){.key = key, .port = *port};
        return r;
    }
    return NULL;
}

uint32_t scsi_registration_count(const struct scsi_reservations *all)
{
    uint32_t count = 0;
    for (int i = 0; i < SCSI_REGISTRATIONS_MAX; i++)
        count += all->registrations[i].key != 0;
    return count;
}

bool scsi_registration_holds(const struct scsi_reservations *all, const struct scsi_registration *r)
{
    ASSERT(r->key != 0);
    if (scsi_type_is_of_all(all->type))
        return true;
    return all->type != SCSI_RESERVED_NOT && r == &all->registrations[all->holder];
}

void scsi_registration_remove(struct scsi_reservations *all, struct scsi_registration *r)
{
    bool last = scsi_registration_count(all) == 1;
    if (scsi_registration_holds(all, r) && (last || !scsi_type_is_of_all(all->type)))
        all->type = SCSI_RESERVED_NOT;
    r->key = 0;
}

void scsi_registration_reserve(struct scsi_reservations *all, const struct scsi_registration *r,
                               uint8_t type)
{
    ASSERT(r->key != 0 && scsi_type_valid(type));
    all->type = type;
    all->holder = (uint8_t)(r - all->registrations);
}

static bool has_holder(uint8_t type)
{
    return type != SCSI_RESERVED_NOT && !scsi_type_is_of_all(type);
}

static void registration_encode(const struct scsi_registration *r, struct writer *w)
{
    size_t length = strlen(r->port.initiator);
    ASSERT(length < IQN_BYTES);
    write_u64(w, r->key);
    write_u64(w, r->port.isid);
    write_u8(w, (uint8_t)length);
    write_bytes(w, r->port.initiator, length);
}

void scsi_reservations_encode(const struct scsi_reservations *all, struct writer *w)
{
    uint32_t holder = 0; /* registrations are written without gaps: its place among them */
    for (int i = 0; has_holder(all->type) && i < all->holder; i++)
        holder += all->registrations[i].key != 0;
    write_u8(w, VERSION);
    write_u8(w, all->type);
    write_u8(w, (uint8_t)holder);
    write_u8(w, (uint8_t)scsi_registration_count(all));
    for (int i = 0; i < SCSI_REGISTRATIONS_MAX; i++)
        if (all->registrations[i].key)
            registration_encode(&all->registrations[i], w);
}

static bool registration_decode(struct scsi_reservations *all, struct reader *r)
{
    struct scsi_port port = {0};
    uint64_t key = read_u64(r);
    port.isid = read_u64(r);
    uint8_t length = read_u8(r);
    if (length == 0 || length >= IQN_BYTES)
        return false;
    read_copy(r, port.initiator, length);
    bool good = !r->bad && key != 0 && port.isid >> 48 == 0 && strlen(port.initiator) == length;
    return good && !scsi_registration_find(all, &port) && scsi_registration_add(all, &port, key);
}

static bool reservations_read(struct scsi_reservations *all, struct reader *r)
{
    uint8_t version = read_u8(r);
    all->type = read_u8(r);
    all->holder = read_u8(r);
    uint8_t count = read_u8(r);
    if (r->bad || version != VERSION || count > SCSI_REGISTRATIONS_MAX)
        return false;
    if (all->type != SCSI_RESERVED_NOT && (!scsi_type_valid(all->type) || count == 0))
        return false;
    if (all->holder != 0 && (!has_holder(all->type) || all->holder >= count))
        return false;
    for (uint8_t i = 0; i < count; i++)
        if (!registration_decode(all, r))
            return false;
    return reader_left(r) == 0;
}

bool scsi_reservations_decode(struct scsi_reservations *all, struct reader *r)
{
    bool any = reader_left(r) > 0;
    *all = (struct scsi_reservations){.kept = any, .stored = any};
    if (!any || reservations_read(all, r))
        return true;
    *all = (struct scsi_reservations){.stored = true};
    return false;
}
