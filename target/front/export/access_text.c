/* SPDX-License-Identifier: Apache-2.0 */
/* The text of access rules: sections and NAME = VALUE lines, described in access.h. */
#include "target/front/export/access_text.h"

#include <stdlib.h>
#include <string.h>

enum { NBD_BY_DEFAULT, NBD_YES, NBD_NO };

/* A text being read. */
struct parse {
    struct access *access;
    struct access_rule *rule; /* the section; NULL before the first */
    int nbd;                  /* what the section says of NBD */
    access_read_fn *read_file;
    void *arg;
    struct error *error;
};

static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]))
        text[--length] = '\0';
    return text;
}

static int text_set(struct parse *parse, char *to, size_t size, const char *name, const char *value)
{
    if (!value[0])
        return error_set(parse->error, "%s: the value is empty", name);
    if (strlen(value) >= size)
        return error_set(parse->error, "%s: longer than %zu characters", name, size - 1);
    memcpy(to, value, strlen(value) + 1);
    return 0;
}

/* ---- values ---- */

static int initiator_add(struct parse *parse, char *value)
{
    struct access_rule *rule = parse->rule;
    if (rule->initiator_count == ACCESS_PATTERNS_MAX)
        return error_set(parse->error, "initiators: more than %d", ACCESS_PATTERNS_MAX);
    char *to = rule->initiators[rule->initiator_count];
    if (text_set(parse, to, IQN_BYTES, "initiators", value))
        return -1;
    rule->initiator_count++;
    return 0;
}

static int identity_add(struct parse *parse, char *value)
{
    struct access_rule *rule = parse->rule;
    if (rule->identity_count == ACCESS_PATTERNS_MAX)
        return error_set(parse->error, "tls: more than %d", ACCESS_PATTERNS_MAX);
    if (text_set(parse, rule->identities[rule->identity_count], ACCESS_IDENTITY_BYTES, "tls",
                 value))
        return -1;
    rule->identity_count++;
    return 0;
}

static int prefix_parse(const char *text, uint8_t max, uint8_t *bits)
{
    size_t length = strlen(text);
    if (length == 0 || length > 3 || strspn(text, "0123456789") != length)
        return -1;
    unsigned long value = strtoul(text, NULL, 10);
    if (value > max)
        return -1;
    *bits = (uint8_t)value;
    return 0;
}

/* Bits behind the prefix would be a slip of the pen, so they are refused. */
static bool net_is_whole(const struct access_net *net)
{
    for (uint32_t bit = net->prefix_bits; bit < 128; bit++) {
        if (net->address.bytes[bit / 8] >> (7 - bit % 8) & 1)
            return false;
    }
    return true;
}

static int address_add(struct parse *parse, char *value)
{
    struct access_rule *rule = parse->rule;
    struct access_net net = {.address.from = ACCESS_FROM_UNIX};
    uint8_t bits;
    if (rule->net_count == ACCESS_PATTERNS_MAX)
        return error_set(parse->error, "addresses: more than %d", ACCESS_PATTERNS_MAX);
    if (strcmp(value, "unix") != 0) {
        char *slash = strchr(value, '/');
        if (slash)
            *slash = '\0';
        if (!access_address_parse(value, &net.address, &bits))
            return error_set(parse->error, "addresses: \"%.64s\" is not an IP address", value);
        net.prefix_bits = bits;
        if (slash && prefix_parse(slash + 1, bits, &net.prefix_bits))
            return error_set(parse->error, "addresses: \"/%.8s\" is not a prefix of at most %u",
                             slash + 1, bits);
        net.prefix_bits = (uint8_t)(net.prefix_bits + 128 - bits);
        if (!net_is_whole(&net))
            return error_set(parse->error, "addresses: %s has bits behind its prefix", value);
    }
    rule->nets[rule->net_count++] = net;
    return 0;
}

/* Each of the values separated by commas. */
static int each(struct parse *parse, char *values, int (*add)(struct parse *, char *))
{
    while (values) {
        char *value = trim(strsep(&values, ","));
        if (add(parse, value))
            return -1;
    }
    return 0;
}

static int secret_check(struct parse *parse, const char *name, uint32_t length)
{
    if (length < ACCESS_SECRET_BYTES_MIN || length > ACCESS_SECRET_BYTES_MAX)
        return error_set(parse->error, "%s: must have %d to %d characters, has %u", name,
                         ACCESS_SECRET_BYTES_MIN, ACCESS_SECRET_BYTES_MAX, length);
    return 0;
}

