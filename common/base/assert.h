/* SPDX-License-Identifier: Apache-2.0 */
/* Assertions that stay on in every build: a broken invariant stops the process, as a crash would.
 */
#ifndef STRAKE_BASE_ASSERT_H
#define STRAKE_BASE_ASSERT_H

#include <assert.h>
#include <stddef.h>

/* Says where and what on standard error, then aborts. */
_Noreturn void assert_failed(const char *file, int line, const char *function, const char *text);

#define ASSERT(expression)                                                                         \
    ((expression) ? (void)0 : assert_failed(__FILE__, __LINE__, __func__, #expression))
#define UNREACHABLE()               assert_failed(__FILE__, __LINE__, __func__, "unreachable")
#define STATIC_ASSERT(expr, reason) static_assert(expr, reason)
#define MUST_USE                    __attribute__((warn_unused_result))

/* The struct of `type` whose member `member` is at `pointer`. */
#define CONTAINER_OF(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#define ARRAY_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
