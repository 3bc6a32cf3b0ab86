/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PERSISTENT RESERVE OUT (SPC-4 6.16, and 5.9 for what it means). A change takes effect at once. If
 * it is to be kept (APTPL), the command is answered when the volume's book has it; a change whose
 * row was not written stays in effect, and the next command writes it. command->progress is the
 * version that went into the row, 0 before that.
 */
#include "target/front/scsi/persist.h"

#include "target/front/scsi/guard.h"
#include "target/front/scsi/nexus.h"
#include "target/front/scsi/port.h"
#include "target/front/scsi/row.h"
#include "target/front/scsi/sense.h"

enum action {
    REGISTER = 0,
    RESERVE = 1,
    RELEASE = 2,
    CLEAR = 3,
    PREEMPT = 4,
    PREEMPT_AND_ABORT = 5,
    REGISTER_AND_IGNORE = 6,
    REGISTER_AND_MOVE = 7,
};

enum {
    LIST_BYTES = 24,
    KEY_AT = 0,
    ACTION_KEY_AT = 8,
    MOVE_FLAGS_AT = 17,
    MOVE_PORT_AT = 18,
    FLAGS_AT = 20,
    IDS_AT = 28,
    SPEC_I_PT = 0x08,
    APTPL = 0x01,
    UNREG = 0x02,
    TARGET_PORT = 1, /* the relative identifier of the only one */
};

/* A parameter list, and who sent it. */
struct prout {
    struct scsi_command *command;
    struct scsi_unit *unit;
    struct scsi_reservations *all;
    const struct scsi_port *port;   /* of whom sent it */
    struct scsi_registration *mine; /* NULL: not registered */
    enum action action;
    uint8_t type; /* and in its high half the scope: of a logical unit, 0 */
    uint64_t key;
    uint64_t action_key;
    uint8_t flags;
    uint16_t target_port; /* REGISTER AND MOVE */
    struct reader ids;    /* TransportIDs */
};

static enum scsi_next length_fail(struct scsi_command *command)
{
    return scsi_fail(command, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_PARAMETER_LENGTH);
}

/* The list of SPC-4 table 203 (REGISTER AND MOVE: table 206). False: the command has failed. */
static bool list_decode(struct prout *p, struct reader r)
{
    struct scsi_command *command = p->command;
    size_t length = reader_left(&r);
    bool move = p->action == REGISTER_AND_MOVE;
    p->key = read_u64(&r);
    p->action_key = read_u64(&r);
    if (move) {
        read_skip(&r, 1);
        p->flags = read_u8(&r);
        p->target_port = read_u16(&r);
    } else {
        read_skip(&r, 4);
        p->flags = read_u8(&r);
        read_skip(&r, 3);
    }
    bool ids = move || p->flags & SPEC_I_PT;
    if (r.bad || (!ids && length != LIST_BYTES)) {
        (void)length_fail(command);
        return false;
    }
    if (!move && ids && p->action != REGISTER) {
        (void)scsi_fail_parameter(command, FLAGS_AT, 3);
        return false;
    }
    if (!ids)
        return true;
    uint32_t ids_bytes = read_u32(&r);
    p->ids = read_sub(&r, ids_bytes);
    if (r.bad) {
        (void)length_fail(command);
        return false;
    }
    return true;
}

/* ---- what follows a change ---- */

static bool must_save(const struct scsi_reservations *all)
{
    return (all->kept || all->stored) && all->saved_version != all->version;
}

/* The row's value is filled in by scsi_submitting: by then there may be newer changes. */
static enum scsi_next save(struct scsi_command *command)
{
    if (!must_save(&command->unit->reservations))
        return scsi_good(command);
    return scsi_row_submit(command);
}

/* A snapshot has no row of its own: what is said of it goes with the target. */
static bool may_keep(const struct prout *p)
{
    return !(p->flags & APTPL) || p->unit->export->generation == 0;
}

static void changed(struct prout *p, bool counts)
{
    p->all->version++;
    if (counts)
        p->all->generation++;
    scsi_guard_update(p->unit);
}

