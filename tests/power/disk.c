/* SPDX-License-Identifier: Apache-2.0 */
/* What is durable of each file and folder, and what a crash leaves. */
#include "tests/power/disk.h"

#include "common/base/assert.h"
#include "common/base/crc32c.h"
#include "replica/store/family.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    PAGE_BYTES = 4096,
    SECTOR_BYTES = 512,
    CHUNK_PAGES = 64,
    NAME_BYTES = 64,
    WRITE_BACK_ODDS = 16, /* one call in so many finds something written back */
};

struct page {
    uint64_t number;
    uint32_t round; /* of the last look at the file */
    uint8_t bytes[PAGE_BYTES];
};

/* A page that a failed sync left clean: no sync writes it until it is changed. */
struct lost {
    uint64_t number;
    uint32_t crc;
};

struct name {
    char text[NAME_BYTES];
    struct node *node;
};

/* A file or folder, and what is certain of it. */
struct node {
    struct node *next;
    ino_t number;
    bool folder;
    int fd;
    uint64_t size_bytes;
    uint32_t round;
    struct page **pages; /* owned, by number; zeros are none */
    uint32_t page_count;
    struct name *names; /* owned */
    uint32_t name_count;
    struct lost *lost; /* owned */
    uint32_t lost_count;
};

struct disk {
    char root[DISK_PATH_BYTES];
    struct node *nodes; /* owned */
    struct node *top;   /* the root */
};

static pthread_mutex_t disk_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct disk *watched;
static uint64_t calls_left;
static uint64_t fault_left; /* 0: none */
static enum fault fault;
static bool fault_struck;
static void (*strike_fn)(struct disk *disk);

void disk_lock(void)
{
    pthread_mutex_lock(&disk_mutex);
}

void disk_unlock(void)
{
    pthread_mutex_unlock(&disk_mutex);
}

const char *disk_root(const struct disk *disk)
{
    return disk->root;
}

/* Pages. */