static int secret_set(struct parse *parse, struct access_secret *secret, const char *name,
                      const char *value)
{
    size_t length = strlen(value);
    if (secret_check(parse, name, length > UINT32_MAX ? UINT32_MAX : (uint32_t)length))
        return -1;
    memcpy(secret->bytes, value, length);
    secret->length_bytes = (uint32_t)length;
    return 0;
}

/* The first line of the file. */
static int secret_read(struct parse *parse, struct access_secret *secret, const char *name,
                       const char *path)
{
    uint8_t bytes[ACCESS_SECRET_BYTES_MAX + 2];
    uint32_t length = 0;
    if (parse->read_file(parse->arg, path, bytes, sizeof(bytes), &length, parse->error))
        return error_prefix(parse->error, "%s", name);
    ASSERT(length <= sizeof(bytes));
    while (length > 0 && (bytes[length - 1] == '\n' || bytes[length - 1] == '\r'))
        length--;
    int status = secret_check(parse, name, length);
    if (!status) {
        memcpy(secret->bytes, bytes, length);
        secret->length_bytes = length;
    }
    explicit_bzero(bytes, sizeof(bytes));
    return status;
}

static int nbd_set(struct parse *parse, const char *value)
{
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return error_set(parse->error, "nbd: \"%.16s\" is neither yes nor no", value);
    parse->nbd = value[0] == 'y' ? NBD_YES : NBD_NO;
    return 0;
}

/* An address and a port, which is all that TargetAddress needs (RFC 7143 section 13.8). */
static int redirect_set(struct parse *parse, const char *value)
{
    const char *colon = strrchr(value, ':');
    struct access_address address = access_address_of(value);
    if (address.from != ACCESS_FROM_INET || !colon[1] ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1))
        return error_set(parse->error, "redirect: \"%.64s\" is not ADDRESS:PORT", value);
    return text_set(parse, parse->rule->redirect, ACCESS_REDIRECT_BYTES, "redirect", value);
}

static int setting(struct parse *parse, const char *name, char *value)
{
    struct access_rule *rule = parse->rule;
    if (!rule)
        return error_set(parse->error, "no section before it");
    if (strcmp(name, "initiators") == 0)
        return each(parse, value, initiator_add);
    if (strcmp(name, "tls") == 0)
        return each(parse, value, identity_add);
    if (strcmp(name, "addresses") == 0)
        return each(parse, value, address_add);
    if (strcmp(name, "user") == 0)
        return text_set(parse, rule->theirs.user, ACCESS_USER_BYTES, name, value);
    if (strcmp(name, "secret") == 0)
        return secret_set(parse, &rule->theirs, name, value);
    if (strcmp(name, "secret-file") == 0)
        return secret_read(parse, &rule->theirs, name, value);
    if (strcmp(name, "mutual-user") == 0)
        return text_set(parse, rule->ours.user, ACCESS_USER_BYTES, name, value);
    if (strcmp(name, "mutual-secret") == 0)
        return secret_set(parse, &rule->ours, name, value);
    if (strcmp(name, "mutual-secret-file") == 0)
        return secret_read(parse, &rule->ours, name, value);
    if (strcmp(name, "nbd") == 0)
        return nbd_set(parse, value);
    if (strcmp(name, "redirect") == 0)
        return redirect_set(parse, value);
    return error_set(parse->error, "%.32s: there is no such setting", name);
}

/* ---- sections ---- */

/* What a whole rule must be. */
static int rule_end(struct parse *parse)
{
    struct access_rule *rule = parse->rule;
    if (!rule)
        return 0;
    bool theirs = rule->theirs.length_bytes > 0;
    bool ours = rule->ours.length_bytes > 0;
    const char *what = rule->volume[0] ? rule->volume : "discovery";
    if ((rule->theirs.user[0] != '\0') != theirs)
        return error_set(parse->error, "%s: user and secret belong together", what);
    if ((rule->ours.user[0] != '\0') != ours)
        return error_set(parse->error, "%s: mutual-user and mutual-secret belong together", what);
    if (ours && !theirs)
        return error_set(parse->error, "%s: mutual-user without a user", what);
    if (rule->identity_count > 0 && parse->nbd == NBD_NO)
        return error_set(parse->error, "%s: tls is of NBD, which this rule excludes", what);
    bool named = (rule->initiator_count > 0 || theirs) && rule->identity_count == 0;
    rule->nbd = parse->nbd == NBD_BY_DEFAULT ? !named : parse->nbd == NBD_YES;
    return 0;
}

