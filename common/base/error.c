/* SPDX-License-Identifier: Apache-2.0 */
/* One line that says what went wrong. */
#include "common/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int error_set(struct error *error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return -1;
}

int error_set_errno(struct error *error, int errnum, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    if (length >= 0 && (size_t)length < sizeof(error->text))
        snprintf(error->text + length, sizeof(error->text) - (size_t)length, ": %s",
                 strerror(abs(errnum)));
    return -1;
}

int error_prefix(struct error *error, const char *format, ...)
{
    struct error old = *error;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    if (length >= 0 && (size_t)length < sizeof(error->text))
        snprintf(error->text + length, sizeof(error->text) - (size_t)length, ": %.*s",
                 (int)(sizeof(old.text) - (size_t)length), old.text);
    return -1;
}