/* All who are registered but `except` are to be told. */
static void tell_registered(struct prout *p, const struct scsi_registration *except,
                            enum scsi_attention what)
{
    for (int i = 0; i < SCSI_REGISTRATIONS_MAX; i++) {
        const struct scsi_registration *r = &p->all->registrations[i];
        if (r->key && r != except)
            scsi_port_attention(p->unit, &r->port, what);
    }
}

/* A reservation that others than its holder had a part in ended. */
static void tell_released(struct prout *p, uint8_t type)
{
    if (p->all->type == SCSI_RESERVED_NOT && scsi_type_is_of_registrants(type))
        tell_registered(p, p->mine, SCSI_UA_RESERVATIONS_RELEASED);
}

/* ---- registering ---- */

/* False: there is no room. */
static bool port_register(struct prout *p, const struct scsi_port *port)
{
    return scsi_registration_find(p->all, port) ||
           scsi_registration_add(p->all, port, p->action_key);
}

/* One that SPEC_I_PT names must not have been registered before. 0, or why it is not. */
static uint16_t named_register(struct prout *p, struct scsi_reservations *before,
                               const struct scsi_port *port)
{
    if (scsi_registration_find(before, port))
        return SCSI_ASC_INVALID_PARAMETER;
    return port_register(p, port) ? 0 : SCSI_ASC_REGISTRATION_RESOURCES;
}

/* All ports of an initiator that are known here; there must be one. 0, or why not. */
static uint16_t device_register(struct prout *p, struct scsi_reservations *before,
                                const char *initiator)
{
    uint16_t asc = SCSI_ASC_INVALID_PARAMETER;
    LIST_FOR_EACH (node, &p->unit->nexuses) {
        const struct scsi_nexus *nexus = CONTAINER_OF(node, struct scsi_nexus, node);
        if (strcmp(nexus->port->initiator, initiator) != 0)
            continue;
        asc = named_register(p, before, nexus->port);
        if (asc)
            return asc;
    }
    return asc;
}

/* Whom SPEC_I_PT names (SPC-4 table 67). 0, or why none of them is registered. */
static uint16_t ids_register(struct prout *p, struct scsi_reservations *before)
{
    uint16_t asc = 0;
    while (!asc && reader_left(&p->ids) > 0) {
        struct scsi_port port;
        bool whole;
        if (!scsi_port_decode(&p->ids, &port, &whole))
            return SCSI_ASC_INVALID_PARAMETER;
        asc = whole ? named_register(p, before, &port) : device_register(p, before, port.initiator);
    }
    return asc;
}

static enum scsi_next register_new(struct prout *p)
{
    struct scsi_reservations before = *p->all;
    uint16_t asc =
        port_register(p, p->port) ? ids_register(p, &before) : SCSI_ASC_REGISTRATION_RESOURCES;
    if (!asc)
        return SCSI_DONE;
    *p->all = before;
    return scsi_fail(p->command, SCSI_KEY_ILLEGAL_REQUEST, asc);
}

static void unregister(struct prout *p)
{
    uint8_t type = p->all->type;
    scsi_registration_remove(p->all, p->mine);
    p->mine = NULL;
    if (type != SCSI_RESERVED_NOT)
        tell_released(p, type);
}

static enum scsi_next do_register(struct prout *p)
{
    bool ignore = p->action == REGISTER_AND_IGNORE;
    if (!ignore && p->key != (p->mine ? p->mine->key : 0))
        return scsi_conflict(p->command);
    if (p->mine && p->flags & SPEC_I_PT)
        return scsi_fail_parameter(p->command, FLAGS_AT, 3);
    if (!may_keep(p))
        return scsi_fail_parameter(p->command, FLAGS_AT, 0);
    if (!p->mine && p->action_key == 0)
        return scsi_good(p->command);
    if (!p->mine) {
        (void)register_new(p);
        if (p->command->status != SCSI_GOOD)
            return SCSI_DONE;
    } else if (p->action_key == 0) {
        unregister(p);
    } else {
        p->mine->key = p->action_key;
    }
    p->all->kept = p->flags & APTPL;
    changed(p, true);
    return save(p->command);
}

