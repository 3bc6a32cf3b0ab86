/* SPDX-License-Identifier: Apache-2.0 */
/* One volume of the catalogue: opened, shown to clients, hidden from them, closed. */
#include "target/control/state.h"

#include "common/base/log.h"

static void record_on_hidden(void *arg)
{
    struct record *record = arg;
    record->export = NULL;
    record->hiding = false;
    loop_defer(record->control->loop, &record->control->reap);
}

void record_look(struct record *record)
{
    record->look = true;
    loop_defer(record->control->loop, &record->control->reap);
}

void record_turn(struct record *record)
{
    if (!record->control->stopping)
        loop_defer(record->control->loop, &record->turn);
}

void record_hide(struct record *record)
{
    if (!record->export || record->hiding)
        return;
    record->hiding = true;
    front_export_remove(record->control->front, record->export, record_on_hidden, record);
}

static void record_on_stopped(void *arg)
{
    struct record *record = arg;
    record->stopped = true;
    loop_defer(record->control->loop, &record->control->reap);
}

void record_stop(struct record *record)
{
    if (!record->volume || record->stopping)
        return;
    record->stopping = true;
    if (record->fenced)
        record_on_stopped(record);
    else
        volume_stop(record->volume, record_on_stopped, record);
}

void record_close(struct record *record)
{
    ASSERT(record->volume && (record->stopped || record->fenced));
    record->config = *volume_config(record->volume);
    volume_free(record->volume);
    record->volume = NULL;
    record->stopping = false;
    record->stopped = false;
    record->known = false;
    record->scrub.phase = SCRUB_OVER;
}

static void record_show(struct record *record)
{
    struct control *control = record->control;
    const char *name = record->config.name;
    if (record->export)
        return;
    record->why = export_name_invalid(name);
    if (record->why)
        return;
    if (exports_find(front_exports(control->front), name, strlen(name))) {
        record->why = "another volume has its name: clients cannot reach this one";
        log_warn("volume %s: %s", name, record->why);
        return;
    }
    record->export = front_export_add(control->front, record->volume);
    if (!record->export) {
        record->why = "out of memory";
        return;
    }
    record->export->snapshots = &record->told;
    front_export_hold(record->export);
    if (volume_book_known(record->volume))
        record_reserve(record);
}

void record_reserve(struct record *record)
{
    struct volume_row row = {0};
    if (!record->export || record->hiding)
        return;
    (void)volume_row(record->volume, FRONT_RESERVATIONS_ROW, &row);
    front_export_reservations(record->control->front, record->export, row.value, row.value_bytes);
}

/* Tells the volume of its members at this peer; NULL: at every peer that is up. */
static void record_attach(struct record *record, const struct peer *peer)
{
    for (uint32_t i = 0; i < MEMBERS_MAX; i++) {
        const struct placement *placement = &record->placements[i];
        if (!placement->peer || !placement->here || placement->deleted)
            continue;
        if (record_is_stranger(record, &placement->member))
            continue;
        if ((!peer || placement->peer == peer) && peer_is_up(placement->peer))
            volume_member_at(record->volume, &placement->member, placement->peer);
    }
}

const char *record_lacks(const struct record *record)
{
    return share_lacks(&record->control->share, record->config.name, &record->config.volume);
}

const char *record_unusable(const struct record *record)
{
    switch (record->state) {
    case RECORD_CREATING:
        return "is being created";
    case RECORD_REMOVING:
        return "is being deleted";
    case RECORD_DELETED:
        return "deleted already";
    case RECORD_LIVE:
        break;
    }
    return record->fenced ? "another target serves it" : record_lacks(record);
}

void record_open(struct record *record, const struct peer *peer)
{
    struct control *control = record->control;
    if (record->state != RECORD_LIVE || record->fenced || control->stopping)
        return;
    bool is_new = !record->volume;
    record->why = record_lacks(record);
    if (record->why)
        return;
    if (is_new)
        record->volume = volume_new(&control->env, &record->config);
    record_attach(record, is_new ? NULL : peer);
    record_show(record);
}
