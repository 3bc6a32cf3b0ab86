/* SPDX-License-Identifier: Apache-2.0 */
/* What is durable of each file and folder, and what a crash leaves. */
#include "tests/power/node.h"

#include "common/base/assert.h"
#include "common/base/crc32c.h"

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
    CHUNK_PAGES = 64,
    WRITE_BACK_ODDS = 16, /* one call in so many finds something written back */
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

struct page *page_find(const struct node *node, uint64_t number)
{
    uint32_t at = page_at(node, number);
    return at < node->page_count && node->pages[at]->number == number ? node->pages[at] : NULL;
}

struct page *page_make(struct node *node, uint64_t number)
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

void node_each_page(struct node *node, each_page_fn *each, void *arg)
{
    static uint8_t chunk[CHUNK_PAGES * PAGE_BYTES];
    off_t from = 0;
    for (;;) {
        off_t begin = lseek(node->fd, from, SEEK_DATA);
        if (begin < 0)
            return;
        begin -= begin % PAGE_BYTES;
        off_t end = lseek(node->fd, begin, SEEK_HOLE);
        if (end <= begin)
            end = begin + PAGE_BYTES; /* punched meanwhile: zeros */
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

uint64_t node_size(const struct node *node)
{
    struct stat stat;
    ASSERT(fstat(node->fd, &stat) == 0);
    return (uint64_t)stat.st_size;
}

void node_sync_file(struct node *node)
{
    node->round++;
    node_each_page(node, note_page, NULL);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < node->page_count; i++) {
        if (node->pages[i]->round == node->round)
            node->pages[kept++] = node->pages[i];
        else
            free(node->pages[i]);
    }
    node->page_count = kept;
    node->size_bytes = node_size(node);
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

struct node *node_new(struct disk *disk, int fd)
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

struct name *node_names(struct disk *disk, struct node *folder, uint32_t *count)
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

void node_sync_folder(struct disk *disk, struct node *folder)
{
    free(folder->names);
    folder->names = node_names(disk, folder, &folder->name_count);
}

static void sync_all(struct disk *disk, struct node *node)
{
    if (!node->folder) {
        node_sync_file(node);
        return;
    }
    node_sync_folder(disk, node);
    for (uint32_t i = 0; i < node->name_count; i++)
        sync_all(disk, node->names[i].node);
}

struct disk *disk_empty(const char *root)
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
    node_each_page(node, write_back_page, &odds);
    /* What lies behind the old end is lost with it. */
    if (disk_random(2))
        node->size_bytes = node_size(node);
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
        node_each_page(node, lose_page, NULL);
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
        node_sync_folder(watched, node);
    else if (node)
        node_sync_file(node);
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
