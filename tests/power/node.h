/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated disk's files and folders: shared by disk.c and crash.c alone. */
#ifndef STRAKE_TESTS_POWER_NODE_H
#define STRAKE_TESTS_POWER_NODE_H

#include "tests/power/disk.h"

#include <sys/types.h>

enum {
    PAGE_BYTES = 4096,
    NAME_BYTES = 64,
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

struct page *page_find(const struct node *node, uint64_t number); /* NULL: zeros */
struct page *page_make(struct node *node, uint64_t number);
/* The pages of the file that are not holes, each once. */
typedef void each_page_fn(void *arg, struct node *node, uint64_t number, const uint8_t *bytes);
void node_each_page(struct node *node, each_page_fn *each, void *arg);
uint64_t node_size(const struct node *node);
/* Takes the descriptor. Nothing is certain of it. */
struct node *node_new(struct disk *disk, int fd);
/* The folder's names as they are; the caller's memory. */
struct name *node_names(struct disk *disk, struct node *folder, uint32_t *count);
/* What there is becomes certain. */
void node_sync_file(struct node *node);
void node_sync_folder(struct disk *disk, struct node *folder);
struct disk *disk_empty(const char *root);

#endif
