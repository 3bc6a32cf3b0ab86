/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots and what describes them, as people read them. */
#include "tools/ctl/ctl.h"

#include <stdio.h>
#include <string.h>

/* "a=1, b=2" */
static void print_labels(json_t *labels)
{
    const char *key;
    json_t *value;
    const char *separator = "";
    json_object_foreach(labels, key, value)
    {
        printf("%s%s=%s", separator, key, json_is_string(value) ? json_string_value(value) : "");
        separator = ", ";
    }
}

void print_description(const json_t *object)
{
    const char *owner = json_text_of(object, "owner");
    const char *message = json_text_of(object, "message");
    json_t *labels = json_object_get(object, "labels");
    const char *origin = json_text_of(object, "origin");
    if (origin[0])
        printf("clone of:  %s\n", origin);
    if (owner[0])
        printf("owner:     %s\n", owner);
    if (json_object_size(labels) > 0) {
        printf("labels:    ");
        print_labels(labels);
        printf("\n");
    }
    if (message[0])
        printf("message:   %s\n", message);
}

void print_space(const json_t *space)
{
    static const struct {
        const char *key;
        const char *text;
    } parts[] = {{"logical_bytes", "allocated"},
                 {"unique_bytes", "its own"},
                 {"shared_bytes", "shared with clones"},
                 {"reclaimable_bytes", "coming back"}};
    if (!json_is_object(space))
        return;
    printf("space:     ");
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        char size[CTL_SIZE_TEXT_BYTES];
        size_format(json_u64_of(space, parts[i].key), size);
        printf("%s%s %s", i ? ", " : "", size, parts[i].text);
    }
    printf(" (each replica)\n");
}

void print_snapshots(const json_t *snapshots)
{
    size_t i;
    const json_t *snapshot;
    printf("%-28s %-23s %-10s %-8s %-19s %s\n", "NAME", "CREATED", "SIZE", "READERS", "DIGEST",
           "LABELS, MESSAGE");
    json_array_foreach(json_object_get(snapshots, "snapshots"), i, snapshot)
    {
        char size[CTL_SIZE_TEXT_BYTES];
        const char *digest = json_text_of(snapshot, "digest");
        const char *message = json_text_of(snapshot, "message");
        json_t *labels = json_object_get(snapshot, "labels");
        size_format(json_u64_of(snapshot, "size_bytes"), size);
        printf("%-28s ", json_text_of(snapshot, "name"));
        print_time("", json_u64_of(snapshot, "created_s"));
        printf(" %-10s %-8llu %-19.19s ", size,
               (unsigned long long)json_u64_of(snapshot, "sessions"), digest[0] ? digest : "-");
        print_labels(labels);
        printf("%s%s\n", json_object_size(labels) > 0 && message[0] ? ", " : "", message);
    }
    if (json_object_get(snapshots, "space"))
        print_space(json_object_get(snapshots, "space"));
}

void print_snapshot(const json_t *snapshot)
{
    char size[CTL_SIZE_TEXT_BYTES];
    const char *digest = json_text_of(snapshot, "digest");
    const json_t *iscsi = json_object_get(snapshot, "iscsi");
    const json_t *uris = json_object_get(json_object_get(snapshot, "nbd"), "uris");
    size_format(json_u64_of(snapshot, "size_bytes"), size);
    printf("name:      %s@%s\n", json_text_of(snapshot, "volume"), json_text_of(snapshot, "name"));
    printf("id:        %s\n", json_text_of(snapshot, "id"));
    printf("size:      %s\n", size);
    print_time("created:   ", json_u64_of(snapshot, "created_s"));
    printf("\n");
    print_description(snapshot);
    if (digest[0])
        printf("digest:    %s\n", digest);
    if (json_array_size(json_object_get(iscsi, "portals")) > 0) {
        printf("iscsi:     %s", json_text_of(iscsi, "iqn"));
        print_texts(" at ", json_object_get(iscsi, "portals"));
    }
    if (json_array_size(uris) > 0)
        print_texts("nbd:       ", uris);
    printf("readers:   %llu\n", (unsigned long long)json_u64_of(snapshot, "sessions"));
}

void print_digest(const json_t *digest)
{
    size_t i;
    const json_t *replica;
    const char *text = json_text_of(digest, "digest");
    printf("%s@%s: %s%s%s\n", json_text_of(digest, "volume"), json_text_of(digest, "name"),
           json_text_of(digest, "state"), text[0] ? ", " : "", text);
    json_array_foreach(json_object_get(digest, "replicas"), i, replica)
        printf("  %-24s %s%s%s\n", json_text_of(replica, "replica"), json_text_of(replica, "state"),
               json_text_of(replica, "digest")[0] ? ", " : "", json_text_of(replica, "digest"));
}

void print_ranges(const json_t *ranges)
{
    char data[CTL_SIZE_TEXT_BYTES];
    char zero[CTL_SIZE_TEXT_BYTES];
    size_t i;
    const json_t *range;
    json_array_foreach(json_object_get(ranges, "ranges"), i, range) printf(
        "%llu %llu %s\n", (unsigned long long)json_u64_of(range, "offset_bytes"),
        (unsigned long long)json_u64_of(range, "length_bytes"), json_text_of(range, "state"));
    size_format(json_u64_of(ranges, "data_bytes"), data);
    size_format(json_u64_of(ranges, "zero_bytes"), zero);
    printf("changed: %s of data, %s became zeros\n", data, zero);
}
