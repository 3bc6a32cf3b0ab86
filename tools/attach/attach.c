/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing a way, and knowing what is attached already. */
#include "tools/attach/attach.h"

#include "tools/attach/state.h"
#include "tools/attach/ways.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct way *way_of(enum attach_way way)
{
    switch (way) {
    case ATTACH_ISCSI:
        return &way_iscsi;
    case ATTACH_NBD:
        return &way_nbd;
    case ATTACH_FUSE:
        return &way_fuse;
    case ATTACH_ANY:
        break;
    }
    UNREACHABLE();
}

const char *attach_way_name(enum attach_way way)
{
    static const char *const names[] = {"any", "iscsi", "nbd", "fuse"};
    return names[way];
}

int attach_wish_uri(struct attach_wish *wish, const char *uri, struct error *error)
{
    bool iscsi = strncmp(uri, "iscsi://", 8) == 0;
    if (!iscsi && strncmp(uri, "nbd://", 6) != 0 && strncmp(uri, "nbd+unix://", 11) != 0)
        return error_set(error, "%.100s: not a URI of iscsi, nbd or nbd+unix", uri);
    if (strlen(uri) >= ATTACH_SOURCE_BYTES)
        return error_set(error, "%.100s...: longer than %d characters", uri,
                         ATTACH_SOURCE_BYTES - 1);
    memcpy(iscsi ? wish->iscsi_source : wish->nbd_source, uri, strlen(uri) + 1);
    return 0;
}

/*
 * The volume's name, for people and files: what follows the last '/' or ':', before a '?'. A
 * snapshot is "VOLUME@NAME", in an iSCSI name "PREFIX:VOLUME:NAME", and may be named by a digest,
 * which has a colon of its own.
 */
static size_t name_begin(const char *source, size_t end)
{
    size_t begin = end;
    while (begin > 0 && source[begin - 1] != '/')
        begin--;
    const char *colon = memchr(source + begin, ':', end - begin);
    if (strncmp(source + begin, "iqn.", 4) == 0 && colon)
        return (size_t)(colon - source) + 1;
    if (memchr(source + begin, '@', end - begin))
        return begin;
    for (begin = end; begin > 0 && source[begin - 1] != '/' && source[begin - 1] != ':';)
        begin--;
    return begin;
}

static int name_of(const char *source, char name[ATTACH_NAME_BYTES], struct error *error)
{
    size_t length = strcspn(source, "?");
    size_t begin = name_begin(source, length);
    length -= begin;
    if (length >= ATTACH_NAME_BYTES || strspn(source + begin, "abcdefghijklmnopqrstuvwxyz"
                                                              "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                                              "0123456789.-_@:") < length)
        return error_set(error, "%.200s: this is not how volumes are named", source);
    memcpy(name, source + begin, length);
    name[length] = '\0';
    char *colon = strchr(name, '@') ? NULL : strchr(name, ':');
    if (colon)
        *colon = '@';
    if (length == 0)
        memcpy(name, "default", sizeof("default")); /* NBD's export without a name */
    return 0;
}

static const char *source_of(const struct attach_wish *wish, enum attach_way way)
{
    return way == ATTACH_ISCSI ? wish->iscsi_source : wish->nbd_source;
}

/* The way that is wished, or the first that can be done. */
static int way_choose(const struct attach_wish *wish, enum attach_way *way, struct error *error)
{
    char why[ERROR_TEXT_BYTES] = "";
    size_t used = 0;
    for (int w = ATTACH_ISCSI; w <= ATTACH_FUSE; w++) {
        *way = (enum attach_way)w;
        if (wish->way != ATTACH_ANY && wish->way != *way)
            continue;
        const char *missing = source_of(wish, *way)[0] ? way_of(*way)->missing()
                                                       : "the target does not offer it here";
        if (!missing)
            return 0;
        int length = snprintf(why + used, sizeof(why) - used, "%s%s: %s", used ? "; " : "",
                              attach_way_name(*way), missing);
        used += length > 0 && (size_t)length < sizeof(why) - used ? (size_t)length : 0;
    }
    return error_set(error, "%s", why);
}

/* What is attached under this name, when it still is; a device that went away is forgotten. */
static bool attached(const char *name, struct attachment *a)
{
    if (!state_load(name, a))
        return false;
    if (way_of(a->way)->there(a))
        return true;
    state_forget(name);
    return false;
}

/* A device by NBD whose keeper ended gets another one. */
static int keep(const struct attach_wish *wish, struct attachment *a, struct error *error)
{
    if (a->way != ATTACH_NBD)
        return 0;
    if (a->keeper_fd < 0 && keeper_lock(a, &a->keeper_fd, error))
        return -1;
    if (a->keeper_fd < 0) /* it lives */
        return 0;
    return wish->foreground ? 0 : keeper_start(a, error);
}

static int make(const struct attach_wish *wish, enum attach_way way, struct attachment *a,
                struct error *error)
{
    *a = (struct attachment){.way = way, .read_only = wish->read_only, .keeper_fd = -1};
    snprintf(a->source, sizeof(a->source), "%s", source_of(wish, way));
    if (name_of(a->source, a->name, error))
        return -1;
    /* Before there is a device, for which nobody would care otherwise. */
    if (way == ATTACH_NBD && keeper_lock(a, &a->keeper_fd, error))
        return -1;
    if (way_of(way)->make(wish, a, error))
        return error_prefix(error, "%s", a->name);
    if (state_save(a, error) || keep(wish, a, error)) {
        struct error ignored;
        (void)way_of(way)->undo(a, &ignored);
        state_forget(a->name);
        return -1;
    }
    return 0;
}

int attach_make(const struct attach_wish *wish, struct attachment *a, struct error *error)
{
    char name[ATTACH_NAME_BYTES];
    enum attach_way way;
    const char *source = wish->nbd_source[0] ? wish->nbd_source : wish->iscsi_source;
    if (name_of(source, name, error))
        return -1;
    int lock = state_lock(error);
    if (lock < 0)
        return -1;
    int status;
    if (attached(name, a)) {
        a->found = true;
        bool same = strcmp(a->source, source_of(wish, a->way)) == 0;
        status =
            same ? keep(wish, a, error)
                 : error_set(error, "%s: another volume of this name, %s, is %s; detach it first",
                             name, a->source, a->device);
    } else {
        status = way_choose(wish, &way, error) || make(wish, way, a, error) ? -1 : 0;
    }
    close(lock);
    return status;
}

int attach_undo(const char *name_or_device, struct attachment *a, struct error *error)
{
    int lock = state_lock(error);
    if (lock < 0)
        return -1;
    int status = 0;
    if (!state_find(name_or_device, a))
        status = error_set(error, "%s: not attached by strake", name_or_device);
    else if (way_of(a->way)->there(a))
        status = way_of(a->way)->undo(a, error);
    if (!status)
        state_forget(a->name);
    else
        (void)error_prefix(error, "%s", name_or_device);
    close(lock);
    return status;
}

int device_let_go(const char *device, struct error *error)
{
    int fd = open(device, O_RDONLY | O_EXCL | O_CLOEXEC);
    if (fd < 0)
        return errno == EBUSY ? error_set(error, "%s is in use (mounted?)", device)
                              : error_set_errno(error, errno, "%s", device);
    int status = fsync(fd) ? error_set_errno(error, errno, "%s: not all was written", device) : 0;
    close(fd);
    return status;
}
