/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that do a part of the work: iscsiadm, nbdfuse, fusermount3, modprobe. */
#ifndef STRAKE_ATTACH_COMMAND_H
#define STRAKE_ATTACH_COMMAND_H

#include "common/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { COMMAND_ARGS_MAX = 24 };

/* Is there such a program in $PATH (or where administrators' programs are)? */
bool command_there(const char *name);
/*
 * Runs it to its end. Its exit status (127: it did not run), and the end of what it wrote to both
 * outputs in `output`, without the last newline.
 */
int command_run(const char *const argv[], char *output, size_t size);
/* Starts it, in a session of its own, with its output in `log`. Its process number, or -1. */
pid_t command_start(const char *const argv[], const char *log);

#endif
