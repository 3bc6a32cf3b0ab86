/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the members are. A change of the list is a proposal as any other, of one member more or one
 * less (C17). Who is to go is marked as leaving first, and removed when the others do without it;
 * all that is known of it is in the configuration, so that the next target goes on where one died.
 */
#include "target/replication/parts.h"

static struct member *member_of(struct config *config, const struct uuid *uuid)
{
    int idx = config_member_idx(config, uuid);
    return idx < 0 ? NULL : &config->members[idx];
}

static const char *leave_mark(struct config *config, const struct uuid *uuid)
{
    struct member *member = member_of(config, uuid);
    if (!member)
        return "it is not a member";
    if (member->leaving)
        return "it is leaving already";
    member->leaving = true;
    return NULL;
}

static const char *member_append(struct config *config, const struct member *added)
{
    if (config->member_count == MEMBERS_MAX)
        return "it has as many members as there can be";
    if (member_of(config, &added->uuid))
        return "it is a member already";
    config->members[config->member_count++] =
        (struct member){.uuid = added->uuid, .kind = added->kind};
    return NULL;
}

/* The configuration that is asked for; NULL, or why there is none. */
static const char *membership_next(const struct repl *repl, const struct repl_change *change,
                                   struct config *next)
{
    const char *why = NULL;
    *next = repl->config;
    if (change->min_in_sync)
        next->min_in_sync = change->min_in_sync;
    if (!change->add)
        return leave_mark(next, &change->member.uuid);
    if (!uuid_is_zero(&change->leaves))
        why = leave_mark(next, &change->leaves);
    return why ? why : member_append(next, &change->member);
}

const char *repl_change_invalid(const struct repl *repl, const struct repl_change *change)
{
    struct config next;
    if (repl->phase != PHASE_SERVE || repl->stopping)
        return "the volume does not serve";
    if (repl->proposal.active)
        return "another change of its configuration is under way";
    if (repl->doomed)
        return "a replica that does not hold everything any more is not dropped yet";
    const char *why = membership_next(repl, change, &next);
    if (!why)
        why = config_invalid(&next);
    if (why)
        return why;
    int staying = 0;
    for (uint8_t i = 0; i < next.member_count; i++)
        staying += next.members[i].kind == MEMBER_DATA && !next.members[i].leaving;
    if (staying < next.min_in_sync)
        return "too few replicas with data would stay";
    /* Who is added was just made, so it is there. */
    if (2 * (count_of(repl->up & repl->voters) + change->add) <= next.member_count)
        return "too few of its replicas are there";
    return NULL;
}

void membership_change(struct repl *repl, const struct repl_change *change)
{
    struct config next;
    ASSERT(!repl_change_invalid(repl, change) && !membership_next(repl, change, &next));
    register_propose(repl, &next, repl->in_sync);
}

/* The last that hold everything stay until others do. */
static bool can_go(const struct repl *repl, uint8_t member)
{
    uint8_t staying = without(repl->data, repl->leaving);
    return !(repl->in_sync & member) || (without(staying, repl->in_sync) == 0 && staying &&
                                         count_of(staying) >= repl->config.min_in_sync);
}

void membership_settle(struct repl *repl)
{
    /* C17; and what is sealed must be known to be complete by the same members everywhere. */
    if (repl->phase != PHASE_SERVE || repl->proposal.active || command_is_moving(repl) ||
        repl->stopping || repl->doomed)
        return;
    for (uint8_t set = repl->leaving; set; set &= (uint8_t)(set - 1)) {
        uint8_t peer = first_of(set);
        struct config next = repl->config;
        if (!can_go(repl, bit_of(peer)))
            continue;
        int idx = config_member_idx(&next, &repl->peers[peer].member);
        next.member_count--;
        for (int i = idx; i < next.member_count; i++)
            next.members[i] = next.members[i + 1];
        next.members[next.member_count] = (struct member){0};
        say(repl, false, "replica %s leaves", repl->peers[peer].name);
        repl->peers[peer].why = "it leaves";
        register_propose(repl, &next, without(repl->in_sync, bit_of(peer)));
        return;
    }
}
