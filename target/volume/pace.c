/* SPDX-License-Identifier: Apache-2.0 */
/* Two leaking buckets. */
#include "target/volume/pace.h"

#define NS_PER_S ((uint64_t)1000 * 1000 * 1000)
/* Who must wait does so for a few requests at once, not for each. */
#define STEP_NS ((uint64_t)2 * 1000 * 1000)

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* As long ago as what was not used since is saved up. */
static uint64_t saved_from(const struct pace *pace, uint64_t now_ns)
{
    uint64_t burst_ns = later(pace->limits.burst_ns, STEP_NS);
    return now_ns > burst_ns ? now_ns - burst_ns : 0;
}

void pace_set(struct pace *pace, const struct pace_limits *limits, uint64_t now_ns)
{
    *pace = (struct pace){.limits = *limits, .ops_due_ns = now_ns, .bytes_due_ns = now_ns};
}

uint64_t pace_wait_ns(const struct pace *pace, uint64_t now_ns)
{
    uint64_t due_ns = later(pace->ops_due_ns, pace->bytes_due_ns);
    return due_ns > now_ns ? due_ns - now_ns + STEP_NS : 0;
}

void pace_charge(struct pace *pace, uint64_t bytes, uint64_t now_ns)
{
    const struct pace_limits *limits = &pace->limits;
    ASSERT(bytes < (uint64_t)1 << 32);
    if (limits->ops_per_s)
        pace->ops_due_ns =
            later(pace->ops_due_ns, saved_from(pace, now_ns)) + NS_PER_S / limits->ops_per_s;
    if (limits->bytes_per_s)
        pace->bytes_due_ns = later(pace->bytes_due_ns, saved_from(pace, now_ns)) +
                             bytes * NS_PER_S / limits->bytes_per_s;
}
