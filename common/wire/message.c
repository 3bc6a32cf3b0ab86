/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of the replication protocol's frames. Every value has one encoding alone: what decodes
 * encodes to the same bytes again.
 */
#include "common/wire/message.h"

enum {
    MEMBER_BYTES = UUID_BYTES + 3,
    CONFIG_FIXED_BYTES =
        UUID_BYTES + VOLUME_NAME_BYTES + 8 + 4 + 8 + 8 + UUID_BYTES + 8 + 8 + 1 + 1 + 1,
    OPENED_FIXED_BYTES = 8 + UUID_BYTES + 1 + 1 + 4 * 8 + LINEAGE_BYTES,
    CREATE_FIXED_BYTES = 2 * UUID_BYTES + 8,
    CONFIG_SIZE_BITS = 63, /* volumes are shorter than 2^63 bytes: offsets fit the kernel's */
};

STATIC_ASSERT(CONFIG_FIXED_BYTES + MEMBERS_MAX * MEMBER_BYTES <= CONFIG_BYTES_MAX,
              "the longest configuration keeps its limit");
STATIC_ASSERT(OPENED_FIXED_BYTES + CONFIG_BYTES_MAX <= MESSAGE_BYTES_MAX &&
                  CREATE_FIXED_BYTES + CONFIG_BYTES_MAX <= MESSAGE_BYTES_MAX,
              "the longest message keeps its limit");

static void bool_encode(struct writer *w, bool value)
{
    write_u8(w, value ? 1 : 0);
}

static bool bool_decode(struct reader *r)
{
    uint8_t value = read_u8(r);
    if (value > 1)
        r->bad = true;
    return value == 1;
}

static void uuid_encode(struct writer *w, const struct uuid *uuid)
{
    write_bytes(w, uuid->bytes, UUID_BYTES);
}

static void uuid_decode(struct reader *r, struct uuid *uuid)
{
    read_copy(r, uuid->bytes, UUID_BYTES);
}

/* Text in a field of fixed width: printable ASCII, then at least one zero up to the end. */
static void text_encode(struct writer *w, const char *text, size_t width)
{
    size_t length = strnlen(text, width);
    ASSERT(length < width);
    write_bytes(w, text, length);
    write_zeros(w, width - length);
}

static void text_decode(struct reader *r, char *text, size_t width)
{
    read_copy(r, text, width);
    size_t length = strnlen(text, width);
    if (length == width) {
        r->bad = true;
        text[0] = 0;
        return;
    }
    for (size_t i = 0; i < width; i++) {
        bool printable = text[i] >= ' ' && text[i] <= '~';
        if (i < length ? !printable : text[i] != 0)
            r->bad = true;
    }
}

static void member_encode(struct writer *w, const struct member *member)
{
    uuid_encode(w, &member->uuid);
    write_u8(w, (uint8_t)member->kind);
    bool_encode(w, member->in_sync);
    bool_encode(w, member->leaving);
}

static void member_decode(struct reader *r, struct member *member)
{
    uuid_decode(r, &member->uuid);
    uint8_t kind = read_u8(r);
    if (kind != MEMBER_DATA && kind != MEMBER_WITNESS)
        r->bad = true;
    member->kind = kind == MEMBER_WITNESS ? MEMBER_WITNESS : MEMBER_DATA;
    member->in_sync = bool_decode(r);
    member->leaving = bool_decode(r);
}

void config_encode(struct writer *w, const struct config *config)
{
    ASSERT(config->member_count <= MEMBERS_MAX);
    uuid_encode(w, &config->volume);
    text_encode(w, config->name, sizeof(config->name));
    write_u64(w, config->size_bytes);
    write_u32(w, config->block_bytes);
    write_u64(w, config->epoch);
    write_u64(w, config->version);
    uuid_encode(w, &config->controller);
    write_u64(w, config->base_checkpoint);
    write_u64(w, config->created_s);
    write_u8(w, config->min_in_sync);
    bool_encode(w, config->deleted);
    write_u8(w, config->member_count);
    for (int i = 0; i < config->member_count; i++)
        member_encode(w, &config->members[i]);
}