/* ---- reserving ---- */

/* True when there is such a reservation as it wants to have. False: the command has failed. */
static bool type_check(struct prout *p)
{
    if (scsi_type_valid(p->type))
        return true;
    (void)scsi_fail_cdb(p->command, 2, p->type >> 4 != 0 ? 7 : 3);
    return false;
}

static enum scsi_next do_reserve(struct prout *p)
{
    struct scsi_reservations *all = p->all;
    if (!type_check(p))
        return SCSI_DONE;
    if (all->type != SCSI_RESERVED_NOT &&
        (!scsi_registration_holds(all, p->mine) || all->type != p->type))
        return scsi_conflict(p->command);
    if (all->type != SCSI_RESERVED_NOT)
        return save(p->command);
    scsi_registration_reserve(all, p->mine, p->type);
    changed(p, false);
    return save(p->command);
}

static enum scsi_next do_release(struct prout *p)
{
    uint8_t type = p->all->type;
    if (type == SCSI_RESERVED_NOT || !scsi_registration_holds(p->all, p->mine))
        return save(p->command);
    if (type != p->type)
        return scsi_fail(p->command, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_INVALID_RELEASE);
    p->all->type = SCSI_RESERVED_NOT;
    tell_released(p, type);
    changed(p, false);
    return save(p->command);
}

static enum scsi_next do_clear(struct prout *p)
{
    tell_registered(p, p->mine, SCSI_UA_RESERVATIONS_PREEMPTED);
    p->all->type = SCSI_RESERVED_NOT;
    for (int i = 0; i < SCSI_REGISTRATIONS_MAX; i++)
        p->all->registrations[i].key = 0;
    changed(p, true);
    return save(p->command);
}

/* ---- preempting ---- */

/*
 * Removes the registrations of this key, 0: all; but not `spared`, if there is one. Returns how
 * many were of the key.
 */
static uint32_t preempt_key(struct prout *p, uint64_t key, const struct scsi_registration *spared)
{
    uint32_t count = 0;
    for (int i = 0; i < SCSI_REGISTRATIONS_MAX; i++) {
        struct scsi_registration *r = &p->all->registrations[i];
        if (!r->key || (key && r->key != key))
            continue;
        count++;
        if (r == spared)
            continue;
        scsi_registration_remove(p->all, r);
        r->aborts = p->action == PREEMPT_AND_ABORT;
        if (r != p->mine)
            scsi_port_attention(p->unit, &r->port, SCSI_UA_REGISTRATIONS_PREEMPTED);
    }
    return count;
}

/* The reservation goes over to who sent the command (SPC-4 5.9.11.4.3). */
static void preempt_reservation(struct prout *p)
{
    uint8_t type = p->all->type;
    (void)preempt_key(p, p->action_key, p->mine);
    scsi_registration_reserve(p->all, p->mine, p->type);
    if (type != p->type)
        tell_registered(p, p->mine, SCSI_UA_RESERVATIONS_RELEASED);
}

static enum scsi_next do_preempt(struct prout *p)
{
    struct scsi_reservations *all = p->all;
    uint8_t type = all->type;
    bool of_all = scsi_type_is_of_all(type);
    if (p->action_key == 0 && !of_all)
        return scsi_fail_parameter(p->command, ACTION_KEY_AT, 7);
    bool takes_over =
        of_all ? p->action_key == 0
               : type != SCSI_RESERVED_NOT && all->registrations[all->holder].key == p->action_key;
    if (takes_over) {
        if (!type_check(p))
            return SCSI_DONE;
        preempt_reservation(p);
    } else {
        if (preempt_key(p, p->action_key, NULL) == 0)
            return scsi_conflict(p->command);
        if (type != SCSI_RESERVED_NOT)
            tell_released(p, type);
    }
    changed(p, true);
    if (p->action != PREEMPT_AND_ABORT)
        return save(p->command);
    p->command->block.status = 0;
    return SCSI_ABORT;
}

