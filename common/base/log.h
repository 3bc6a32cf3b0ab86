/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of a process: one line an event on standard error, `who: what (why)`, never per I/O. With
 * a journal behind standard error ($JOURNAL_STREAM) each line carries its priority. Pure rooms do
 * not log: they return the reason and the shell that knows who says it.
 */
#ifndef STRAKE_BASE_LOG_H
#define STRAKE_BASE_LOG_H

enum log_level { LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* `program` (outlives the process) begins each line; lines above `level` are dropped. */
void log_init(const char *program, enum log_level level);
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
