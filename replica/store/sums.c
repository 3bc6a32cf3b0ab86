/* SPDX-License-Identifier: Apache-2.0 */
/* Loads and stores that survive SIGBUS. */
#include "replica/store/sums.h"

#include <endian.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

/* Where the thread goes on after a fault; NULL: nobody expects one. */
static _Thread_local sigjmp_buf *volatile sums_fault;

/* A fault that nobody expects happens once more, and ends the process. */
static void on_bus(int signal_number)
{
    if (sums_fault)
        siglongjmp(*sums_fault, 1);
    (void)signal(signal_number, SIG_DFL);
}

void sums_prepare(void)
{
    struct sigaction action = {.sa_handler = on_bus, .sa_flags = SA_NODEFER};
    sigemptyset(&action.sa_mask);
    int failed = sigaction(SIGBUS, &action, NULL);
    ASSERT(!failed);
}

bool sums_get(const uint32_t *mapped, uint32_t *sums, uint64_t count)
{
    sigjmp_buf fault;
    if (sigsetjmp(fault, 0)) {
        sums_fault = NULL;
        return false;
    }
    sums_fault = &fault;
    const volatile uint32_t *from = mapped;
    for (uint64_t i = 0; i < count; i++)
        sums[i] = le32toh(from[i]);
    sums_fault = NULL;
    return true;
}

bool sums_put(uint32_t *mapped, const uint32_t *sums, uint64_t count)
{
    sigjmp_buf fault;
    if (sigsetjmp(fault, 0)) {
        sums_fault = NULL;
        return false;
    }
    sums_fault = &fault;
    volatile uint32_t *to = mapped;
    for (uint64_t i = 0; i < count; i++)
        to[i] = htole32(sums[i]);
    sums_fault = NULL;
    return true;
}
