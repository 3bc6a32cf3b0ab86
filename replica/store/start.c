/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The map of a pool that is being opened. A volume is in the map before it has files and after it
 * had them: what is in the map alone is forgotten here; and so are files of families that the map
 * has forgotten.
 */
#include "replica/store/start.h"

#include "replica/store/family.h"
#include "replica/store/files.h"
#include "replica/store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct forgotten {
    struct store *store;
    struct uuid *volumes; /* owned */
    uint32_t count;
    uint32_t capacity;
};

static void see_volume(void *arg, const struct uuid *volume, uint32_t family)
{
    (void)family;
    struct forgotten *forgotten = arg;
    char name[UUID_TEXT_BYTES];
    uuid_format(volume, name);
    if (faccessat(forgotten->store->directory.volumes_fd, name, F_OK, 0) == 0)
        return;
    if (forgotten->count == forgotten->capacity) {
        forgotten->capacity = forgotten->capacity ? forgotten->capacity * 2 : 16;
        forgotten->volumes =
            realloc(forgotten->volumes, forgotten->capacity * sizeof(*forgotten->volumes));
        ASSERT(forgotten->volumes);
    }
    forgotten->volumes[forgotten->count++] = *volume;
}

static int clear_family(void *arg, int dir_fd, const char *name)
{
    const struct store *store = arg;
    char *end;
    unsigned long family = strtoul(name, &end, 16);
    if (strlen(name) != 8 || *end != '\0' || family > UINT32_MAX)
        return 0; /* nothing of ours */
    if (map_family_exists(store->map, (uint32_t)family))
        return 0;
    return family_remove(dir_fd, (uint32_t)family);
}

static int sync_file(void *arg, int dir_fd, const char *name)
{
    (void)arg;
    int fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = fdatasync(fd) < 0 ? -errno : 0;
    close(fd);
    return rc;
}

/* What a killed process wrote, before the map takes its word for it. */
static int sync_family(void *arg, uint32_t family)
{
    const struct store *store = arg;
    char name[16];
    snprintf(name, sizeof(name), "%08x", family);
    int fd = openat(store->directory.data_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    int rc = folder_each(fd, sync_file, NULL);
    close(fd);
    return rc;
}

int start_map(struct store *store, const char *directory, struct error *error)
{
    const struct map_settings settings = {
        .directory = directory, .boot = store->boot, .sync = sync_family, .arg = store};
    store->map = map_open(&settings, error);
    if (!store->map)
        return error_prefix(error, "pool %s", directory);
    struct forgotten forgotten = {.store = store};
    map_volume_each(store->map, see_volume, &forgotten);
    int rc = 0;
    for (uint32_t i = 0; i < forgotten.count && rc == 0; i++) {
        uint32_t family;
        rc = map_volume_delete(store->map, &forgotten.volumes[i], &family);
    }
    free(forgotten.volumes);
    if (rc == 0)
        rc = folder_each(store->directory.data_fd, clear_family, store);
    if (rc == 0)
        return 0;
    map_close(store->map);
    return error_set_errno(error, rc, "pool %s: cannot clear unfinished work", directory);
}
