/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of the target as people read them. */
#include "tools/ctl/ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *json_text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

uint64_t json_u64_of(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

bool json_flag_of(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

void print_json(const json_t *json)
{
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    ASSERT(text);
    puts(text);
    free(text);
}

void print_time(const char *label, uint64_t seconds)
{
    char text[32];
    time_t when = (time_t)seconds;
    struct tm utc;
    gmtime_r(&when, &utc);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &utc);
    printf("%s%s UTC", label, text);
}

/* "a, b, c" of an array of texts. */
void print_texts(const char *label, const json_t *texts)
{
    size_t i;
    const json_t *text;
    printf("%s", label);
    if (json_array_size(texts) == 0)
        printf("-");
    json_array_foreach(texts, i, text) printf("%s%s", i ? ", " : "", json_string_value(text));
    printf("\n");
}

/* ---- the target ---- */

static void print_replica(const json_t *replica)
{
    char free_text[CTL_SIZE_TEXT_BYTES];
    char total_text[CTL_SIZE_TEXT_BYTES];
    size_format(json_u64_of(replica, "free_bytes"), free_text);
    size_format(json_u64_of(replica, "total_bytes"), total_text);
    if (json_flag_of(replica, "up"))
        printf("  %-24s up, %s of %s free\n", json_text_of(replica, "address"), free_text,
               total_text);
    else
        printf("  %-24s down (%s)\n", json_text_of(replica, "address"),
               json_text_of(replica, "why"));
}

void print_status(const json_t *status)
{
    size_t i;
    const json_t *replica;
    const json_t *listeners = json_object_get(status, "listeners");
    const json_t *connections = json_object_get(status, "connections");
    const json_t *volumes = json_object_get(status, "volumes");
    uint64_t uptime_s = json_u64_of(status, "uptime_s");
    printf("target:    version %s, pid %llu, for %llud %02llu:%02llu:%02llu\n",
           json_text_of(status, "version"), (unsigned long long)json_u64_of(status, "pid"),
           (unsigned long long)(uptime_s / 86400), (unsigned long long)(uptime_s / 3600 % 24),
           (unsigned long long)(uptime_s / 60 % 60), (unsigned long long)(uptime_s % 60));
    print_texts("iscsi:     ", json_object_get(listeners, "iscsi"));
    print_texts("nbd:       ", json_object_get(listeners, "nbd"));
    printf("clients:   %llu iscsi, %llu nbd\n",
           (unsigned long long)json_u64_of(connections, "iscsi"),
           (unsigned long long)json_u64_of(connections, "nbd"));
    printf("volumes:   %llu, %llu serving, %llu deleted\n",
           (unsigned long long)json_u64_of(volumes, "total"),
           (unsigned long long)json_u64_of(volumes, "serving"),
           (unsigned long long)json_u64_of(volumes, "deleted"));
    uint64_t limit = json_u64_of(status, "resync_limit_bytes_per_s");
    char limit_text[CTL_SIZE_TEXT_BYTES];
    size_format(limit, limit_text);
    printf("resync:    %s%s%s\n", limit ? "at most " : "as fast as it goes",
           limit ? limit_text : "", limit ? " a second" : "");
    printf("replicas:\n");
    json_array_foreach(json_object_get(status, "replicas"), i, replica) print_replica(replica);
}

void print_events(const json_t *status)
{
    size_t i;
    const json_t *event;
    json_array_foreach(json_object_get(status, "events"), i, event)
    {
        print_time("", json_u64_of(event, "time_ms") / 1000);
        printf("  %s%s: %s\n", json_flag_of(event, "warn") ? "! " : "",
               json_text_of(event, "subject"), json_text_of(event, "text"));
    }
}

void print_sessions(const json_t *sessions)
{
    size_t i;
    const json_t *session;
    printf("%-6s %-6s %-22s %-24s %-9s %-23s %s\n", "ID", "PROTO", "PEER", "VOLUME", "IN-FLIGHT",
           "SINCE", "CLIENT");
    json_array_foreach(json_object_get(sessions, "sessions"), i, session)
    {
        const char *volume = json_text_of(session, "volume");
        const char *client = json_text_of(session, "client");
        printf("%-6llu %-6s %-22s %-24s %-9llu ", (unsigned long long)json_u64_of(session, "id"),
               json_text_of(session, "protocol"), json_text_of(session, "peer"),
               volume[0] ? volume : "-", (unsigned long long)json_u64_of(session, "in_flight"));
        print_time("", json_u64_of(session, "since_s"));
        printf(" %s\n", client[0] ? client : "-");
    }
}

/* ---- volumes ---- */

/* "2/3" of those that keep data. */
static void in_sync_format(const json_t *members, char *text, size_t size)
{
    size_t in_sync = 0;
    size_t count = 0;
    size_t i;
    const json_t *member;
    json_array_foreach(members, i, member)
    {
        in_sync += json_flag_of(member, "in_sync");
        count += strcmp(json_text_of(member, "kind"), "witness") != 0;
    }
    snprintf(text, size, "%zu/%zu", in_sync, count);
}

void print_volumes(const json_t *volumes)
{
    size_t i;
    const json_t *volume;
    printf("%-24s %-10s %-11s %-8s %-8s %s\n", "NAME", "SIZE", "STATE", "IN-SYNC", "CLIENTS", "ID");
    json_array_foreach(json_object_get(volumes, "volumes"), i, volume)
    {
        char size[CTL_SIZE_TEXT_BYTES];
        char in_sync[32];
        const json_t *members = json_object_get(volume, "members");
        size_format(json_u64_of(volume, "size_bytes"), size);
        in_sync_format(members, in_sync, sizeof(in_sync));
        printf("%-24s %-10s %-11s %-8s %-8llu %s\n", json_text_of(volume, "name"), size,
               json_text_of(volume, "state"), in_sync,
               (unsigned long long)json_u64_of(volume, "sessions"), json_text_of(volume, "id"));
    }
}

/* Of a deleted volume. */
static void print_was(const json_t *was)
{
    size_t i;
    const json_t *snapshot;
    print_description(was);
    json_array_foreach(json_object_get(was, "newest"), i, snapshot)
    {
        const char *digest = json_text_of(snapshot, "digest");
        print_time("snapshot:  ", json_u64_of(snapshot, "created_s"));
        printf("  %s%s%s\n", json_text_of(snapshot, "name"), digest[0] ? ", " : "", digest);
    }
}

static void print_limits(const json_t *limits)
{
    char size[CTL_SIZE_TEXT_BYTES];
    uint64_t iops = json_u64_of(limits, "iops");
    uint64_t bytes = json_u64_of(limits, "bytes_per_s");
    if (!iops && !bytes)
        return;
    size_format(bytes, size);
    printf("limits:    ");
    if (iops)
        printf("%llu reads and writes%s", (unsigned long long)iops, bytes ? ", " : "");
    if (bytes)
        printf("%s", size);
    printf(" a second, burst %llu s\n", (unsigned long long)json_u64_of(limits, "burst_s"));
}

void print_volume(const json_t *volume)
{
    char size[CTL_SIZE_TEXT_BYTES];
    const char *why = json_text_of(volume, "why");
    const json_t *iscsi = json_object_get(volume, "iscsi");
    const json_t *members = json_object_get(volume, "members");
    size_format(json_u64_of(volume, "size_bytes"), size);
    printf("name:      %s\n", json_text_of(volume, "name"));
    printf("id:        %s\n", json_text_of(volume, "id"));
    printf("state:     %s", json_text_of(volume, "state"));
    if (why[0])
        printf(" (%s)", why);
    if (json_object_get(volume, "waits_ms"))
        printf(", writes wait for %.1f s", (double)json_u64_of(volume, "waits_ms") / 1000);
    printf("\n");
    printf("size:      %s, in blocks of %llu bytes\n", size,
           (unsigned long long)json_u64_of(volume, "block_bytes"));
    print_time("created:   ", json_u64_of(volume, "created_s"));
    printf("\n");
    print_description(volume);
    if (json_object_get(volume, "was"))
        print_was(json_object_get(volume, "was"));
    print_limits(json_object_get(volume, "limits"));
    print_space(json_object_get(volume, "space"));
    if (json_array_size(json_object_get(iscsi, "portals")) > 0) {
        printf("iscsi:     %s", json_text_of(iscsi, "iqn"));
        print_texts(" at ", json_object_get(iscsi, "portals"));
    }
    const json_t *uris = json_object_get(json_object_get(volume, "nbd"), "uris");
    if (json_array_size(uris) > 0)
        print_texts("nbd:       ", uris);
    if (iscsi)
        printf("clients:   %llu\n", (unsigned long long)json_u64_of(volume, "sessions"));
    if (json_array_size(members) > 0)
        printf("replicas:\n");
    print_members(members);
    if (json_object_get(volume, "scrub"))
        print_scrub(json_object_get(volume, "scrub"));
}
