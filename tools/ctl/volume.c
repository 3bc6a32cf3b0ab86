/* SPDX-License-Identifier: Apache-2.0 */
/* The commands on volumes. */
#include "tools/ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Order of the options in ctl_commands. */
enum {
    CREATE_REPLICAS,
    CREATE_BLOCK_SIZE,
    CREATE_WITNESS,
    CREATE_WAIT,
    CREATE_NO_WAIT,
    CREATE_OWNER,
    CREATE_MESSAGE,
};
enum { CLONE_REPLICAS, CLONE_NO_WAIT, CLONE_OWNER, CLONE_MESSAGE };
enum { LABEL_OWNER, LABEL_MESSAGE };
enum { LIMIT_IOPS, LIMIT_BANDWIDTH, LIMIT_BURST };
enum { LIST_DELETED };
enum { DELETE_FORCE };

enum { WAIT_S = 60, WAIT_STEP_MS = 100 };

static int volume_answer(const struct ctl *ctl, json_t *volume)
{
    if (ctl->json)
        print_json(volume);
    else
        print_volume(volume);
    json_decref(volume);
    return CTL_OK;
}

int count_of(const char *option, const char *text, json_int_t *count)
{
    size_t length = strlen(text);
    *count = 0;
    if (length == 0 || length > 9 || strspn(text, "0123456789") != length)
        return ctl_say(CTL_USAGE, "--%s: \"%s\" is not a number", option, text);
    *count = (json_int_t)strtoul(text, NULL, 10);
    return CTL_OK;
}

/* A count that may be given as an option. */
static int count_put(json_t *body, const char *key, const char *option, const char *text)
{
    json_int_t count;
    if (!text)
        return CTL_OK;
    int status = count_of(option, text, &count);
    if (!status)
        json_object_set_new(body, key, json_integer(count));
    return status;
}

/* "owner", "message" and "labels". */
static int description_put(json_t *body, const char *owner, const char *message,
                           const struct ctl_many *labels)
{
    int status = text_put(body, "owner", owner);
    if (!status)
        status = text_put(body, "message", message);
    return status ? status : labels_put(body, labels);
}

static int size_put(json_t *body, const char *text)
{
    struct error error;
    uint64_t size_bytes;
    if (size_parse(text, &size_bytes, &error))
        return ctl_say(CTL_USAGE, "%s", error.text);
    json_object_set_new(body, "size_bytes", json_integer((json_int_t)size_bytes));
    return CTL_OK;
}

/* METHOD of a volume, and `tail` behind its name. */
static int ask_volume(const struct ctl *ctl, const char *method, const char *name, const char *tail,
                      json_t **answer)
{
    char path[CTL_URL_BYTES];
    int status = path_volume(path, name, tail);
    return status ? status : ask(ctl, method, path, NULL, answer);
}

/* Asks again and again until the volume serves. */
static int volume_wait(const struct ctl *ctl, const char *name, json_t **volume)
{
    const struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000 * 1000};
    for (int i = 0; i < WAIT_S * 1000 / WAIT_STEP_MS; i++) {
        if (strcmp(json_text_of(*volume, "state"), "serving") == 0)
            return CTL_OK;
        nanosleep(&step, NULL);
        json_t *again = NULL;
        int status = ask_volume(ctl, "GET", name, "", &again);
        if (status)
            return status;
        json_decref(*volume);
        *volume = again;
    }
    const char *why = json_text_of(*volume, "why");
    return ctl_say(CTL_FAILED, "volume %s: was made, but after %d s it is %s%s%s", name, WAIT_S,
                   json_text_of(*volume, "state"), why[0] ? ": " : "", why);
}

static int create_body(const struct ctl *ctl, json_t *body)
{
    int status = text_put(body, "name", ctl->args[0]);
    if (!status)
        status = size_put(body, ctl->args[1]);
    if (!status)
        status = count_put(body, "replicas", "replicas", ctl->options[CREATE_REPLICAS]);
    if (!status)
        status = count_put(body, "block_bytes", "block-size", ctl->options[CREATE_BLOCK_SIZE]);
    if (ctl->options[CREATE_WITNESS])
        json_object_set_new(body, "witness", json_true());
    if (!status)
        status = description_put(body, ctl->options[CREATE_OWNER], ctl->options[CREATE_MESSAGE],
                                 &ctl->many);
    return status;
}

/* Asks for a volume to be made, and waits until it serves. Gives `body` up. */
static int volume_make(const struct ctl *ctl, int status, json_t *body, const char *name, bool wait)
{
    json_t *volume = NULL;
    if (!status)
        status = ask(ctl, "POST", "/v1/volumes", body, &volume);
    json_decref(body);
    if (!status && wait)
        status = volume_wait(ctl, name, &volume);
    if (status) {
        json_decref(volume);
        return status;
    }
    return volume_answer(ctl, volume);
}

