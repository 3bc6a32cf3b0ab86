/* SPDX-License-Identifier: Apache-2.0 */
/* What is attached, as files. */
#include "tools/attach/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static void directory_of(char path[ATTACH_PATH_BYTES])
{
    const char *run = getenv("XDG_RUNTIME_DIR");
    snprintf(path, ATTACH_PATH_BYTES, "%s/strake/attach", run && run[0] ? run : "/run");
}

static void directory_make(void)
{
    char path[ATTACH_PATH_BYTES];
    directory_of(path);
    char *slash = strrchr(path, '/');
    *slash = '\0';
    (void)mkdir(path, 0700);
    *slash = '/';
    (void)mkdir(path, 0700);
}

void state_path(const char *name, const char *kind, char path[ATTACH_PATH_BYTES])
{
    char directory[ATTACH_PATH_BYTES];
    directory_of(directory);
    int length = snprintf(path, ATTACH_PATH_BYTES, "%s/%s.%s", directory, name, kind);
    if (length < 0 || length >= ATTACH_PATH_BYTES)
        path[0] = '\0'; /* opening it fails, and says so */
}

int state_lock(struct error *error)
{
    char path[ATTACH_PATH_BYTES];
    directory_make();
    state_path("all", "lock", path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(error, errno, "attachments: %s", path);
    while (flock(fd, LOCK_EX)) {
        if (errno == EINTR)
            continue;
        close(fd);
        return error_set_errno(error, errno, "attachments: %s", path);
    }
    return fd;
}

int state_save(const struct attachment *a, struct error *error)
{
    char path[ATTACH_PATH_BYTES];
    char fresh[ATTACH_PATH_BYTES];
    state_path(a->name, "json", path);
    state_path(a->name, "new", fresh);
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:b}", "volume", a->name, "way",
                  attach_way_name(a->way), "source", a->source, "device", a->device, "connections",
                  (int)a->connections, "timeout_s", (int)a->timeout_s, "read_only", a->read_only);
    int failed = json ? json_dump_file(json, fresh, JSON_COMPACT) : -1;
    json_decref(json);
    if (failed || rename(fresh, path))
        return error_set_errno(error, errno ? errno : EIO, "attachments: %s", path);
    return 0;
}

static bool text_take(const json_t *json, const char *key, char *to, size_t size)
{
    const char *text = json_string_value(json_object_get(json, key));
    if (!text || strlen(text) >= size)
        return false;
    memcpy(to, text, strlen(text) + 1);
    return true;
}

bool state_load(const char *name, struct attachment *a)
{
    char path[ATTACH_PATH_BYTES];
    char way[16];
    *a = (struct attachment){.keeper_fd = -1};
    state_path(name, "json", path);
    json_t *json = json_load_file(path, 0, NULL);
    bool good = json && text_take(json, "volume", a->name, sizeof(a->name)) &&
                text_take(json, "way", way, sizeof(way)) &&
                text_take(json, "source", a->source, sizeof(a->source)) &&
                text_take(json, "device", a->device, sizeof(a->device));
    a->connections = (uint32_t)json_integer_value(json_object_get(json, "connections"));
    a->timeout_s = (uint32_t)json_integer_value(json_object_get(json, "timeout_s"));
    a->read_only = json_is_true(json_object_get(json, "read_only"));
    for (int w = ATTACH_ISCSI; good && w <= ATTACH_FUSE; w++) {
        if (strcmp(way, attach_way_name((enum attach_way)w)) == 0)
            a->way = (enum attach_way)w;
    }
    json_decref(json);
    return good && a->way != ATTACH_ANY;
}

/* Both lead to the same: /dev/disk/by-path/... and /dev/sda. */
static bool same_file(const char *left, const char *right)
{
    char a[PATH_MAX], b[PATH_MAX];
    return realpath(left, a) && realpath(right, b) && strcmp(a, b) == 0;
}

bool state_find(const char *name_or_device, struct attachment *a)
{
    char directory[ATTACH_PATH_BYTES];
    if (!strchr(name_or_device, '/'))
        return state_load(name_or_device, a);
    directory_of(directory);
    DIR *dir = opendir(directory);
    bool found = false;
    for (struct dirent *entry; dir && !found && (entry = readdir(dir)) != NULL;) {
        char *dot = strrchr(entry->d_name, '.');
        if (!dot || strcmp(dot, ".json") != 0)
            continue;
        *dot = '\0';
        found = state_load(entry->d_name, a) &&
                (strcmp(a->device, name_or_device) == 0 || same_file(a->device, name_or_device));
    }
    if (dir)
        closedir(dir);
    return found;
}

void state_forget(const char *name)
{
    char path[ATTACH_PATH_BYTES];
    static const char *const kinds[] = {"json", "keeper", "log"};
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        state_path(name, kinds[i], path);
        (void)unlink(path);
    }
}
