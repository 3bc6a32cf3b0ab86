/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/busy_poll.h"

#define NS_PER_US 1000u

enum {
    /* What a look takes of the credit that others give: in vain, or in somebody's way. */
    BUSY_POLL_MISS = 2,
    BUSY_POLL_WANTED = 4,
    BUSY_POLL_CREDIT_MAX = 16,
    BUSY_POLL_REST_TIMES = 64,
};

#define BUSY_POLL_NS          ((uint64_t)100 * NS_PER_US)
#define BUSY_POLL_PAYS_NS     ((uint64_t)40 * NS_PER_US)
#define BUSY_POLL_REST_MAX_NS ((uint64_t)1000 * 1000 * NS_PER_US)

bool busy_poll_begin(struct busy_poll *poll, uint64_t now_ns)
{
    ASSERT(poll->began_ns == 0);
    if (now_ns < poll->rest_until_ns)
        return false;
    poll->began_ns = now_ns;
    return true;
}

bool busy_poll_goes_on(const struct busy_poll *poll, uint64_t now_ns)
{
    ASSERT(poll->began_ns != 0);
    return now_ns - poll->began_ns < BUSY_POLL_NS;
}

static void busy_poll_rest(struct busy_poll *poll, uint64_t now_ns, uint64_t looked_ns)
{
    uint64_t rest_ns = looked_ns * BUSY_POLL_REST_TIMES;
    if (rest_ns < 2 * poll->rest_ns)
        rest_ns = 2 * poll->rest_ns;
    poll->rest_ns = rest_ns < BUSY_POLL_REST_MAX_NS ? rest_ns : BUSY_POLL_REST_MAX_NS;
    poll->rest_until_ns = now_ns + poll->rest_ns;
    poll->credit = 0;
}

void busy_poll_end(struct busy_poll *poll, uint64_t now_ns, bool came, bool wanted)
{
    uint64_t looked_ns = now_ns - poll->began_ns;
    poll->began_ns = 0;
    bool paid = came && looked_ns <= BUSY_POLL_PAYS_NS;
    uint32_t price = wanted ? BUSY_POLL_WANTED : paid ? 0 : BUSY_POLL_MISS;
    if (price > poll->credit) {
        busy_poll_rest(poll, now_ns, looked_ns);
    } else if (price > 0) {
        poll->credit -= price;
    } else {
        poll->rest_ns = 0;
        if (poll->credit < BUSY_POLL_CREDIT_MAX)
            poll->credit++;
    }
}
