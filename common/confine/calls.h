/* SPDX-License-Identifier: Apache-2.0 */
/* The profiles: which system calls a process may make. */
#ifndef STRAKE_CONFINE_CALLS_H
#define STRAKE_CONFINE_CALLS_H

#include <stdint.h>

enum call_rule {
    CALL_ALWAYS,
    CALL_NO_EXEC,    /* its third argument, a protection, is without PROT_EXEC */
    CALL_OF_THREADS, /* its first argument, flags of clone(2), has CLONE_THREAD */
    CALL_UNKNOWN,    /* ENOSYS: the C library does without it */
};

struct call {
    uint16_t number;
    uint8_t rule;  /* enum call_rule */
    uint8_t needs; /* enum confine_need: any of these bits; 0: for all */
};

extern const struct call confine_list[];
extern const uint32_t confine_list_count;

#endif
