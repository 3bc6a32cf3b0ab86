/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes that resyncs and scrubs of all volumes of a process may move while clients are at work.
 * Each piece is charged to one account, and its volume moves the next one when the account is even:
 * so they take turns, and ten together move no more than one does. With no client at work it is not
 * kept. One is when an operation came or ended of late; what has waited longer may wait for the
 * very copying, and so does not slow it.
 *
 * What may be moved a second is found between an eighth of the limit and all of it: it grows as
 * long as writes take less than twice as long as they did while nothing was moved.
 */
#include "target/replication/parts.h"

#define BUDGET_CLIENT_NS REPL_SECOND_NS
#define BUDGET_LOOK_NS   (REPL_SECOND_NS / 10)

enum {
    BUDGET_PART = 8,   /* of the limit, this part is moved always */
    BUDGET_SLOWER = 2, /* so many times as long may writes take */
    BUDGET_MEAN = 64,  /* of so many writes, about */
};
#define BUDGET_LEAST_BYTES ((uint64_t)16 << 20)

void budget_client(struct repl_budget *budget, uint64_t now_ns)
{
    budget->client_ns = now_ns;
}

static bool budget_moves(const struct repl_budget *budget, uint64_t now_ns)
{
    uint64_t until_ns = budget->even_ns > budget->moved_ns ? budget->even_ns : budget->moved_ns;
    return now_ns < until_ns + BUDGET_CLIENT_NS;
}

void budget_wrote(struct repl_budget *budget, uint64_t took_ns, uint64_t now_ns)
{
    bool beside = budget_moves(budget, now_ns);
    uint64_t *mean_ns = beside ? &budget->beside_ns : &budget->alone_ns;
    *mean_ns = *mean_ns ? *mean_ns - *mean_ns / BUDGET_MEAN + took_ns / BUDGET_MEAN : took_ns;
}

static uint64_t budget_least(uint64_t limit)
{
    uint64_t least = limit / BUDGET_PART;
    if (least < BUDGET_LEAST_BYTES)
        least = limit < BUDGET_LEAST_BYTES ? limit : BUDGET_LEAST_BYTES;
    return least;
}

static uint64_t budget_rate(struct repl_budget *budget, uint64_t limit, uint64_t now_ns)
{
    bool slower = budget->alone_ns && budget->beside_ns > BUDGET_SLOWER * budget->alone_ns;
    uint64_t least = budget_least(limit);
    if (!budget_moves(budget, now_ns)) {
        budget->beside_ns = 0;
        budget->bytes_per_s = least;
        budget->look_ns = now_ns + BUDGET_LOOK_NS;
    } else if (now_ns >= budget->look_ns) {
        budget->bytes_per_s -= budget->bytes_per_s / 4;
        if (!slower)
            budget->bytes_per_s = budget->bytes_per_s / 3 * 5;
        budget->look_ns = now_ns + BUDGET_LOOK_NS;
    }
    if (budget->bytes_per_s < least)
        budget->bytes_per_s = least;
    if (budget->bytes_per_s > limit)
        budget->bytes_per_s = limit;
    budget->moved_ns = now_ns;
    return budget->bytes_per_s;
}

uint64_t budget_take(struct repl_budget *budget, uint64_t limit, uint64_t bytes, uint64_t now_ns)
{
    bool at_work = now_ns < budget->client_ns + BUDGET_CLIENT_NS;
    uint64_t rate = budget_rate(budget, limit, now_ns);
    if (rate == 0 || !at_work)
        return now_ns;
    if (budget->even_ns < now_ns)
        budget->even_ns = now_ns;
    budget->even_ns += bytes * REPL_SECOND_NS / rate;
    return budget->even_ns;
}