/* ---- moving ---- */

static enum scsi_next do_move(struct prout *p)
{
    struct scsi_reservations *all = p->all;
    struct scsi_port port;
    bool whole;
    if (all->type == SCSI_RESERVED_NOT)
        return scsi_fail_cdb(p->command, 1, 4);
    if (scsi_type_is_of_all(all->type) || !scsi_registration_holds(all, p->mine))
        return scsi_conflict(p->command);
    if (p->action_key == 0)
        return scsi_fail_parameter(p->command, ACTION_KEY_AT, 7);
    if (!may_keep(p))
        return scsi_fail_parameter(p->command, MOVE_FLAGS_AT, 0);
    if (p->target_port != TARGET_PORT)
        return scsi_fail_parameter(p->command, MOVE_PORT_AT, 7);
    if (!scsi_port_decode(&p->ids, &port, &whole) || !whole || reader_left(&p->ids) > 0 ||
        scsi_port_equal(&port, p->port))
        return scsi_fail_parameter(p->command, LIST_BYTES, 7);
    struct scsi_registration *to = scsi_registration_find(all, &port);
    if (to)
        to->key = p->action_key;
    else
        to = scsi_registration_add(all, &port, p->action_key);
    if (!to)
        return scsi_fail(p->command, SCSI_KEY_ILLEGAL_REQUEST, SCSI_ASC_REGISTRATION_RESOURCES);
    scsi_registration_reserve(all, to, all->type);
    if (p->flags & UNREG)
        scsi_registration_remove(all, p->mine);
    all->kept = p->flags & APTPL;
    changed(p, true);
    return save(p->command);
}

/* ---- the command ---- */

static enum scsi_next carry_out(struct prout *p)
{
    if (p->action == REGISTER || p->action == REGISTER_AND_IGNORE)
        return do_register(p);
    if (!p->mine || p->key != p->mine->key)
        return scsi_conflict(p->command);
    switch (p->action) {
    case RESERVE:
        return do_reserve(p);
    case RELEASE:
        return do_release(p);
    case CLEAR:
        return do_clear(p);
    case PREEMPT:
    case PREEMPT_AND_ABORT:
        return do_preempt(p);
    case REGISTER_AND_MOVE:
        return do_move(p);
    case REGISTER:
    case REGISTER_AND_IGNORE:
        break;
    }
    UNREACHABLE();
}

enum scsi_next scsi_prout_begin(struct scsi_command *command, const struct scsi_cdb *cdb,
                                struct buf_pool *pool)
{
    (void)pool;
    struct scsi_unit *unit = command->unit;
    const struct scsi_nexus *nexus = command->nexus;
    if (!nexus->port)
        return scsi_conflict(command);
    struct prout p = {.command = command,
                      .unit = unit,
                      .all = &unit->reservations,
                      .port = nexus->port,
                      .mine = scsi_nexus_registration(unit, nexus),
                      .action = command->op->action,
                      .type = command->cdb[2]};
    if (cdb->length < LIST_BYTES || command->data_out.length_bytes < cdb->length)
        return length_fail(command);
    if (!list_decode(&p, reader_of(command->data_out.bytes, cdb->length)))
        return SCSI_DONE;
    return carry_out(&p);
}

/* What it preempted was aborted, or the row is written. */
enum scsi_next scsi_prout_finish(struct scsi_command *command, const struct scsi_cdb *cdb,
                                 struct buf_pool *pool)
{
    (void)cdb;
    (void)pool;
    struct scsi_reservations *all = &command->unit->reservations;
    if (command->progress == 0)
        return save(command);
    ASSERT(command->progress >= all->saved_version);
    all->saved_version = command->progress;
    all->stored = command->scratch.buf != NULL; /* what it wrote, not what is wanted by now */
    return scsi_good(command);
}
