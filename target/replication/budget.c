/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes that resyncs and scrubs of all volumes of a process may move while clients are at work.
 * Each piece is charged to one account, and its volume moves the next one when the account is even:
 * so they take turns, and ten together move no more than one does. With no client at work it is not
 * kept. One is when an operation came or ended of late; what has waited longer may wait for the
 * very copying, and so does not slow it.
 */
#include "target/replication/parts.h"

#define BUDGET_CLIENT_NS REPL_SECOND_NS

void budget_client(struct repl_budget *budget, uint64_t now_ns)
{
    budget->client_ns = now_ns;
}

uint64_t budget_take(struct repl_budget *budget, uint64_t bytes_per_s, uint64_t bytes,
                     uint64_t now_ns)
{
    bool at_work = now_ns < budget->client_ns + BUDGET_CLIENT_NS;
    if (bytes_per_s == 0 || !at_work)
        return now_ns;
    if (budget->even_ns < now_ns)
        budget->even_ns = now_ns;
    budget->even_ns += bytes * REPL_SECOND_NS / bytes_per_s;
    return budget->even_ns;
}
