/* SPDX-License-Identifier: Apache-2.0 */
/* The commands on a volume's members. */
#include "tools/ctl/ctl.h"

#include <stdio.h>
#include <string.h>

/* Order of the options in ctl_commands. */
enum { MEMBER_REPLICA, ADD_WITNESS };

static const char *member_state(const json_t *member, char *text, size_t size)
{
    const json_t *resync = json_object_get(member, "resync");
    bool attached = json_flag_of(member, "attached");
    if (resync) {
        char done[CTL_SIZE_TEXT_BYTES];
        char total[CTL_SIZE_TEXT_BYTES];
        uint64_t done_bytes = json_u64_of(resync, "done_bytes");
        uint64_t total_bytes = json_u64_of(resync, "total_bytes");
        size_format(done_bytes, done);
        size_format(total_bytes, total);
        double parts = total_bytes ? (double)done_bytes / (double)total_bytes : 0;
        snprintf(text, size, "resyncing, %d%%, %s of %s", (int)(100 * parts), done, total);
    } else if (json_flag_of(member, "in_sync")) {
        snprintf(text, size, "in sync%s%s", attached ? "" : ", not connected",
                 json_flag_of(member, "waited_for") ? ", waited for" : "");
    } else {
        snprintf(text, size, "%s",
                 strcmp(json_text_of(member, "kind"), "witness") == 0 ? "witness" : "behind");
    }
    return text;
}

void print_members(const json_t *members)
{
    size_t i;
    const json_t *member;
    json_array_foreach(members, i, member)
    {
        char state[128];
        const char *address = json_text_of(member, "replica");
        const char *why = json_text_of(member, "why");
        printf("  %-24s %.8s  %s%s", address[0] ? address : "(unknown)", json_text_of(member, "id"),
               member_state(member, state, sizeof(state)),
               json_flag_of(member, "leaving") ? ", to go" : "");
        printf(why[0] ? " (%s)\n" : "%s\n", why);
    }
}

static int members_answer(const struct ctl *ctl, int status, json_t *answer)
{
    if (status)
        return status;
    const char *change = json_text_of(answer, "change");
    if (ctl->json) {
        print_json(answer);
    } else {
        printf("volume:    %s\n", json_text_of(answer, "volume"));
        printf("at least:  %llu in sync, or writes wait\n",
               (unsigned long long)json_u64_of(answer, "min_in_sync"));
        if (change[0])
            printf("going on:  %s\n", change);
        printf("replicas:\n");
        print_members(json_object_get(answer, "members"));
    }
    json_decref(answer);
    return CTL_OK;
}

int member_list_run(struct ctl *ctl)
{
    char path[CTL_URL_BYTES];
    json_t *answer = NULL;
    int status = path_member(path, ctl->args[0], NULL);
    if (!status)
        status = ask(ctl, "GET", path, NULL, &answer);
    return members_answer(ctl, status, answer);
}

/* `replaces`: a member, or NULL: it is one more. */
static int member_post(struct ctl *ctl, const char *replaces, bool witness)
{
    char path[CTL_URL_BYTES];
    json_t *answer = NULL;
    json_t *body = json_object();
    int status = path_member(path, ctl->args[0], NULL);
    if (!status)
        status = text_put(body, "replica", ctl->options[MEMBER_REPLICA]);
    if (!status)
        status = text_put(body, "replaces", replaces);
    if (witness)
        json_object_set_new(body, "witness", json_true());
    if (!status)
        status = ask(ctl, "POST", path, body, &answer);
    json_decref(body);
    return members_answer(ctl, status, answer);
}

int member_add_run(struct ctl *ctl)
{
    return member_post(ctl, NULL, ctl->options[ADD_WITNESS] != NULL);
}

int member_replace_run(struct ctl *ctl)
{
    return member_post(ctl, ctl->args[1], false);
}

int member_remove_run(struct ctl *ctl)
{
    char path[CTL_URL_BYTES];
    json_t *answer = NULL;
    int status = path_member(path, ctl->args[0], ctl->args[1]);
    if (!status)
        status = ask(ctl, "DELETE", path, NULL, &answer);
    return members_answer(ctl, status, answer);
}
