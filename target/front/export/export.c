/* SPDX-License-Identifier: Apache-2.0 */
/* The catalogue of exports: names in, exports out. */
#include "target/front/export/export.h"

#include <string.h>

static char ascii_lower(char c)
{
    if (c < 'A' || c > 'Z')
        return c;
    return (char)(c - 'A' + 'a');
}

static bool equal_in_lower_case(const char *text, const char *lower, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (ascii_lower(text[i]) != lower[i])
            return false;
    }
    return true;
}

void exports_init(struct exports *exports, const char *iqn_prefix)
{
    size_t length = strlen(iqn_prefix);
    ASSERT(length > 0 && length < sizeof(exports->iqn_prefix));
    *exports = (struct exports){0};
    list_init(&exports->list);
    for (size_t i = 0; i < length; i++)
        exports->iqn_prefix[i] = ascii_lower(iqn_prefix[i]);
}

static struct export *exports_named(struct exports *exports, const char *name, size_t length)
{
    LIST_FOR_EACH (node, &exports->list) {
        struct export *export = CONTAINER_OF(node, struct export, node);
        if (!export->gone && strlen(export->name) == length &&
            memcmp(export->name, name, length) == 0)
            return export;
    }
    return NULL;
}

struct export *exports_find(struct exports *exports, const char *name, size_t length)
{
    if (length == 0 || length >= EXPORT_NAME_BYTES)
        return NULL;
    /* Asked first, so that it knows what is in use. */
    if (exports->wanted && memchr(name, '@', length))
        return exports->wanted(exports->wanted_owner, name, length);
    return exports_named(exports, name, length);
}

struct export *exports_only(struct exports *exports)
{
    struct export *only = NULL;
    LIST_FOR_EACH (node, &exports->list) {
        struct export *export = CONTAINER_OF(node, struct export, node);
        if (export->gone || export->generation)
            continue;
        if (only)
            return NULL;
        only = export;
    }
    return only;
}

struct export *exports_find_iqn(struct exports *exports, const char *iqn, size_t length)
{
    size_t prefix = strlen(exports->iqn_prefix);
    if (length <= prefix + 1 || length - prefix - 1 >= EXPORT_NAME_BYTES)
        return NULL;
    if (!equal_in_lower_case(iqn, exports->iqn_prefix, prefix) || iqn[prefix] != ':')
        return NULL;
    char name[EXPORT_NAME_BYTES];
    size_t name_length = length - prefix - 1;
    for (size_t i = 0; i < name_length; i++)
        name[i] = ascii_lower(iqn[prefix + 1 + i]);
    char *colon = memchr(name, ':', name_length);
    if (memchr(name, '@', name_length))
        return NULL;
    if (colon)
        *colon = '@';
    return exports_find(exports, name, name_length);
}

void export_iqn(const struct exports *exports, const char *name, char iqn[IQN_BYTES])
{
    size_t prefix = strlen(exports->iqn_prefix);
    size_t length = strlen(name);
    ASSERT(prefix + 1 + length < IQN_BYTES);
    memcpy(iqn, exports->iqn_prefix, prefix);
    iqn[prefix] = ':';
    memcpy(iqn + prefix + 1, name, length + 1);
    char *at = strchr(iqn + prefix + 1, '@');
    if (at)
        *at = ':';
}

static bool letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

const char *export_name_invalid(const char *name)
{
    size_t length = strlen(name);
    if (length == 0)
        return "the name is empty";
    if (length >= EXPORT_VOLUME_BYTES)
        return "the name is longer than 63 characters";
    if (!letter_or_digit(name[0]))
        return "the name does not begin with a lower-case letter or a digit";
    for (size_t i = 0; i < length; i++) {
        if (!letter_or_digit(name[i]) && name[i] != '.' && name[i] != '-')
            return "the name has other characters than lower-case letters, digits, '.' and '-'";
    }
    return NULL;
}
