/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives up what a process does not need once it is set up, so that whoever gets to run code in it
 * gets little: another user than root, no way to gain rights by running programs, and only the
 * system calls of its profile. What is open stays open.
 */
#ifndef STRAKE_CONFINE_CONFINE_H
#define STRAKE_CONFINE_CONFINE_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stdint.h>

/* What a process does beside talking to those who connected: bits. */
enum confine_need {
    CONFINE_CONNECT = 1u << 0, /* connects to others */
    CONFINE_POOL = 1u << 1,    /* makes, changes and removes files */
};

/*
 * Becomes the user of this name, with its groups and nobody else's. `directory`, unless it is "",
 * must be one in which the user may make files. 0, or -1 with the reason, after which the process
 * must end. Threads that run already follow.
 */
MUST_USE int confine_user(const char *name, const char *directory, struct error *error);
/* No program that is run from here on gains rights. Nothing where it cannot be. */
void confine_rights(void);
/*
 * From here on, in all threads, only the system calls of the profile, and no memory that is made
 * executable. Others fail with EPERM, and a line on standard error says which it was. 0, or -1 with
 * the reason: the kernel does not have this, or a container does not let us.
 */
MUST_USE int confine_calls(uint32_t needs, struct error *error);

#endif
