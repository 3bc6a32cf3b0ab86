/* SPDX-License-Identifier: Apache-2.0 */
/* The table of conflicts, by the classes that the table of commands gives (ops.c). */
#include "target/front/scsi/guard.h"

#include "target/front/scsi/nexus.h"

enum { PREVENT_ALLOW = 0x1e, START_STOP = 0x1b, START = 0x01, POWER_CONDITION = 0xf0 };

/* What the command is to other initiators' reservations; two have parts of different class. */
static uint8_t class_of(const struct scsi_command *command)
{
    const uint8_t *cdb = command->cdb;
    if (cdb[0] == PREVENT_ALLOW && cdb[4] == 0)
        return SCSI_OP_FREE;
    if (cdb[0] == START_STOP && cdb[4] & START && !(cdb[4] & POWER_CONDITION))
        return SCSI_OP_LOOKS;
    return command->op->flags;
}

bool scsi_guard_forbids(struct scsi_command *command)
{
    struct scsi_unit *unit = command->unit;
    struct scsi_reservations *all = &unit->reservations;
    uint8_t class = class_of(command);
    if (class & SCSI_OP_FREE)
        return false;
    if (class & SCSI_OP_KEYS)
        return unit->reserved_by != NULL;
    if (unit->reserved_by)
        return unit->reserved_by != command->nexus;
    if (class & SCSI_OP_LOOKS || all->type == SCSI_RESERVED_NOT)
        return false;
    if (class & SCSI_OP_READS && scsi_type_is_write_exclusive(all->type))
        return false;
    const struct scsi_registration *mine = scsi_nexus_registration(unit, command->nexus);
    return !mine || !(scsi_type_is_of_registrants(all->type) || scsi_registration_holds(all, mine));
}

void scsi_unit_unreserve(struct scsi_unit *unit)
{
    unit->reserved_by = NULL;
    scsi_guard_update(unit);
}

void scsi_guard_update(struct scsi_unit *unit)
{
    uint8_t type = unit->reservations.type;
    enum export_guard guard = EXPORT_OPEN;
    if (unit->write_protected || scsi_type_is_write_exclusive(type))
        guard = EXPORT_NO_WRITES;
    if (unit->reserved_by || (type != SCSI_RESERVED_NOT && !scsi_type_is_write_exclusive(type)))
        guard = EXPORT_NO_ACCESS;
    if (unit->reservations.unknown)
        guard = EXPORT_GUARD_UNKNOWN;
    unit->export->guard = guard;
}
