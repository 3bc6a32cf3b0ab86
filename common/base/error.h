/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line that says what went wrong, for start-up and management. Who knows more puts its own
 * words in front on the way up: "pool /srv/a: cannot open: No such file or directory".
 */
#ifndef STRAKE_BASE_ERROR_H
#define STRAKE_BASE_ERROR_H

#include "common/base/assert.h"

enum { ERROR_TEXT_BYTES = 512 };

struct error {
    char text[ERROR_TEXT_BYTES];
};

/* Sets the text. Returns -1, so that `return error_set(...)` reads well. */
int error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sets "text: strerror(errnum)". `errnum` may be negative. Returns -1. */
int error_set_errno(struct error *error, int errnum, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "prefix: " in front. Returns -1. */
int error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
