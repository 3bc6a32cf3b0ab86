/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that make volumes devices of this machine. */
#include "tools/attach/attach.h"

#include "common/base/log.h"
#include "tools/ctl/ctl.h"

#include <stdio.h>
#include <string.h>

/* Order of the options in ctl_commands. */
enum {
    ATTACH_OPTION_ISCSI,
    ATTACH_OPTION_NBD,
    ATTACH_OPTION_FUSE,
    ATTACH_OPTION_CONNECTIONS,
    ATTACH_OPTION_READ_ONLY,
    ATTACH_OPTION_TIMEOUT,
    ATTACH_OPTION_FOREGROUND,
};

enum { TIMEOUT_S_MAX = 7 * 24 * 3600 };

static int number_of(const struct ctl *ctl, int option, const char *name, json_int_t max,
                     uint32_t *number)
{
    json_int_t value = 0;
    if (!ctl->options[option])
        return CTL_OK;
    if (count_of(name, ctl->options[option], &value))
        return CTL_USAGE;
    if (value < 1 || value > max)
        return ctl_say(CTL_USAGE, "--%s: %s is not within 1 and %lld", name, ctl->options[option],
                       (long long)max);
    *number = (uint32_t)value;
    return CTL_OK;
}

static int wish_options(const struct ctl *ctl, struct attach_wish *wish)
{
    *wish = (struct attach_wish){.timeout_s = ATTACH_TIMEOUT_S};
    wish->read_only = ctl->options[ATTACH_OPTION_READ_ONLY];
    wish->foreground = ctl->options[ATTACH_OPTION_FOREGROUND];
    if (wish->foreground)
        wish->way = ATTACH_NBD;
    for (int option = ATTACH_OPTION_ISCSI; option <= ATTACH_OPTION_FUSE; option++) {
        enum attach_way way = (enum attach_way)(ATTACH_ISCSI + option);
        if (!ctl->options[option])
            continue;
        if (wish->way != ATTACH_ANY && wish->way != way)
            return ctl_say(CTL_USAGE, "--%s: only one way to attach, and --foreground is of NBD",
                           attach_way_name(way));
        wish->way = way;
    }
    int status = number_of(ctl, ATTACH_OPTION_CONNECTIONS, "connections", ATTACH_CONNECTIONS_MAX,
                           &wish->connections);
    return status
               ? status
               : number_of(ctl, ATTACH_OPTION_TIMEOUT, "timeout", TIMEOUT_S_MAX, &wish->timeout_s);
}

static const char *first_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_array_get(json_object_get(object, key), 0));
    return text ? text : "";
}

/* Where the target says that the volume is. */
static int wish_volume(const struct ctl *ctl, struct attach_wish *wish)
{
    json_t *volume = NULL;
    char path[CTL_URL_BYTES];
    bool snapshot = strchr(ctl->args[0], '@');
    int status =
        snapshot ? path_snapshot(path, ctl->args[0], "") : path_volume(path, ctl->args[0], "");
    if (!status)
        status = ask(ctl, "GET", path, NULL, &volume);
    if (snapshot)
        wish->read_only = true;
    if (status)
        return status;
    const json_t *iscsi = json_object_get(volume, "iscsi");
    const char *portal = first_of(iscsi, "portals");
    const char *uri = first_of(json_object_get(volume, "nbd"), "uris");
    if (portal[0])
        snprintf(wish->iscsi_source, sizeof(wish->iscsi_source), "iscsi://%s/%s", portal,
                 json_text_of(iscsi, "iqn"));
    snprintf(wish->nbd_source, sizeof(wish->nbd_source), "%s", uri);
    json_decref(volume);
    if (wish->iscsi_source[0] || wish->nbd_source[0])
        return CTL_OK;
    return ctl_say(CTL_FAILED, "volume %s: the target shows it to nobody", ctl->args[0]);
}

static void tell(const struct ctl *ctl, const struct attachment *a)
{
    if (ctl->json) {
        json_t *json = json_pack("{s:s, s:s, s:s, s:s, s:b}", "volume", a->name, "way",
                                 attach_way_name(a->way), "device", a->device, "source", a->source,
                                 "read_only", a->read_only);
        print_json(json);
        json_decref(json);
    } else {
        printf("%s\n", a->device);
    }
    fflush(stdout);
}

int attach_run(struct ctl *ctl)
{
    struct attach_wish wish;
    struct attachment a;
    struct error error;
    int status = wish_options(ctl, &wish);
    if (!status && strstr(ctl->args[0], "://"))
        status = attach_wish_uri(&wish, ctl->args[0], &error) ? ctl_say(CTL_USAGE, "%s", error.text)
                                                              : CTL_OK;
    else if (!status)
        status = wish_volume(ctl, &wish);
    if (status)
        return status;
    if (attach_make(&wish, &a, &error))
        return ctl_say(CTL_FAILED, "attach %s", error.text);
    if (a.found)
        (void)ctl_say(CTL_OK, "%s: attached already", a.name);
    tell(ctl, &a);
    if (!wish.foreground)
        return CTL_OK;
    if (a.keeper_fd < 0)
        return ctl_say(CTL_FAILED, "%s: another process keeps it connected already", a.device);
    log_init("strake-attach", LOG_LEVEL_INFO);
    return attach_keep(&a, &error) ? ctl_say(CTL_FAILED, "%s: %s", a.device, error.text) : CTL_OK;
}

int detach_run(struct ctl *ctl)
{
    struct attachment a;
    struct error error;
    if (attach_undo(ctl->args[0], &a, &error))
        return ctl_say(CTL_FAILED, "detach %s", error.text);
    if (ctl->json)
        tell(ctl, &a);
    else
        printf("%s: detached from %s\n", a.name, a.device);
    return CTL_OK;
}
