/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Large tables, or structs that hold some, that are zeros most of the time and then cost no memory:
 * whole pages, which go back to the kernel when they say nothing and come back as zeros when they
 * are written to.
 */
#ifndef STRAKE_BASE_PAGES_H
#define STRAKE_BASE_PAGES_H

#include <stddef.h>

enum { PAGE_BYTES = 4096 };

/* Zeros, at least so many, in pages of their own. For free(). */
void *pages_new(size_t length);
/* What is in them, from pages_new() with this length, stays as it is. */
void pages_give_back(void *pages, size_t length);

#endif
