/* SPDX-License-Identifier: Apache-2.0 */
/* Paths of the API for what people call "VOLUME" and "VOLUME@SNAPSHOT". */
#include "tools/ctl/ctl.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

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
    if (!path_append(path, "/v1/volumes/") || !path_escape(path, volume, strlen(volume)) ||
        !path_append(path, tail))
        return ctl_say(CTL_USAGE, "volume name: too long");
    return CTL_OK;
}

int path_snapshot(char path[CTL_URL_BYTES], const char *snapshot, const char *tail)
{
    const char *at = strchr(snapshot, '@');
    if (!at || at == snapshot || !at[1])
        return ctl_say(CTL_USAGE, "snapshot \"%s\": VOLUME@NAME is wanted", snapshot);
    path[0] = '\0';
    if (!path_append(path, "/v1/volumes/") ||
        !path_escape(path, snapshot, (size_t)(at - snapshot)) ||
        !path_append(path, "/snapshots/") || !path_escape(path, at + 1, strlen(at + 1)) ||
        !path_append(path, tail))
        return ctl_say(CTL_USAGE, "snapshot name: too long");
    return CTL_OK;
}

int path_member(char path[CTL_URL_BYTES], const char *volume, const char *member)
{
    int status = path_volume(path, volume, "/members");
    if (status || !member)
        return status;
    if (!path_append(path, "/") || !path_escape(path, member, strlen(member)))
        return ctl_say(CTL_USAGE, "replica \"%.40s...\": too long", member);
    return CTL_OK;
}

int path_query(char path[CTL_URL_BYTES], const char *key, const char *value)
{
    if (!path_append(path, strchr(path, '?') ? "&" : "?") || !path_append(path, key) ||
        !path_append(path, "=") || !path_escape(path, value, strlen(value)))
        return ctl_say(CTL_USAGE, "%s: too long", key);
    return CTL_OK;
}
