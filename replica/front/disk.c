/* SPDX-License-Identifier: Apache-2.0 */
/* The service's disk operations become the store's requests, and come back. */
#include "replica/front/state.h"

#include <errno.h>

STATIC_ASSERT((int)STORE_META_BYTES == (int)META_BYTES, "one record, one page");
STATIC_ASSERT((int)STORE_DRL_PAGE_BYTES == (int)DRL_PAGE_BYTES, "one page of the log");

static enum store_op op_of(enum service_io_kind kind)
{
    switch (kind) {
    case SERVICE_READ:
        return STORE_READ;
    case SERVICE_WRITE:
        return STORE_WRITE;
    case SERVICE_ZERO:
        return STORE_ZERO;
    case SERVICE_SYNC:
        return STORE_SYNC;
    case SERVICE_META:
        return STORE_META;
    case SERVICE_DRL:
        return STORE_DRL;
    }
    UNREACHABLE();
}

static void disk_done(struct store_req *req)
{
    struct disk_io *disk = CONTAINER_OF(req, struct disk_io, req);
    struct volume *volume = disk->volume;
    struct replica *replica = volume->replica;
    disk->io.status = req->status;
    if (req->status != 0 && req->status != -ENOSPC)
        disk->io.status = -EIO;
    if (req->op == STORE_READ && req->status == 0)
        slice_crc_fill(&disk->io.data);
    ASSERT(volume->io_count > 0 && replica->io_count > 0);
    volume->io_count--;
    replica->io_count--;
    replica_volume_io_done(volume, &disk->io);
    if (volume->state == VOLUME_CLOSING)
        catalogue_settle(replica, volume);
    replica_settle(replica);
}

void disk_start(struct volume *volume, struct service_io *io)
{
    struct disk_io *disk = CONTAINER_OF(io, struct disk_io, io);
    if (io->kind == SERVICE_READ && !io->data.buf) {
        ASSERT(io->length_bytes <= PAYLOAD_BYTES_MAX);
        io->data = slice_get(volume->replica->bufs, (uint32_t)io->length_bytes);
    }
    disk->volume = volume;
    disk->req = (struct store_req){
        .op = op_of(io->kind),
        .volume = volume->store,
        .fua = io->fua && (io->kind == SERVICE_WRITE || io->kind == SERVICE_ZERO),
        .no_hole = io->no_hole,
        .offset_bytes = io->offset_bytes,
        .length_bytes = io->length_bytes,
        .data = io->data,
        .bytes = io->bytes,
        .index = io->index,
        .done = disk_done,
    };
    volume->io_count++;
    volume->replica->io_count++;
    store_submit(volume->replica->store, &disk->req);
}