/* "*", "VOLUME", "VOLUME@SNAPSHOT" or "VOLUME@*": NULL, else why it is none of these. */
static const char *volume_invalid(const char *name)
{
    char volume[EXPORT_VOLUME_BYTES] = "";
    const char *at = strchr(name, '@');
    size_t length = at ? (size_t)(at - name) : strlen(name);
    if (strcmp(name, "*") == 0)
        return NULL;
    if (length < sizeof(volume))
        memcpy(volume, name, length);
    const char *why = export_name_invalid(length < sizeof(volume) ? volume : name);
    if (why || !at || strcmp(at + 1, "*") == 0)
        return why;
    return export_name_invalid(at + 1);
}

static int section(struct parse *parse, char *line)
{
    if (rule_end(parse))
        return -1;
    ASSERT(line[0] == '[');
    size_t length = strlen(line);
    if (line[length - 1] != ']')
        return error_set(parse->error, "the bracket is not closed");
    line[length - 1] = '\0';
    char *kind = trim(line + 1);
    char *name = kind + strcspn(kind, " \t");
    if (*name)
        *name++ = '\0';
    name = trim(name);
    bool volume = strcmp(kind, "volume") == 0;
    if (!volume && (strcmp(kind, "discovery") != 0 || name[0]))
        return error_set(parse->error, "neither [volume NAME] nor [discovery]");
    const char *why = volume ? volume_invalid(name) : NULL;
    if (why)
        return error_set(parse->error, "%s", why);
    parse->rule = &parse->access->rules[parse->access->rule_count++];
    parse->nbd = NBD_BY_DEFAULT;
    memcpy(parse->rule->volume, name, strlen(name) + 1);
    return 0;
}

static int line_take(struct parse *parse, char *line)
{
    line = trim(line);
    if (!line[0] || line[0] == '#')
        return 0;
    if (line[0] == '[')
        return section(parse, line);
    char *equals = strchr(line, '=');
    if (!equals)
        return error_set(parse->error, "neither [SECTION] nor NAME = VALUE");
    *equals = '\0';
    return setting(parse, trim(line), trim(equals + 1));
}

static bool secret_same(const struct access_secret *a, const struct access_secret *b)
{
    return a->length_bytes > 0 && a->length_bytes == b->length_bytes &&
           memcmp(a->bytes, b->bytes, a->length_bytes) == 0;
}

/* With one secret for both directions each end could have the other answer its own challenge. */
static int secrets_differ(const struct access *access, struct error *error)
{
    for (uint32_t i = 0; i < access->rule_count; i++) {
        for (uint32_t k = 0; k < access->rule_count; k++) {
            if (secret_same(&access->rules[i].theirs, &access->rules[k].ours))
                return error_set(error, "a secret and a mutual-secret are the same");
        }
    }
    return 0;
}

/* At most so many sections are in the text. */
static uint32_t sections_max(const char *text)
{
    uint32_t count = 0;
    for (const char *at = text; (at = strchr(at, '[')) != NULL && count <= ACCESS_RULES_MAX; at++)
        count++;
    return count;
}

static int rules_read(struct parse *parse, char *text)
{
    int number = 0;
    while (text) {
        char *line = strsep(&text, "\n");
        number++;
        if (line_take(parse, line))
            return error_prefix(parse->error, "line %d", number);
    }
    if (rule_end(parse))
        return -1;
    if (parse->access->rule_count == 0)
        return error_set(parse->error, "there is no rule in it");
    return secrets_differ(parse->access, parse->error);
}

struct access *access_new(char *text, access_read_fn *read_file, void *arg, struct error *error)
{
    uint32_t max = sections_max(text);
    struct access *access = calloc(1, sizeof(*access));
    struct parse parse = {.access = access, .read_file = read_file, .arg = arg, .error = error};
    if (max > ACCESS_RULES_MAX) {
        error_set(error, "more than %d rules", ACCESS_RULES_MAX);
        goto fail;
    }
    if (access)
        access->rules = calloc(max ? max : 1, sizeof(access->rules[0]));
    if (!access || !access->rules) {
        error_set(error, "out of memory");
        goto fail;
    }
    if (rules_read(&parse, text))
        goto fail;
    return access;
fail:
    if (access && !access->rules)
        free(access);
    else
        access_free(access);
    return NULL;
}
