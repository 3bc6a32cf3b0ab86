/* SPDX-License-Identifier: Apache-2.0 */
/* What a deleted volume was, kept with its record: epitaph.c (private to the room). */
#ifndef STRAKE_CONTROL_EPITAPH_H
#define STRAKE_CONTROL_EPITAPH_H

#include "target/control/state.h"

/* Of an open volume; the caller's. */
json_t *epitaph_write(const struct record *record);
/* The caller's; NULL: none that can be read. */
json_t *epitaph_read(const struct epitaph *epitaph);

#endif