int volume_create_run(struct ctl *ctl)
{
    json_t *body = json_object();
    int status = create_body(ctl, body);
    return volume_make(ctl, status, body, ctl->args[0], !ctl->options[CREATE_NO_WAIT]);
}

int volume_clone_run(struct ctl *ctl)
{
    json_t *body = json_object();
    int status = CTL_OK;
    if (!strchr(ctl->args[0], '@'))
        status = ctl_say(CTL_USAGE, "clone of \"%s\": VOLUME@SNAPSHOT is wanted", ctl->args[0]);
    if (!status)
        status = text_put(body, "name", ctl->args[1]);
    if (!status)
        status = text_put(body, "clone_of", ctl->args[0]);
    if (!status)
        status = count_put(body, "replicas", "replicas", ctl->options[CLONE_REPLICAS]);
    if (!status)
        status = description_put(body, ctl->options[CLONE_OWNER], ctl->options[CLONE_MESSAGE],
                                 &ctl->many);
    return volume_make(ctl, status, body, ctl->args[1], !ctl->options[CLONE_NO_WAIT]);
}

/* Asks for changes of a volume. Gives `body` up. */
static int volume_change(const struct ctl *ctl, int status, json_t *body)
{
    char path[CTL_URL_BYTES];
    json_t *volume = NULL;
    if (!status)
        status = path_volume(path, ctl->args[0], "");
    if (!status)
        status = ask(ctl, "PATCH", path, body, &volume);
    json_decref(body);
    return status ? status : volume_answer(ctl, volume);
}

int volume_label_run(struct ctl *ctl)
{
    json_t *body = json_object();
    int status =
        description_put(body, ctl->options[LABEL_OWNER], ctl->options[LABEL_MESSAGE], &ctl->rest);
    if (!status && json_object_size(body) == 0)
        status = ctl_say(CTL_USAGE, "volume label: nothing to change was given");
    return volume_change(ctl, status, body);
}

int volume_grow_run(struct ctl *ctl)
{
    json_t *body = json_object();
    return volume_change(ctl, size_put(body, ctl->args[1]), body);
}

/* A count or "none"; NULL: not given. */
static int limit_put(json_t *limits, const char *key, const char *option, const char *text)
{
    bool none = text && strcmp(text, "none") == 0;
    return count_put(limits, key, option, none ? "0" : text);
}

static int bandwidth_put(json_t *limits, const char *text)
{
    struct error error;
    uint64_t bytes = 0;
    if (!text)
        return CTL_OK;
    if (strcmp(text, "none") != 0 && size_parse(text, &bytes, &error))
        return ctl_say(CTL_USAGE, "--bandwidth: %s", error.text);
    json_object_set_new(limits, "bytes_per_s", json_integer((json_int_t)bytes));
    return CTL_OK;
}

int volume_limit_run(struct ctl *ctl)
{
    json_t *limits = json_object();
    int status = limit_put(limits, "iops", "iops", ctl->options[LIMIT_IOPS]);
    if (!status)
        status = bandwidth_put(limits, ctl->options[LIMIT_BANDWIDTH]);
    if (!status)
        status = count_put(limits, "burst_s", "burst", ctl->options[LIMIT_BURST]);
    if (!status && json_object_size(limits) == 0)
        status = ctl_say(CTL_USAGE, "volume limit: no limit was given");
    json_t *body = json_pack("{s:o}", "limits", limits);
    return volume_change(ctl, status, body);
}

int volume_list_run(struct ctl *ctl)
{
    json_t *volumes = NULL;
    const char *path = ctl->options[LIST_DELETED] ? "/v1/volumes?deleted=1" : "/v1/volumes";
    int status = ask(ctl, "GET", path, NULL, &volumes);
    if (status)
        return status;
    if (ctl->json)
        print_json(volumes);
    else
        print_volumes(volumes);
    json_decref(volumes);
    return CTL_OK;
}

int volume_show_run(struct ctl *ctl)
{
    json_t *volume = NULL;
    int status = ask_volume(ctl, "GET", ctl->args[0], "", &volume);
    return status ? status : volume_answer(ctl, volume);
}

int volume_delete_run(struct ctl *ctl)
{
    json_t *volume = NULL;
    const char *query = ctl->options[DELETE_FORCE] ? "?force=1" : "";
    int status = ask_volume(ctl, "DELETE", ctl->args[0], query, &volume);
    if (status)
        return status;
    if (ctl->json)
        print_json(volume);
    else
        printf("volume %s: deleted; its record stays (id %s)\n", json_text_of(volume, "name"),
               json_text_of(volume, "id"));
    json_decref(volume);
    return CTL_OK;
}
