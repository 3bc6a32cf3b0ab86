/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who registered with a logical unit and who reserved it (SPC-4 5.9), and its form in the volume's
 * book, in which it outlives the target when APTPL asks for that:
 *   u8 version 1, u8 type of the reservation, u8 index of its holder, u8 number of registrations,
 *   and of each: u64 key, u64 ISID, u8 length of the initiator's name, the name.
 * PRGENERATION is not kept: it counts from power on (SPC-4 6.15.2).
 */
#ifndef STRAKE_SCSI_RESERVATIONS_H
#define STRAKE_SCSI_RESERVATIONS_H

#include "common/base/bytes.h"
#include "target/front/export/export.h"

enum {
    SCSI_REGISTRATIONS_MAX = 64,
    SCSI_RESERVATIONS_BYTES_MAX = 4 + SCSI_REGISTRATIONS_MAX * (8 + 8 + 1 + IQN_BYTES),
};

/* The types of SPC-4 table 179; RO: registrants only, AR: all registrants. */
enum scsi_reservation {
    SCSI_RESERVED_NOT = 0,
    SCSI_WRITE_EXCLUSIVE = 1,
    SCSI_EXCLUSIVE_ACCESS = 3,
    SCSI_WRITE_EXCLUSIVE_RO = 5,
    SCSI_EXCLUSIVE_ACCESS_RO = 6,
    SCSI_WRITE_EXCLUSIVE_AR = 7,
    SCSI_EXCLUSIVE_ACCESS_AR = 8,
};

/* An initiator port. With the one target port there is, it makes an I_T nexus. */
struct scsi_port {
    uint64_t isid;
    char initiator[IQN_BYTES];
};

struct scsi_registration {
    uint64_t key; /* 0: none */
    bool aborts;  /* was preempted: the commands of the port are to be aborted */
    struct scsi_port port;
};

struct scsi_reservations {
    bool unknown;           /* the book was not read yet */
    bool kept;              /* APTPL: what is here shall be in the book */
    bool stored;            /* the book may have something */
    uint64_t version;       /* of what is here: counts changes */
    uint64_t saved_version; /* of what the book is known to have */
    uint32_t generation;    /* PRGENERATION */
    uint8_t type;           /* enum scsi_reservation */
    uint8_t holder;         /* index of a registration; of no meaning to types NOT and AR */
    struct scsi_registration registrations[SCSI_REGISTRATIONS_MAX];
};

static inline bool scsi_type_valid(uint8_t type)
{
    return type == SCSI_WRITE_EXCLUSIVE || type == SCSI_EXCLUSIVE_ACCESS ||
           (type >= SCSI_WRITE_EXCLUSIVE_RO && type <= SCSI_EXCLUSIVE_ACCESS_AR);
}

static inline bool scsi_type_is_write_exclusive(uint8_t type)
{
    return type == SCSI_WRITE_EXCLUSIVE || type == SCSI_WRITE_EXCLUSIVE_RO ||
           type == SCSI_WRITE_EXCLUSIVE_AR;
}

/* All who are registered may do what the holder may. */
static inline bool scsi_type_is_of_registrants(uint8_t type)
{
    return type >= SCSI_WRITE_EXCLUSIVE_RO;
}

/* All who are registered are holders. */
static inline bool scsi_type_is_of_all(uint8_t type)
{
    return type >= SCSI_WRITE_EXCLUSIVE_AR;
}

bool scsi_port_equal(const struct scsi_port *a, const struct scsi_port *b);
/* NULL: the port is not registered. */
struct scsi_registration *scsi_registration_find(struct scsi_reservations *all,
                                                 const struct scsi_port *port);
/* With this key, not 0. NULL: there is no room. */
struct scsi_registration *scsi_registration_add(struct scsi_reservations *all,
                                                const struct scsi_port *port, uint64_t key);
/* Its reservation, if it is the only holder, ends with it. */
void scsi_registration_remove(struct scsi_reservations *all, struct scsi_registration *r);
uint32_t scsi_registration_count(const struct scsi_reservations *all);
bool scsi_registration_holds(const struct scsi_reservations *all,
                             const struct scsi_registration *r);
void scsi_registration_reserve(struct scsi_reservations *all, const struct scsi_registration *r,
                               uint8_t type);

void scsi_reservations_encode(const struct scsi_reservations *all, struct writer *w);
/* False: not what was encoded; `all` has nobody then. Empty is nobody, too. */
MUST_USE bool scsi_reservations_decode(struct scsi_reservations *all, struct reader *r);

#endif
