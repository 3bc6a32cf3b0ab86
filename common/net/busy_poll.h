/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a loop should look for events for a while before it sleeps: to be woken costs both sides
 * more time than a client with one request at a time needs for its next one, above all in virtual
 * machines, where an idle processor has to be started again. Learns from what it finds: two of
 * three times something has to come soon, and four of five times nobody else may want the
 * processor. Where that is not so it rests 64 times as long as it looked, longer each time, so that
 * looking costs less than 2 % of one processor. Pure.
 */
#ifndef STRAKE_NET_BUSY_POLL_H
#define STRAKE_NET_BUSY_POLL_H

#include "common/base/assert.h"

#include <stdbool.h>
#include <stdint.h>

/* All zero: at the beginning. */
struct busy_poll {
    uint64_t began_ns; /* 0: not looking */
    uint64_t rest_until_ns;
    uint64_t rest_ns;
    uint32_t credit;
};

/* Events were handled, nothing else is to be done: true when it should look for more from now on.
 */
MUST_USE bool busy_poll_begin(struct busy_poll *poll, uint64_t now_ns);
/* Nothing came yet: true when it should look once more; else it should sleep, and must end it. */
MUST_USE bool busy_poll_goes_on(const struct busy_poll *poll, uint64_t now_ns);
/* `came`: an event; `wanted`: somebody else got the processor meanwhile. */
void busy_poll_end(struct busy_poll *poll, uint64_t now_ns, bool came, bool wanted);

#endif
