/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which volumes this target serves. A volume has one target at a time, so several targets with the
 * same replicas, one in each pod or one for each core, divide the volumes among them: by name, by
 * identity, or both.
 */
#include "target/control/state.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

bool share_has_name(const struct control_share *share, const char *name)
{
    const char *rest = share->names;
    if (!rest || !rest[0])
        return true;
    while (rest[0]) {
        char pattern[EXPORT_NAME_BYTES];
        size_t length = strcspn(rest, ",");
        int put = snprintf(pattern, sizeof(pattern), "%.*s", (int)length, rest);
        if (put > 0 && (size_t)put < sizeof(pattern) && fnmatch(pattern, name, 0) == 0)
            return true;
        rest += length + (rest[length] == ',');
    }
    return false;
}

/* The identity is random, so its last bytes divide evenly. */
static bool share_has_id(const struct control_share *share, const struct uuid *id)
{
    if (share->count <= 1)
        return true;
    struct reader r = reader_of(id->bytes + UUID_BYTES - 4, 4);
    return read_u32(&r) % share->count == share->number - 1;
}

const char *share_lacks(const struct control_share *share, const char *name, const struct uuid *id)
{
    if (!share_has_name(share, name))
        return "it is not among the volumes that this target serves (--volumes)";
    if (!share_has_id(share, id))
        return "another target serves it (--share)";
    return NULL;
}

bool id_new(struct uuid *id)
{
    uint8_t random[UUID_BYTES];
    if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
        return false;
    *id = uuid_from_random(random);
    return true;
}

bool id_new_member(const struct peer *peer, struct uuid *id)
{
    if (!id_new(id))
        return false;
    peer_pin(peer, id);
    return true;
}

bool share_new_id(const struct control_share *share, struct uuid *id)
{
    do {
        if (!id_new(id))
            return false;
    } while (!share_has_id(share, id));
    return true;
}
