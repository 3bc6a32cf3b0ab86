/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of the API for what people call "VOLUME" and "VOLUME@SNAPSHOT". */
#include "tools/ctl/ctl.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum {
    NAME_BYTES_MAX = 80,    /* of a volume or a snapshot, which may be "sha256:" and 64 digits */
    MEMBER_BYTES_MAX = 120, /* an id, or an address; only that of unix:PATH has slashes */
};

/*
 * A server takes a path apart after "%2F" became a slash, follows ".." in it, and may end it at a
 * control character: such a name would be that of something else.
 */
static bool name_is_one(const char *name, size_t length, bool slashes)
{
    size_t begin = 0;
    for (size_t i = 0; i <= length; i++) {
        if (i < length && (iscntrl((unsigned char)name[i]) || (name[i] == '/' && !slashes)))
            return false;
        if (i < length && name[i] != '/')
            continue;
        size_t part = i - begin;
        if (part > 0 && part <= 2 && memcmp(name + begin, "..", part) == 0)
            return false;
        begin = i + 1;
    }
    return length > 0 && length <= (slashes ? MEMBER_BYTES_MAX : NAME_BYTES_MAX);
}

/* Appends text, escaped where it is not plain (RFC 3986 section 2.3). False: no room. */
static bool path_escape(char path[CTL_URL_BYTES], const char *text, size_t length)
{
    size_t used = strlen(path);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
        if (used + 4 > CTL_URL_BYTES)
            return false;
        used += (size_t)snprintf(path + used, 4, plain ? "%c" : "%%%02X", c);
    }
    return true;
}

static bool path_append(char path[CTL_URL_BYTES], const char *text)
{
    size_t used = strlen(path);
    int length = snprintf(path + used, CTL_URL_BYTES - used, "%s", text);
    return length >= 0 && (size_t)length < CTL_URL_BYTES - used;
}

int path_volume(char path[CTL_URL_BYTES], const char *volume, const char *tail)
{
    path[0] = '\0';
    if (!name_is_one(volume, strlen(volume), false) || !path_append(path, "/v1/volumes/") ||
        !path_escape(path, volume, strlen(volume)) || !path_append(path, tail))
        return ctl_say(CTL_USAGE, "volume \"%.100s\": no volume can have this name", volume);
    return CTL_OK;
}

int path_snapshot(char path[CTL_URL_BYTES], const char *snapshot, const char *tail)
{
    const char *at = strchr(snapshot, '@');
    if (!at || at == snapshot || !at[1])
        return ctl_say(CTL_USAGE, "snapshot \"%.100s\": VOLUME@NAME is wanted", snapshot);
    size_t volume_length = (size_t)(at - snapshot);
    size_t length = strlen(at + 1);
    path[0] = '\0';
    if (!name_is_one(snapshot, volume_length, false) || !name_is_one(at + 1, length, false) ||
        !path_append(path, "/v1/volumes/") || !path_escape(path, snapshot, volume_length) ||
        !path_append(path, "/snapshots/") || !path_escape(path, at + 1, length) ||
        !path_append(path, tail))
        return ctl_say(CTL_USAGE, "snapshot \"%.180s\": no snapshot can have this name", snapshot);
    return CTL_OK;
}

int path_member(char path[CTL_URL_BYTES], const char *volume, const char *member)
{
    int status = path_volume(path, volume, "/members");
    if (status || !member)
        return status;
    if (!name_is_one(member, strlen(member), true) || !path_append(path, "/") ||
        !path_escape(path, member, strlen(member)))
        return ctl_say(CTL_USAGE, "replica \"%.140s\": no address or id", member);
    return CTL_OK;
}

int path_query(char path[CTL_URL_BYTES], const char *key, const char *value)
{
    if (!path_append(path, strchr(path, '?') ? "&" : "?") || !path_append(path, key) ||
        !path_append(path, "=") || !path_escape(path, value, strlen(value)))
        return ctl_say(CTL_USAGE, "%s: too long", key);
    return CTL_OK;
}
