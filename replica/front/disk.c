/* SPDX-License-Identifier: Apache-2.0 */
/* The service's disk operations become the store's requests, and come back. */
#include "common/base/log.h"
#include "replica/front/state.h"

#include <errno.h>

STATIC_ASSERT((int)STORE_META_BYTES == (int)META_BYTES, "one record, one page");
STATIC_ASSERT((int)STORE_DRL_PAGE_BYTES == (int)DRL_PAGE_BYTES, "one page of the log");
STATIC_ASSERT((int)STORE_RECENT_BYTES == (int)SERVICE_RECENT_BYTES, "one part of the mapping");

static const enum store_op ops[] = {
    [SERVICE_READ] = STORE_READ,       [SERVICE_WRITE] = STORE_WRITE,
    [SERVICE_ZERO] = STORE_ZERO,       [SERVICE_SYNC] = STORE_SYNC,
    [SERVICE_META] = STORE_META,       [SERVICE_DRL] = STORE_DRL,
    [SERVICE_COMMAND] = STORE_COMMAND, [SERVICE_LAST_COMMAND] = STORE_LAST_COMMAND,
    [SERVICE_BOOK] = STORE_BOOK,       [SERVICE_INSTALL] = STORE_INSTALL,
    [SERVICE_SETTLE] = STORE_SETTLE,   [SERVICE_DIFF] = STORE_DIFF,
    [SERVICE_DIGEST] = STORE_DIGEST,   [SERVICE_SPACE] = STORE_SPACE,
    [SERVICE_GROW] = STORE_GROW,
};

/* What the service tells apart; all else is an error of the disk. */
static int status_of(int status)
{
    bool known = status == 0 || status == -ENOSPC || status == -EILSEQ || status == -ENOENT ||
                 status == -EINVAL || status == -EBUSY;
    return known ? status : -EIO;
}

static bool has_reply(enum service_io_kind kind)
{
    return kind == SERVICE_LAST_COMMAND || kind == SERVICE_BOOK || kind == SERVICE_DIFF ||
           kind == SERVICE_DIGEST || kind == SERVICE_SPACE;
}

static void disk_done(struct store_req *req)
{
    struct disk_io *disk = CONTAINER_OF(req, struct disk_io, req);
    struct volume *volume = disk->volume;
    struct replica *replica = volume->replica;
    disk->io.status = status_of(req->status);
    disk->io.length_bytes = req->length_bytes;
    disk->io.reply = req->reply;
    disk->io.lineage = req->lineage;
    disk->io.space_low = store_space_low(replica->store);
    disk->io.in_part = req->in_part;
    if (req->op == STORE_GROW)
        disk->io.planes = replica_planes_of(store_volume_found(volume->store));
    ASSERT(volume->io_count > 0 && replica->io_count > 0);
    volume->io_count--;
    replica->io_count--;
    replica_volume_io_done(volume, &disk->io);
    replica_settle(replica);
}

void disk_start(struct volume *volume, struct service_io *io)
{
    struct disk_io *disk = CONTAINER_OF(io, struct disk_io, io);
    if (io->kind == SERVICE_READ && !io->data.buf) {
        ASSERT(io->length_bytes <= PAYLOAD_BYTES_MAX);
        io->data = slice_get(volume->replica->bufs, (uint32_t)io->length_bytes);
    }
    if (has_reply(io->kind) && !io->reply.buf)
        io->reply = slice_get(volume->replica->bufs, FRAME_BODY_BYTES_MAX);
    if (io->kind == SERVICE_GROW)
        log_info("volume %s: grows to %llu bytes", replica_volume_name(volume),
                 (unsigned long long)io->length_bytes);
    disk->volume = volume;
    disk->req = (struct store_req){
        .op = ops[io->kind],
        .volume = volume->store,
        .fua = io->fua && (io->kind == SERVICE_WRITE || io->kind == SERVICE_ZERO),
        .more = io->more,
        .all_incomplete = io->all_incomplete,
        .verify = io->verify,
        .partial = io->partial,
        .mend = io->mend,
        .offset_bytes = io->offset_bytes,
        .length_bytes = io->length_bytes,
        .generation = io->generation,
        .from_generation = io->from_generation,
        .plane_bytes = io->kind == SERVICE_GROW ? service_plane_bytes(io->length_bytes) : 0,
        .reply = io->reply,
        .data = io->data,
        .bytes = io->bytes,
        .index = io->index,
        .done = disk_done,
    };
    volume->io_count++;
    volume->replica->io_count++;
    store_submit(volume->replica->store, &disk->req);
}
