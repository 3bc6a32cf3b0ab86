/* SPDX-License-Identifier: Apache-2.0 */
/* What a crash leaves of the simulated disk. */
#include "tests/power/node.h"

#include "common/base/assert.h"
#include "replica/store/family.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SECTOR_BYTES = 512 };

struct leaving {
    struct disk *disk;
    struct disk *left;
    enum crash crash;
    int fd;
    bool data; /* of a segment: blocks lie before its checksums */
    uint32_t new_odds;
    uint32_t torn_odds;
    uint64_t size_bytes;
};

static void leave_page(struct leaving *leaving, uint64_t number, const uint8_t *new,
                       const uint8_t *old)
{
    static const uint8_t zeros[PAGE_BYTES];
    uint8_t bytes[PAGE_BYTES];
    old = old ? old : zeros;
    bool differs = memcmp(new, old, PAGE_BYTES) != 0;
    bool whole = leaving->data && number < SEGMENT_BYTES / PAGE_BYTES;
    bool torn = differs && !whole && disk_random(100) < leaving->torn_odds;
    bool keep = leaving->crash == CRASH_KILL || !differs || disk_random(100) < leaving->new_odds;
    memcpy(bytes, keep ? new : old, PAGE_BYTES);
    for (uint32_t at = 0; leaving->crash == CRASH_POWER && torn && at < PAGE_BYTES;
         at += SECTOR_BYTES)
        memcpy(bytes + at, (disk_random(2) ? new : old) + at, SECTOR_BYTES);
    uint64_t begin = number * PAGE_BYTES;
    if (begin >= leaving->size_bytes || memcmp(bytes, zeros, PAGE_BYTES) == 0)
        return;
    size_t length = leaving->size_bytes - begin < PAGE_BYTES ? (size_t)(leaving->size_bytes - begin)
                                                             : PAGE_BYTES;
    long put = syscall(SYS_pwrite64, leaving->fd, bytes, length, begin);
    ASSERT(put == (long)length);
}

static void leave_new_page(void *arg, struct node *node, uint64_t number, const uint8_t *bytes)
{
    struct page *page = page_find(node, number);
    if (page)
        page->round = node->round;
    leave_page(arg, number, bytes, page ? page->bytes : NULL);
}

static void leave_file(struct leaving *leaving, struct node *node)
{
    static const uint32_t odds[] = {0, 0, 10, 50, 50, 90, 100, 100};
    static const uint8_t zeros[PAGE_BYTES];
    uint64_t size_bytes = node_size(node);
    leaving->new_odds = odds[disk_random(ARRAY_COUNT(odds))];
    leaving->torn_odds = disk_random(2) ? 0 : 30;
    bool new_size = leaving->crash == CRASH_KILL || disk_random(2);
    leaving->size_bytes = new_size ? size_bytes : node->size_bytes;
    leaving->data = size_bytes == SEGMENT_BYTES + SEGMENT_SUMS_BYTES;
    ASSERT(syscall(SYS_ftruncate, leaving->fd, leaving->size_bytes) == 0);
    node->round++;
    node_each_page(node, leave_new_page, leaving);
    for (uint32_t i = 0; i < node->page_count; i++) {
        if (node->pages[i]->round != node->round)
            leave_page(leaving, node->pages[i]->number, zeros, node->pages[i]->bytes);
    }
}

/* After a kill the file there is as certain as the one here. */
static void copy_certain(struct node *to, const struct node *from)
{
    to->size_bytes = from->size_bytes;
    for (uint32_t i = 0; i < from->page_count; i++)
        memcpy(page_make(to, from->pages[i]->number)->bytes, from->pages[i]->bytes, PAGE_BYTES);
}

/* Nor are the names. One that was removed stays so: no file is left for it to come back with. */
static void forget_names(struct node *to, const struct node *from)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < to->name_count; i++) {
        bool certain = false;
        for (uint32_t j = 0; j < from->name_count; j++)
            certain = certain || strcmp(from->names[j].text, to->names[i].text) == 0;
        if (certain)
            to->names[kept++] = to->names[i];
    }
    to->name_count = kept;
}

static void leave(struct leaving *leaving, struct node *node, struct node *to)
{
    if (!node->folder) {
        leaving->fd = to->fd;
        leave_file(leaving, node);
        if (leaving->crash == CRASH_KILL)
            copy_certain(to, node);
        else
            node_sync_file(to);
        return;
    }
    uint32_t count = node->name_count;
    struct name *names = node->names, *now = NULL;
    if (leaving->crash == CRASH_KILL || disk_random(2))
        names = now = node_names(leaving->disk, node, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct name *name = &names[i];
        if (name->node->folder)
            ASSERT(mkdirat(to->fd, name->text, 0700) == 0);
        int flags = name->node->folder ? O_RDONLY | O_DIRECTORY : O_RDWR | O_CREAT;
        int fd = openat(to->fd, name->text, flags | O_CLOEXEC, 0600);
        leave(leaving, name->node, node_new(leaving->left, fd));
    }
    node_sync_folder(leaving->left, to);
    if (leaving->crash == CRASH_KILL)
        forget_names(to, node);
    free(now);
}

struct disk *disk_crash(struct disk *disk, const char *root, enum crash crash)
{
    ASSERT(mkdir(root, 0700) == 0);
    struct leaving leaving = {.disk = disk, .left = disk_empty(root), .crash = crash};
    leave(&leaving, disk->top, leaving.left->top);
    return leaving.left;
}
