/* SPDX-License-Identifier: Apache-2.0 */
/* The nexuses of a logical unit and their unit attentions. */
#include "target/front/scsi/nexus.h"

#include "target/front/scsi/guard.h"

struct scsi_registration *scsi_nexus_registration(struct scsi_unit *unit,
                                                  const struct scsi_nexus *nexus)
{
    return nexus->port ? scsi_registration_find(&unit->reservations, nexus->port) : NULL;
}

static void attention_add(struct scsi_nexus *nexus, uint16_t what)
{
    for (uint8_t i = 0; i < nexus->attention_count; i++)
        if (nexus->attention[i] == what)
            return;
    /* Power on tells an initiator to look at everything again, so it stands for all the others. */
    bool all = what == SCSI_UA_POWER_ON || nexus->attention_count == ARRAY_COUNT(nexus->attention);
    if (all) {
        nexus->attention[0] = SCSI_UA_POWER_ON;
        nexus->attention_count = 1;
        return;
    }
    nexus->attention[nexus->attention_count++] = what;
}

void scsi_nexus_attach(struct scsi_unit *unit, struct scsi_nexus *nexus,
                       const struct scsi_port *port)
{
    ASSERT(port && !nexus->port);
    *nexus = (struct scsi_nexus){.port = port};
    list_append(&unit->nexuses, &nexus->node);
    attention_add(nexus, SCSI_UA_POWER_ON);
}

void scsi_nexus_detach(struct scsi_unit *unit, struct scsi_nexus *nexus)
{
    if (!nexus->port)
        return;
    list_remove(&nexus->node);
    nexus->port = NULL;
    if (unit->reserved_by == nexus)
        scsi_unit_unreserve(unit);
}

void scsi_nexus_move(struct scsi_unit *unit, struct scsi_nexus *from, struct scsi_nexus *to,
                     const struct scsi_port *port)
{
    ASSERT(from->port && port && !to->port);
    *to = *from;
    to->port = port;
    list_append(&unit->nexuses, &to->node);
    for (uint32_t i = 0; i < SCSI_COPIES_MAX; i++) {
        if (to->copies[i].state == SCSI_COPY_RUNS)
            to->copies[i] = (struct scsi_copy){0};
    }
    if (unit->reserved_by == from)
        unit->reserved_by = to;
    scsi_nexus_detach(unit, from);
}

void scsi_unit_attention(struct scsi_unit *unit, const struct scsi_nexus *except,
                         enum scsi_attention what)
{
    ASSERT(what != 0);
    LIST_FOR_EACH (node, &unit->nexuses) {
        struct scsi_nexus *nexus = CONTAINER_OF(node, struct scsi_nexus, node);
        if (nexus != except)
            attention_add(nexus, (uint16_t)what);
    }
}

void scsi_port_attention(struct scsi_unit *unit, const struct scsi_port *port,
                         enum scsi_attention what)
{
    LIST_FOR_EACH (node, &unit->nexuses) {
        struct scsi_nexus *nexus = CONTAINER_OF(node, struct scsi_nexus, node);
        if (scsi_port_equal(nexus->port, port))
            attention_add(nexus, (uint16_t)what);
    }
}

uint16_t scsi_nexus_take(struct scsi_nexus *nexus)
{
    if (!nexus->port || nexus->attention_count == 0)
        return 0;
    uint16_t what = nexus->attention[0];
    nexus->attention_count--;
    for (uint8_t i = 0; i < nexus->attention_count; i++)
        nexus->attention[i] = nexus->attention[i + 1];
    return what;
}
