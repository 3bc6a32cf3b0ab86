/* SPDX-License-Identifier: Apache-2.0 */
/* The nexuses of a logical unit and their unit attentions. */
#include "target/front/scsi/nexus.h"

#include "target/front/scsi/guard.h"

struct scsi_nexus *scsi_nexus_find(struct scsi_unit *unit, uint32_t nexus_id)
{
    for (int i = 0; i < SCSI_NEXUS_MAX; i++)
        if (unit->nexus[i].used && unit->nexus[i].id == nexus_id)
            return &unit->nexus[i];
    return NULL;
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

bool scsi_nexus_attach(struct scsi_unit *unit, uint32_t nexus_id, const struct scsi_port *port)
{
    ASSERT(nexus_id != 0 && port && !scsi_nexus_find(unit, nexus_id));
    for (int i = 0; i < SCSI_NEXUS_MAX; i++) {
        struct scsi_nexus *nexus = &unit->nexus[i];
        if (nexus->used)
            continue;
        *nexus = (struct scsi_nexus){.used = true, .id = nexus_id, .port = port};
        attention_add(nexus, SCSI_UA_POWER_ON);
        return true;
    }
    return false;
}

void scsi_nexus_detach(struct scsi_unit *unit, uint32_t nexus_id)
{
    struct scsi_nexus *nexus = scsi_nexus_find(unit, nexus_id);
    if (nexus)
        *nexus = (struct scsi_nexus){0};
    if (unit->reserved_nexus_id == nexus_id)
        scsi_unit_unreserve(unit);
}

void scsi_unit_attention(struct scsi_unit *unit, uint32_t except_id, enum scsi_attention what)
{
    ASSERT(what != 0);
    for (int i = 0; i < SCSI_NEXUS_MAX; i++) {
        struct scsi_nexus *nexus = &unit->nexus[i];
        if (nexus->used && nexus->id != except_id)
            attention_add(nexus, (uint16_t)what);
    }
}

void scsi_port_attention(struct scsi_unit *unit, const struct scsi_port *port,
                         enum scsi_attention what)
{
    for (int i = 0; i < SCSI_NEXUS_MAX; i++) {
        struct scsi_nexus *nexus = &unit->nexus[i];
        if (nexus->used && scsi_port_equal(nexus->port, port))
            attention_add(nexus, (uint16_t)what);
    }
}

uint16_t scsi_nexus_take(struct scsi_unit *unit, uint32_t nexus_id)
{
    struct scsi_nexus *nexus = scsi_nexus_find(unit, nexus_id);
    if (!nexus || nexus->attention_count == 0)
        return 0;
    uint16_t what = nexus->attention[0];
    nexus->attention_count--;
    for (uint8_t i = 0; i < nexus->attention_count; i++)
        nexus->attention[i] = nexus->attention[i + 1];
    return what;
}
