/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: a marker in the stream parts earlier writes from later ones; when the earlier ones
 * are durable here the marker's number is, and COMMIT clears their bits, for the target then knows
 * that they are equal everywhere.
 */
#include "replica/service/state.h"

void service_checkpoint_begin(struct service *service, struct service_io *io)
{
    /* A second marker before the first is done with would mix what COMMIT may clear. */
    bool settling = service->doubtful && *service->doubtful > 0;
    if (settling || service->checkpoint != CHECKPOINT_NONE || service->commit != COMMIT_NONE ||
        io->length_bytes <= service->meta.done_checkpoint) {
        io_reply(service, io, FRAME_BUSY);
        return;
    }
    if (!service->spare)
        service->spare = io_get(service, NULL, 0);
    dirty_rotate(&service->dirty);
    service->side = 1 - service->side;
    service->checkpoint = CHECKPOINT_DRAIN;
    service->checkpoint_io = io;
    service->checkpoint_done = 0;
}

void service_checkpoint_advance(struct service *service)
{
    if (service->checkpoint != CHECKPOINT_DRAIN || service->writes_pending[1 - service->side] > 0)
        return;
    service->checkpoint = CHECKPOINT_SYNC;
    list_append(&service->sync_waits, &service->checkpoint_io->node);
    sync_kick(service);
}

void service_checkpoint_synced(struct service *service, struct service_io *io)
{
    if (io != service->checkpoint_io) {
        io_reply(service, io, FRAME_BUSY);
        return;
    }
    ASSERT(service->checkpoint == CHECKPOINT_SYNC && !service->failed);
    service->checkpoint_io = NULL;
    service->checkpoint = CHECKPOINT_NONE;
    service->checkpoint_done = io->length_bytes;
    /* Out of sync, its data is not known to be that of the checkpoint: a target whose copy is cut
     * short must not look as if it had never been behind. */
    if (session_in_sync(service)) {
        service->meta.done_checkpoint = io->length_bytes;
        meta_change(service);
    }
    io->waits_for = service->meta.seq;
    if (service->meta_durable >= service->meta.seq)
        io_reply(service, io, FRAME_OK);
    else
        list_append(&service->meta_waits, &io->node);
}

/* The session ended. What was rotated stays old: the next marker adds to it. */
void service_checkpoint_void(struct service *service)
{
    /* Waiting for a sync, it is found to be void when that is done. */
    if (service->checkpoint == CHECKPOINT_DRAIN)
        io_reply(service, service->checkpoint_io, FRAME_FAILED);
    service->checkpoint = CHECKPOINT_NONE;
    service->checkpoint_io = NULL;
    service->checkpoint_done = 0;
}

void commit_begin(struct service *service, struct service_io *io, bool all)
{
    bool valid = service->checkpoint_done != 0 && io->length_bytes == service->checkpoint_done &&
                 service->checkpoint == CHECKPOINT_NONE && service->commit == COMMIT_NONE;
    uint64_t number = io->length_bytes;
    io_put(service, io);
    if (!valid)
        return;
    service->checkpoint_done = 0;
    service->commit_all = all;
    if (all) {
        service->meta.base_checkpoint = number;
        meta_change(service);
        service->commit_waits_for = service->meta.seq;
        service->commit = COMMIT_META;
    } else {
        service->commit = COMMIT_AWAY;
    }
}

void commit_advance(struct service *service)
{
    switch (service->commit) {
    case COMMIT_NONE:
        return;
    case COMMIT_AWAY:
        if (!dirty_away_enter(&service->dirty))
            return;
        break;
    case COMMIT_META:
        if (service->meta_durable < service->commit_waits_for)
            return;
        break;
    }
    service->commit = COMMIT_NONE;
    dirty_commit(&service->dirty, service->commit_all);
}
