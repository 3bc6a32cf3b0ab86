/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RESERVE and RELEASE, (6) and (10), of a whole unit for who asks (SPC-2 7.21 and 7.16). They end
 * with the nexus and with each reset. Beside persistent reservations they do nothing, which those
 * who may do everything anyway are told as success (SPC-3 5.6.3, CRH).
 */
#include "target/front/scsi/persist.h"

#include "target/front/scsi/guard.h"
#include "target/front/scsi/nexus.h"
#include "target/front/scsi/sense.h"

static enum scsi_next beside_persistent(struct scsi_command *command)
{
    struct scsi_reservations *all = &command->unit->reservations;
    const struct scsi_registration *mine = scsi_nexus_registration(command->unit, command->nexus);
    bool may = mine && all->type != SCSI_RESERVED_NOT &&
               (scsi_registration_holds(all, mine) || scsi_type_is_of_registrants(all->type));
    return may ? scsi_good(command) : scsi_conflict(command);
}

enum scsi_next scsi_reserve_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                  struct buf_pool *pool)
{
    (void)cdb;
    (void)pool;
    struct scsi_unit *unit = command->unit;
    if (scsi_registration_count(&unit->reservations) > 0)
        return beside_persistent(command);
    ASSERT(!unit->reserved_by || unit->reserved_by == command->nexus);
    if (!command->nexus->port)
        return scsi_conflict(command);
    unit->reserved_by = command->nexus;
    scsi_guard_update(unit);
    return scsi_good(command);
}

/* Of somebody else's it is success, too, and nothing. */
enum scsi_next scsi_release_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                  struct buf_pool *pool)
{
    (void)cdb;
    (void)pool;
    struct scsi_unit *unit = command->unit;
    if (scsi_registration_count(&unit->reservations) > 0)
        return beside_persistent(command);
    if (unit->reserved_by == command->nexus)
        scsi_unit_unreserve(unit);
    return scsi_good(command);
}
