/* SPDX-License-Identifier: Apache-2.0 */
/* What is attached, as files (attach.h says which). */
#ifndef STRAKE_ATTACH_STATE_H
#define STRAKE_ATTACH_STATE_H

#include "tools/attach/attach.h"

/* The path of a file of an attachment: "json", "keeper", "log"; the directory is made. */
void state_path(const char *name, const char *kind, char path[ATTACH_PATH_BYTES]);
/* One command at a time: the lock's descriptor, or -1 with the reason. */
MUST_USE int state_lock(struct error *error);
/* Whole or not at all. */
MUST_USE int state_save(const struct attachment *a, struct error *error);
/* False when there is none of this name. */
MUST_USE bool state_load(const char *name, struct attachment *a);
/* By name or device. */
MUST_USE bool state_find(const char *name_or_device, struct attachment *a);
void state_forget(const char *name);

#endif