void config_decode(struct reader *r, struct config *config)
{
    *config = (struct config){0};
    uuid_decode(r, &config->volume);
    text_decode(r, config->name, sizeof(config->name));
    config->size_bytes = read_u64(r);
    config->block_bytes = read_u32(r);
    config->epoch = read_u64(r);
    config->version = read_u64(r);
    uuid_decode(r, &config->controller);
    config->base_checkpoint = read_u64(r);
    config->created_s = read_u64(r);
    config->min_in_sync = read_u8(r);
    config->deleted = bool_decode(r);
    config->member_count = read_u8(r);
    if (config->member_count > MEMBERS_MAX) {
        r->bad = true;
        config->member_count = 0;
    }
    for (int i = 0; i < config->member_count; i++)
        member_decode(r, &config->members[i]);
}

void message_greet_encode(struct writer *w, const struct message_greet *greet)
{
    write_u32(w, greet->version_min);
    write_u32(w, greet->version_max);
    uuid_encode(w, &greet->process);
    text_encode(w, greet->software, sizeof(greet->software));
}

void message_greet_decode(struct reader *r, struct message_greet *greet)
{
    greet->version_min = read_u32(r);
    greet->version_max = read_u32(r);
    if (greet->version_min > greet->version_max)
        r->bad = true;
    uuid_decode(r, &greet->process);
    text_decode(r, greet->software, sizeof(greet->software));
}

static void epitaph_encode(struct writer *w, const struct epitaph *epitaph)
{
    write_u32(w, epitaph->length_bytes);
    if (epitaph->length_bytes)
        write_bytes(w, epitaph->bytes, epitaph->length_bytes);
}

static void epitaph_decode(struct reader *r, const struct config *config, struct epitaph *epitaph)
{
    epitaph->length_bytes = read_u32(r);
    epitaph->bytes = NULL;
    if (epitaph->length_bytes > (config->deleted ? EPITAPH_BYTES_MAX : 0))
        r->bad = true;
    else if (epitaph->length_bytes)
        epitaph->bytes = read_bytes(r, epitaph->length_bytes);
}

void message_volume_encode(struct writer *w, const struct message_volume *volume)
{
    uuid_encode(w, &volume->member);
    bool_encode(w, volume->failed);
    config_encode(w, &volume->config);
    epitaph_encode(w, &volume->epitaph);
}

void message_volume_decode(struct reader *r, struct message_volume *volume)
{
    uuid_decode(r, &volume->member);
    volume->failed = bool_decode(r);
    config_decode(r, &volume->config);
    epitaph_decode(r, &volume->config, &volume->epitaph);
}

void message_create_encode(struct writer *w, const struct message_create *create)
{
    uuid_encode(w, &create->member);
    uuid_encode(w, &create->origin);
    write_u64(w, create->origin_generation);
    config_encode(w, &create->config);
}

void message_create_decode(struct reader *r, struct message_create *create)
{
    uuid_decode(r, &create->member);
    uuid_decode(r, &create->origin);
    create->origin_generation = read_u64(r);
    if (uuid_is_zero(&create->origin) != (create->origin_generation == 0))
        r->bad = true;
    config_decode(r, &create->config);
}

void message_delete_encode(struct writer *w, const struct message_delete *del)
{
    write_bytes(w, del->member.bytes, UUID_BYTES);
    config_encode(w, &del->config);
    epitaph_encode(w, &del->epitaph);
}

void message_delete_decode(struct reader *r, struct message_delete *del)
{
    read_copy(r, del->member.bytes, UUID_BYTES);
    config_decode(r, &del->config);
    epitaph_decode(r, &del->config, &del->epitaph);
    bool one = !uuid_is_zero(&del->member);
    if (!r->bad && one && config_member_idx(&del->config, &del->member) >= 0)
        r->bad = true;
    r->bad = r->bad || del->config.deleted == one;
}

void message_health_encode(struct writer *w, const struct message_health *health)
{
    write_u64(w, health->free_bytes);
    write_u64(w, health->total_bytes);
}

void message_health_decode(struct reader *r, struct message_health *health)
{
    health->free_bytes = read_u64(r);
    health->total_bytes = read_u64(r);
}