static uint32_t page_at(const struct node *node, uint64_t number)
{
    uint32_t low = 0, high = node->page_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (node->pages[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct page *page_find(const struct node *node, uint64_t number)
{
    uint32_t at = page_at(node, number);
    return at < node->page_count && node->pages[at]->number == number ? node->pages[at] : NULL;
}

static struct page *page_make(struct node *node, uint64_t number)
{
    struct page *page = page_find(node, number);
    if (page)
        return page;
    uint32_t at = page_at(node, number);
    node->pages = realloc(node->pages, (node->page_count + 1) * sizeof(struct page *));
    page = calloc(1, sizeof(*page));
    ASSERT(page && node->pages);
    memmove(node->pages + at + 1, node->pages + at,
            (node->page_count - at) * sizeof(struct page *));
    node->pages[at] = page;
    node->page_count++;
    page->number = number;
    page->round = node->round;
    return page;
}

/* The pages of the file that are not holes, each once. */
typedef void each_page_fn(void *arg, struct node *node, uint64_t number, const uint8_t *bytes);

static void each_page(struct node *node, each_page_fn *each, void *arg)
{
    static uint8_t chunk[CHUNK_PAGES * PAGE_BYTES];
    off_t from = 0;
    for (;;) {
        off_t begin = lseek(node->fd, from, SEEK_DATA);
        if (begin < 0)
            return;
        begin -= begin % PAGE_BYTES;
        off_t end = lseek(node->fd, begin, SEEK_HOLE);
        ASSERT(end > begin);
        for (off_t at = begin; at < end; at += (off_t)sizeof(chunk)) {
            size_t length = end - at < (off_t)sizeof(chunk) ? (size_t)(end - at) : sizeof(chunk);
            memset(chunk, 0, sizeof(chunk));
            ssize_t got = syscall(SYS_pread64, node->fd, chunk, length, at);
            ASSERT(got >= 0);
            for (size_t i = 0; i < (size_t)got; i += PAGE_BYTES)
                each(arg, node, ((uint64_t)at + i) / PAGE_BYTES, chunk + i);
        }
        from = end + (PAGE_BYTES - end % PAGE_BYTES) % PAGE_BYTES;
    }
}

static bool is_lost(const struct node *node, uint64_t number, const uint8_t *bytes)
{
    for (uint32_t i = 0; i < node->lost_count; i++) {
        if (node->lost[i].number == number && node->lost[i].crc == crc32c(0, bytes, PAGE_BYTES))
            return true;
    }
    return false;
}

static void lose_page(void *arg, struct node *node, uint64_t number, const uint8_t *bytes)
{
    static const uint8_t zeros[PAGE_BYTES];
    (void)arg;
    const struct page *page = page_find(node, number);
    if (memcmp(bytes, page ? page->bytes : zeros, PAGE_BYTES) == 0 || disk_random(2))
        return;
    node->lost = realloc(node->lost, (node->lost_count + 1) * sizeof(*node->lost));
    ASSERT(node->lost);
    node->lost[node->lost_count++] =
        (struct lost){.number = number, .crc = crc32c(0, bytes, PAGE_BYTES)};
}

static void note_page(void *arg, struct node *node, uint64_t number, const uint8_t *bytes)
{
    static const uint8_t zeros[PAGE_BYTES];
    (void)arg;
    struct page *page = page_find(node, number);
    if (is_lost(node, number, bytes)) {
        if (page)
            page->round = node->round;
        return;
    }
    if (!page && memcmp(bytes, zeros, PAGE_BYTES) != 0)
        page = page_make(node, number);
    if (!page)
        return;
    memcpy(page->bytes, bytes, PAGE_BYTES);
    page->round = node->round;
}

static uint64_t file_size(const struct node *node)
{
    struct stat stat;
    ASSERT(fstat(node->fd, &stat) == 0);
    return (uint64_t)stat.st_size;
}

/* What the file holds becomes certain. */
static void sync_file(struct node *node)
{
    node->round++;
    each_page(node, note_page, NULL);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->page_count; i++) {
        if (node->pages[i]->round == node->round)
            node->pages[kept++] = node->pages[i];
        else
            free(node->pages[i]);
    }
    node->page_count = kept;
    node->size_bytes = file_size(node);
}

/* Nodes and names. */

static struct node *node_find(const struct disk *disk, ino_t number)
{
    for (struct node *node = disk->nodes; node; node = node->next) {
        if (node->number == number)
            return node;
    }
    return NULL;
}

/* Takes the descriptor. Nothing is certain of it. */
static struct node *node_new(struct disk *disk, int fd)
{
    struct stat stat;
    ASSERT(fd >= 0 && fstat(fd, &stat) == 0);
    struct node *node = node_find(disk, stat.st_ino);
    if (node) {
        close(fd);
        return node;
    }
    node = calloc(1, sizeof(*node));
    ASSERT(node);
    node->number = stat.st_ino;
    node->folder = S_ISDIR(stat.st_mode);
    node->fd = fd;
    node->next = disk->nodes;
    disk->nodes = node;
    return node;
}

static void node_free(struct node *node)
{
    for (uint32_t i = 0; i < node->page_count; i++)
        free(node->pages[i]);
    free(node->pages);
    free(node->names);
    free(node->lost);
    close(node->fd);
    free(node);
}

/* The folder's names as they are. */
static struct name *names_now(struct disk *disk, struct node *folder, uint32_t *count)
{
    int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *count = 0;
    if (fd < 0)
        return NULL; /* removed */
    struct name *names = NULL;
    DIR *dir = fdopendir(fd);
    ASSERT(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (strspn(entry->d_name, ".") == strlen(entry->d_name) ||
            strcmp(entry->d_name, "lock.mdb") == 0)
            continue;
        int node_fd = openat(fd, entry->d_name, O_RDONLY | O_CLOEXEC);
        if (node_fd < 0)
            continue; /* gone meanwhile */
        names = realloc(names, (*count + 1) * sizeof(*names));
        ASSERT(names && strlen(entry->d_name) < NAME_BYTES);
        struct name *name = &names[(*count)++];
        memcpy(name->text, entry->d_name, strlen(entry->d_name) + 1);
        name->node = node_new(disk, node_fd);
    }
    closedir(dir);
    return names;
}

static void sync_folder(struct disk *disk, struct node *folder)
{
    free(folder->names);
    folder->names = names_now(disk, folder, &folder->name_count);
}

static void sync_all(struct disk *disk, struct node *node)
{
    if (!node->folder) {
        sync_file(node);
        return;
    }
    sync_folder(disk, node);
    for (uint32_t i = 0; i < node->name_count; i++)
        sync_all(disk, node->names[i].node);
}

static struct disk *disk_empty(const char *root)
{
    struct disk *disk = calloc(1, sizeof(*disk));
    ASSERT(disk && strlen(root) < sizeof(disk->root));
    snprintf(disk->root, sizeof(disk->root), "%s", root);
    disk->top = node_new(disk, open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return disk;
}

struct disk *disk_new(const char *root)
{
    struct disk *disk = disk_empty(root);
    sync_all(disk, disk->top);
    return disk;
}

void disk_free(struct disk *disk)
{
    for (struct node *next, *node = disk->nodes; node; node = next) {
        next = node->next;
        node_free(node);
    }
    free(disk);
}

/* Crashes. */

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
    uint64_t size_bytes = file_size(node);
    leaving->new_odds = odds[disk_random(ARRAY_COUNT(odds))];
    leaving->torn_odds = disk_random(2) ? 0 : 30;
    bool new_size = leaving->crash == CRASH_KILL || disk_random(2);
    leaving->size_bytes = new_size ? size_bytes : node->size_bytes;
    leaving->data = size_bytes == SEGMENT_BYTES + SEGMENT_SUMS_BYTES;
    ASSERT(syscall(SYS_ftruncate, leaving->fd, leaving->size_bytes) == 0);
    node->round++;
    each_page(node, leave_new_page, leaving);
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

static void leave(struct leaving *leaving, struct node *node, struct node *to)
{
    if (!node->folder) {
        leaving->fd = to->fd;
        leave_file(leaving, node);
        if (leaving->crash == CRASH_KILL)
            copy_certain(to, node);
        else
            sync_file(to);
        return;
    }
    uint32_t count = node->name_count;
    struct name *names = node->names, *now = NULL;
    if (leaving->crash == CRASH_KILL || disk_random(2))
        names = now = names_now(leaving->disk, node, &count);
    for (uint32_t i = 0; i < count; i++) {
        const struct name *name = &names[i];
        if (name->node->folder)
            ASSERT(mkdirat(to->fd, name->text, 0700) == 0);
        int flags = name->node->folder ? O_RDONLY | O_DIRECTORY : O_RDWR | O_CREAT;
        int fd = openat(to->fd, name->text, flags | O_CLOEXEC, 0600);
        leave(leaving, name->node, node_new(leaving->left, fd));
    }
    free(now);
    sync_folder(leaving->left, to);
}

struct disk *disk_crash(struct disk *disk, const char *root, enum crash crash)
{
    ASSERT(mkdir(root, 0700) == 0);
    struct leaving leaving = {.disk = disk, .left = disk_empty(root), .crash = crash};
    leave(&leaving, disk->top, leaving.left->top);
    return leaving.left;
}

/* What was caught. */

void disk_watch(struct disk *disk)
{
    disk_lock();
    watched = disk;
    calls_left = 0;
    disk_unlock();
}

void disk_strike_after(uint32_t calls, void (*strike)(struct disk *disk))
{
    disk_lock();
    calls_left = calls;
    strike_fn = strike;
    disk_unlock();
}

static void strike(void)
{
    calls_left = 0;
    strike_fn(watched);
}

void disk_strike_now(void)
{
    disk_lock();
    if (calls_left > 0)
        strike();
    disk_unlock();
}

/* The watched disk's file behind a descriptor; NULL: none. */
static struct node *node_of(int fd)
{
    struct stat stat;
    char link[32], path[4096];
    if (!watched || fstat(fd, &stat) < 0)
        return NULL;
    struct node *node = node_find(watched, stat.st_ino);
    if (node)
        return node;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    size_t root_length = strlen(watched->root);
    if (length < (ssize_t)root_length || memcmp(path, watched->root, root_length) != 0)
        return NULL;
    return node_new(watched, open(link, O_RDONLY | O_CLOEXEC));
}

static void write_back_page(void *arg, struct node *node, uint64_t number, const uint8_t *bytes)
{
    if (disk_random(100) < *(const uint32_t *)arg)
        note_page(NULL, node, number, bytes);
}

/* Pages reach the disk though nobody asked for it. */
static void write_back(struct node *node)
{
    uint32_t odds = (uint32_t)disk_random(100);
    if (node->folder)
        return;
    each_page(node, write_back_page, &odds);
    /* What lies behind the old end is lost with it. */
    if (disk_random(2))
        node->size_bytes = file_size(node);
}

void disk_fault_after(uint32_t calls, enum fault what)
{
    disk_lock();
    fault_left = calls;
    fault = what;
    fault_struck = fault_struck && calls == 0;
    disk_unlock();
}

bool disk_has_failed(void)
{
    disk_lock();
    bool struck = fault_struck;
    disk_unlock();
    return struck;
}

bool disk_fault_end(void)
{
    disk_fault_after(0, FAULT_IO);
    return disk_has_failed();
}

/* The error of the call, or 0. */
static int fail_call(struct node *node, enum call call, size_t *length)
{
    bool fits = fault == FAULT_IO || (fault == FAULT_FULL && call == CALL_WRITE) ||
                (fault == FAULT_SYNC && call == CALL_SYNC) ||
                (fault == FAULT_SHORT && length && *length > 1);
    if (fault_left == 0 || --fault_left > 0)
        return 0;
    fault_left = !fits || fault == FAULT_FULL; /* the next one that fits */
    if (!fits)
        return 0;
    fault_struck = true;
    if (fault == FAULT_SHORT)
        *length /= 2;
    if (call == CALL_SYNC && !node->folder)
        each_page(node, lose_page, NULL);
    return fault == FAULT_SHORT ? 0 : fault == FAULT_FULL ? ENOSPC : EIO;
}

int disk_begins(int fd, enum call call, size_t *length)
{
    disk_lock();
    struct node *node = node_of(fd);
    if (node && disk_random(WRITE_BACK_ODDS) == 0)
        write_back(node);
    if (node && call != CALL_READ && calls_left > 0 && --calls_left == 0)
        strike();
    int error = node ? fail_call(node, call, length) : -1;
    disk_unlock();
    return error;
}

void disk_synced(int fd)
{
    disk_lock();
    struct node *node = node_of(fd);
    if (node && node->folder)
        sync_folder(watched, node);
    else if (node)
        sync_file(node);
    disk_unlock();
}

void disk_wrote(int fd, uint64_t offset_bytes, uint64_t length_bytes)
{
    disk_lock();
    struct node *node = node_of(fd);
    uint32_t kept = 0;
    for (uint32_t i = 0; node && i < node->lost_count; i++) {
        uint64_t begin = node->lost[i].number * PAGE_BYTES;
        if (begin + PAGE_BYTES <= offset_bytes || begin >= offset_bytes + length_bytes)
            node->lost[kept++] = node->lost[i];
    }
    if (node)
        node->lost_count = kept;
    disk_unlock();
}

void disk_wrote_durably(int fd, const void *bytes, uint64_t offset_bytes, uint64_t length_bytes)
{
    disk_lock();
    struct node *node = node_of(fd);
    for (uint64_t done = 0; node && done < length_bytes;) {
        uint64_t at = offset_bytes + done, within = at % PAGE_BYTES;
        uint64_t length = PAGE_BYTES - within;
        if (length > length_bytes - done)
            length = length_bytes - done;
        memcpy(page_make(node, at / PAGE_BYTES)->bytes + within, (const uint8_t *)bytes + done,
               length);
        done += length;
    }
    if (node && offset_bytes + length_bytes > node->size_bytes)
        node->size_bytes = offset_bytes + length_bytes;
    disk_unlock();
}
