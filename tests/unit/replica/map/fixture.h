/* SPDX-License-Identifier: Apache-2.0 */
/* A map in a directory of its own, and what its data would be: an id for each 4 KiB of a place. */
#ifndef STRAKE_TESTS_MAP_FIXTURE_H
#define STRAKE_TESTS_MAP_FIXTURE_H

#include "common/wire/generation.h"
#include "replica/map/state.h"
#include "tests/lib/suite.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCK = 4096, FIXTURE_CELLS = 1 << 16 };

/* What lies at a place: in the page cache, and on the disk. */
struct cell {
    uint32_t family;
    uint64_t place; /* segment and offset, in blocks, plus 1; 0: unused */
    uint32_t id;    /* 0: a hole */
    uint32_t durable;
};

extern struct map *fixture_map;
extern char fixture_path[64];
extern struct uuid fixture_boot;
extern uint64_t fixture_journal;
extern struct cell *fixture_cells;
extern int (*fixture_sync)(void *arg, uint32_t family);
extern void *fixture_arg;

struct cell *fixture_cell(uint32_t family, uint64_t place);
uint64_t fixture_place(const struct map_run *run, uint64_t block);
void fixture_open(void);
/* Closes the volume and the map, and opens both again. NULL: the volume is not there. */
struct map_volume *fixture_reopen(struct map_volume *volume, const struct uuid *uuid);
void fixture_setup(void);
void fixture_remove(const char *name);
void fixture_teardown(void);
struct uuid fixture_uuid(uint32_t number);
/* The punches that are due are made. */
void fixture_punch(void);
void fixture_flush_family(uint32_t family);
/* Everything is folded; families are flushed for it. */
void fixture_fold(void);
void fixture_reclaim(void);
void fixture_finding(void *arg, const char *words);
void fixture_check(map_slot_fn *used);

#endif
