/* SPDX-License-Identifier: Apache-2.0 */
/* The commands on snapshots. */
#include "tools/ctl/ctl.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* Order of the options in ctl_commands. */
enum { CREATE_MESSAGE };
enum { LABEL_MESSAGE };
enum { DIFF_TOTALS };
enum { REVERT_KEEP };

enum { DIGEST_STEP_MS_MAX = 1000 };

/* Asks, and prints what a snapshot is told to be. Gives `body` up. */
static int snapshot_ask(const struct ctl *ctl, int status, const char *method, const char *path,
                        json_t *body)
{
    json_t *snapshot = NULL;
    if (!status)
        status = ask(ctl, method, path, body, &snapshot);
    json_decref(body);
    if (status)
        return status;
    if (ctl->json)
        print_json(snapshot);
    else
        print_snapshot(snapshot);
    json_decref(snapshot);
    return CTL_OK;
}

int snapshot_create_run(struct ctl *ctl)
{
    char path[CTL_URL_BYTES];
    json_t *body = json_object();
    int status = path_volume(path, ctl->args[0], "/snapshots");
    if (!status)
        status = text_put(body, "name", ctl->args[1]);
    if (!status)
        status = text_put(body, "message", ctl->options[CREATE_MESSAGE]);
    if (!status)
        status = labels_put(body, &ctl->many);
    return snapshot_ask(ctl, status, "POST", path, body);
}

int snapshot_list_run(struct ctl *ctl)
{
    char path[CTL_URL_BYTES];
    json_t *snapshots = NULL;
    int status = path_volume(path, ctl->args[0], "/snapshots");
    for (uint32_t i = 0; i < ctl->many.count && !status; i++)
        status = path_query(path, "label", ctl->many.list[i]);
    if (!status)
        status = ask(ctl, "GET", path, NULL, &snapshots);
    if (status)
        return status;
    if (ctl->json)
        print_json(snapshots);
    else
        print_snapshots(snapshots);
    json_decref(snapshots);
    return CTL_OK;
}

int snapshot_show_run(struct ctl *ctl)
{
    char path[CTL_URL_BYTES];
    int status = path_snapshot(path, ctl->args[0], "");
    return snapshot_ask(ctl, status, "GET", path, NULL);
}

int snapshot_label_run(struct ctl *ctl)
{
    char path[CTL_URL_BYTES];
    json_t *body = json_object();
    int status = path_snapshot(path, ctl->args[0], "");
    if (!status)
        status = labels_put(body, &ctl->rest);
    if (!status)
        status = text_put(body, "message", ctl->options[LABEL_MESSAGE]);
    if (!status && json_object_size(body) == 0)
        status = ctl_say(CTL_USAGE, "snapshot label: nothing to change was given");
    return snapshot_ask(ctl, status, "PATCH", path, body);
}

int snapshot_delete_run(struct ctl *ctl)
{
    char path[CTL_URL_BYTES];
    json_t *answer = NULL;
    int status = path_snapshot(path, ctl->args[0], "");
    if (!status)
        status = ask(ctl, "DELETE", path, NULL, &answer);
    if (status)
        return status;
    if (ctl->json)
        print_json(answer);
    else
        printf("snapshot %s: deleted\n", ctl->args[0]);
    json_decref(answer);
    return CTL_OK;
}

int snapshot_revert_run(struct ctl *ctl)
{
    char path[CTL_URL_BYTES];
    json_t *kept = NULL;
    json_t *body = json_object();
    int status = path_snapshot(path, ctl->args[0], "/revert");
    if (!status)
        status = text_put(body, "keep", ctl->options[REVERT_KEEP]);
    if (!status)
        status = ask(ctl, "POST", path, body, &kept);
    json_decref(body);
    if (status)
        return status;
    if (ctl->json)
        print_json(kept);
    else
        printf("volume %s: is as %s was; what it had before is %s@%s\n",
               json_text_of(kept, "volume"), ctl->args[0], json_text_of(kept, "volume"),
               json_text_of(kept, "name"));
    json_decref(kept);
    return CTL_OK;
}

/* ---- diff ---- */

