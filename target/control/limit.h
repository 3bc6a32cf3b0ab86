/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast a volume may be used (target/volume/pace.h), as people set it: the row `limits` of its
 * book, an object of "iops", "bytes_per_s" and "burst_s". Private to the control room.
 */
#ifndef STRAKE_CONTROL_LIMIT_H
#define STRAKE_CONTROL_LIMIT_H

#include "target/control/state.h"

/*
 * Puts the changes into `limits`: what is not named stays, 0 takes a limit away, and the burst goes
 * with the last one. False, with the reason, when they are none.
 */
bool limits_change(json_t *limits, json_t *changes, const char **why);
/* Those the record's book has, an object of the caller's; without any an empty one. */
json_t *limits_now(const struct record *record);
/* The record's book was read, or the row changed: the volume is told. */
void limits_known(struct record *record);

#endif
