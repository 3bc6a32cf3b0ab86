/* SPDX-License-Identifier: Apache-2.0 */
/* The log of a process: whole lines on standard error, one write each. */
#include "common/base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static struct {
    const char *program;
    enum log_level level;
    bool journal;
} log_state = {.program = "strake", .level = LOG_LEVEL_INFO};

void log_init(const char *program, enum log_level level)
{
    log_state.program = program;
    log_state.level = level;
    log_state.journal = getenv("JOURNAL_STREAM") != NULL;
}

/* The journal stamps its lines itself; elsewhere the line brings its own time (UTC). */
static int log_head(char *line, size_t size, const char *priority)
{
    if (log_state.journal)
        return snprintf(line, size, "%s%s: ", priority, log_state.program);
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    char stamp[32];
    strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
    return snprintf(line, size, "%s.%03ldZ %s: ", stamp, now.tv_nsec / 1000000, log_state.program);
}

static void __attribute__((format(printf, 3, 0)))
log_line(enum log_level level, const char *priority, const char *format, va_list args)
{
    if (level > log_state.level)
        return;
    char line[1024];
    int length = log_head(line, sizeof(line), priority);
    length += vsnprintf(line + length, sizeof(line) - (size_t)length - 1, format, args);
    if (length > (int)sizeof(line) - 2)
        length = (int)sizeof(line) - 2;
    /* What a peer called itself must not make a second line, nor speak to a terminal. */
    for (int i = 0; i < length; i++) {
        if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
            line[i] = '?';
    }
    line[length++] = '\n';
    ssize_t written = write(STDERR_FILENO, line, (size_t)length);
    (void)written; /* a log that cannot be written has nobody to tell */
}

void log_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(LOG_LEVEL_WARN, "<4>", format, args);
    va_end(args);
}

void log_info(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(LOG_LEVEL_INFO, "<6>", format, args);
    va_end(args);
}

void log_debug(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(LOG_LEVEL_DEBUG, "<7>", format, args);
    va_end(args);
}