/* "/v1/volumes/V/diff?from=A&to=B" of "V@A" and "V@B", "V" or nothing. */
static int diff_path(char path[CTL_URL_BYTES], const char *from, const char *to)
{
    char volume[CTL_URL_BYTES];
    const char *at = strchr(from, '@');
    if (!at || at == from || !at[1] || strlen(from) >= sizeof(volume))
        return ctl_say(CTL_USAGE, "snapshot \"%.80s\": VOLUME@NAME is wanted", from);
    snprintf(volume, sizeof(volume), "%.*s", (int)(at - from), from);
    size_t length = (size_t)(at - from);
    if (to && (strncmp(to, volume, length) != 0 || (to[length] && to[length] != '@')))
        return ctl_say(CTL_USAGE, "diff of \"%s\" and \"%s\": both must be of one volume", from,
                       to);
    int status = path_volume(path, volume, "/diff");
    if (!status)
        status = path_query(path, "from", at + 1);
    if (!status && to && to[length])
        status = path_query(path, "to", to + length + 1);
    return status;
}

/* What one answer tells is added to all of it. */
static void diff_add(json_t *all, const json_t *part)
{
    static const char *const sums[] = {"data_bytes", "zero_bytes"};
    for (size_t i = 0; i < ARRAY_COUNT(sums); i++)
        json_object_set_new(
            all, sums[i],
            json_integer((json_int_t)(json_u64_of(all, sums[i]) + json_u64_of(part, sums[i]))));
    json_array_extend(json_object_get(all, "ranges"), json_object_get(part, "ranges"));
}

int snapshot_diff_run(struct ctl *ctl)
{
    char path[CTL_URL_BYTES];
    char at[32] = "";
    json_t *all = NULL;
    int status = diff_path(path, ctl->args[0], ctl->args[1]);
    size_t length = strlen(path);
    uint64_t next = 0;
    while (!status) {
        json_t *part = NULL;
        path[length] = '\0';
        snprintf(at, sizeof(at), "%llu", (unsigned long long)next);
        status = path_query(path, "offset", at);
        if (!status)
            status = ask(ctl, "GET", path, NULL, &part);
        if (status)
            break;
        next = json_u64_of(part, "next_offset_bytes");
        if (all)
            diff_add(all, part);
        else
            all = json_incref(part);
        json_decref(part);
        if (next == 0) /* that was the end */
            break;
    }
    if (!status) {
        json_object_del(all, "next_offset_bytes");
        if (ctl->options[DIFF_TOTALS])
            json_object_del(all, "ranges");
        if (ctl->json)
            print_json(all);
        else
            print_ranges(all);
    }
    json_decref(all);
    return status;
}

/* ---- digests ---- */

/* Asks again, ever more rarely, until nobody computes any more. */
static int digest_wait(const struct ctl *ctl, const char *path, json_t **digest)
{
    long step_ms = 20;
    while (strcmp(json_text_of(*digest, "state"), "computing") == 0) {
        const struct timespec step = {.tv_sec = step_ms / 1000,
                                      .tv_nsec = step_ms % 1000 * 1000 * 1000};
        nanosleep(&step, NULL);
        json_t *again = NULL;
        int status = ask(ctl, "GET", path, NULL, &again);
        if (status)
            return status;
        json_decref(*digest);
        *digest = again;
        step_ms = step_ms * 2 < DIGEST_STEP_MS_MAX ? step_ms * 2 : DIGEST_STEP_MS_MAX;
    }
    return CTL_OK;
}

static int digest_run(struct ctl *ctl, bool verify)
{
    char path[CTL_URL_BYTES];
    json_t *digest = NULL;
    json_t *body = json_pack("{s:b}", "verify", (int)verify);
    int status = path_snapshot(path, ctl->args[0], "/digest");
    if (!status)
        status = ask(ctl, "POST", path, body, &digest);
    json_decref(body);
    if (!status)
        status = digest_wait(ctl, path, &digest);
    if (!status && ctl->json)
        print_json(digest);
    else if (!status && !verify && strcmp(json_text_of(digest, "state"), "known") == 0)
        printf("%s\n", json_text_of(digest, "digest"));
    else if (!status)
        print_digest(digest);
    if (!status && strcmp(json_text_of(digest, "state"), "known") != 0)
        status = ctl_say(CTL_FAILED, "snapshot %s: %s", ctl->args[0], json_text_of(digest, "why"));
    json_decref(digest);
    return status;
}

int snapshot_digest_run(struct ctl *ctl)
{
    return digest_run(ctl, false);
}

int snapshot_verify_run(struct ctl *ctl)
{
    return digest_run(ctl, true);
}
