/* SPDX-License-Identifier: Apache-2.0 */
/* Changing extent rows: in the table and in the journal (private to the room). */
#ifndef STRAKE_MAP_ENTRY_H
#define STRAKE_MAP_ENTRY_H

#include "replica/map/state.h"

/* The row of the step, made from what it shows if there is none; kept until entry_unpin. */
MUST_USE int entry_pin(struct map *map, struct branch *branch, uint64_t extent, uint64_t step,
                       struct entry **entry);
void entry_unpin(struct map *map, struct branch *branch, struct entry *entry);
/* Has an own slot afterwards. */
MUST_USE int entry_give_slot(struct map *map, struct branch *branch, struct entry *entry);
/* Shows the blocks where they were written to, also in later steps that got them from this one. */
MUST_USE int entry_show(struct map *map, struct branch *branch, struct entry *entry, uint16_t mask);
/* Shows zeros there, likewise. */
MUST_USE int entry_hide(struct map *map, struct branch *branch, struct entry *entry, uint16_t mask);

#endif