void message_open_encode(struct writer *w, const struct message_open *open)
{
    uuid_encode(w, &open->volume);
    uuid_encode(w, &open->member);
    write_u64(w, open->epoch);
    uuid_encode(w, &open->controller);
    uuid_encode(w, &open->dead);
}

void message_open_decode(struct reader *r, struct message_open *open)
{
    uuid_decode(r, &open->volume);
    uuid_decode(r, &open->member);
    open->epoch = read_u64(r);
    uuid_decode(r, &open->controller);
    uuid_decode(r, &open->dead);
}

void message_opened_encode(struct writer *w, const struct message_opened *opened)
{
    write_u64(w, opened->promised_epoch);
    uuid_encode(w, &opened->promised_controller);
    bool_encode(w, opened->lossy);
    bool_encode(w, opened->failed);
    write_u64(w, opened->done_checkpoint);
    write_u64(w, opened->base_checkpoint);
    write_u64(w, opened->doubt_bytes);
    write_u64(w, opened->dirty_bytes);
    lineage_encode(w, &opened->lineage);
    config_encode(w, &opened->config);
}

void message_opened_decode(struct reader *r, struct message_opened *opened)
{
    opened->promised_epoch = read_u64(r);
    uuid_decode(r, &opened->promised_controller);
    opened->lossy = bool_decode(r);
    opened->failed = bool_decode(r);
    opened->done_checkpoint = read_u64(r);
    opened->base_checkpoint = read_u64(r);
    opened->doubt_bytes = read_u64(r);
    opened->dirty_bytes = read_u64(r);
    lineage_decode(r, &opened->lineage);
    config_decode(r, &opened->config);
}

int config_compare(const struct config *a, const struct config *b)
{
    if (a->epoch != b->epoch)
        return a->epoch < b->epoch ? -1 : 1;
    if (a->version != b->version)
        return a->version < b->version ? -1 : 1;
    return 0;
}

int config_member_idx(const struct config *config, const struct uuid *member)
{
    ASSERT(config->member_count <= MEMBERS_MAX);
    for (int i = 0; i < config->member_count; i++) {
        if (uuid_equal(&config->members[i].uuid, member))
            return i;
    }
    return -1;
}

static const char *name_invalid(const char name[VOLUME_NAME_BYTES])
{
    size_t length = strnlen(name, VOLUME_NAME_BYTES);
    if (length == 0)
        return "the name is empty";
    if (length == VOLUME_NAME_BYTES)
        return "the name is too long";
    for (size_t i = 0; i < length; i++) {
        char c = name[i];
        bool alphanumeric =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && (i == 0 || !strchr("._:-", c)))
            return "the name has other than letters, digits and (not first) . _ : -";
    }
    return NULL;
}

static const char *members_invalid(const struct config *config)
{
    int data_count = 0;
    int in_sync_count = 0;
    if (config->member_count == 0 || config->member_count > MEMBERS_MAX)
        return "no members, or too many";
    for (int i = 0; i < config->member_count; i++) {
        const struct member *member = &config->members[i];
        if (uuid_is_zero(&member->uuid))
            return "a member has no identity";
        if (config_member_idx(config, &member->uuid) != i)
            return "a member is there twice";
        if (member->kind == MEMBER_WITNESS && member->in_sync)
            return "a witness holds no data to be in sync with";
        data_count += member->kind == MEMBER_DATA;
        in_sync_count += member->in_sync;
    }
    if (in_sync_count == 0)
        return "no member is in sync";
    if (config->min_in_sync == 0 || config->min_in_sync > data_count)
        return "the least number of members in sync is 0, or more than hold data";
    return NULL;
}

const char *config_invalid(const struct config *config)
{
    if (uuid_is_zero(&config->volume))
        return "the volume has no identity";
    if (config->block_bytes != 512 && config->block_bytes != 4096)
        return "the logical block is neither 512 nor 4096 bytes";
    if (config->size_bytes == 0 || config->size_bytes % 4096 != 0)
        return "the size is not in whole blocks of 4096 bytes";
    if (config->size_bytes >> CONFIG_SIZE_BITS)
        return "the size is too large";
    const char *why = name_invalid(config->name);
    return why ? why : members_invalid(config);
}
