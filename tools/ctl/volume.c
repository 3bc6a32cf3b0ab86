/* SPDX-License-Identifier: Apache-2.0 */
/* The commands on volumes. */
#include "tools/ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Order of the options in ctl_commands. */
enum { CREATE_REPLICAS, CREATE_BLOCK_SIZE, CREATE_WAIT, CREATE_NO_WAIT };
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
    if (length == 0 || length > 9 || strspn(text, "0123456789") != length)
        return ctl_say(CTL_USAGE, "--%s: \"%s\" is not a number", option, text);
    *count = (json_int_t)strtoul(text, NULL, 10);
    return CTL_OK;
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
    struct error error;
    uint64_t size_bytes;
    json_int_t count;
    if (size_parse(ctl->args[1], &size_bytes, &error))
        return ctl_say(CTL_USAGE, "%s", error.text);
    json_t *name = json_string(ctl->args[0]);
    if (!name)
        return ctl_say(CTL_USAGE, "volume name: not UTF-8");
    json_object_set_new(body, "name", name);
    json_object_set_new(body, "size_bytes", json_integer((json_int_t)size_bytes));
    if (ctl->options[CREATE_REPLICAS]) {
        if (count_of("replicas", ctl->options[CREATE_REPLICAS], &count))
            return CTL_USAGE;
        json_object_set_new(body, "replicas", json_integer(count));
    }
    if (ctl->options[CREATE_BLOCK_SIZE]) {
        if (count_of("block-size", ctl->options[CREATE_BLOCK_SIZE], &count))
            return CTL_USAGE;
        json_object_set_new(body, "block_bytes", json_integer(count));
    }
    return CTL_OK;
}

int volume_create_run(struct ctl *ctl)
{
    json_t *volume = NULL;
    json_t *body = json_object();
    int status = create_body(ctl, body);
    if (!status)
        status = ask(ctl, "POST", "/v1/volumes", body, &volume);
    json_decref(body);
    if (!status && !ctl->options[CREATE_NO_WAIT])
        status = volume_wait(ctl, ctl->args[0], &volume);
    if (status) {
        json_decref(volume);
        return status;
    }
    return volume_answer(ctl, volume);
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
