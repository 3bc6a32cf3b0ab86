/* SPDX-License-Identifier: Apache-2.0 */
/* Judging clients by the rules; the text of the rules is access_text.c's. */
#include "target/front/export/access.h"

#include "target/front/export/access_text.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static char ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* A star that fits too little is tried with one character more; only the last one ever needs it. */
bool access_name_fits(const char *pattern, const char *name)
{
    const char *star = NULL;
    const char *resume = NULL;
    while (*name) {
        if (*pattern == '*') {
            star = pattern++;
            resume = name;
        } else if (*pattern == '?' || ascii_lower(*pattern) == ascii_lower(*name)) {
            pattern++;
            name++;
        } else if (star) {
            pattern = star + 1;
            name = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

/* ---- addresses ---- */

bool access_address_parse(const char *host, struct access_address *address, uint8_t *bits)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t four[4];
    *address = (struct access_address){.from = ACCESS_FROM_INET};
    *bits = 128;
    if (inet_pton(AF_INET6, host, address->bytes) == 1)
        return true;
    if (inet_pton(AF_INET, host, four) != 1)
        return false;
    memcpy(address->bytes, mapped, sizeof(mapped));
    memcpy(address->bytes + sizeof(mapped), four, sizeof(four));
    *bits = 32;
    return true;
}

struct access_address access_address_of(const char *text)
{
    struct access_address address = {.from = ACCESS_FROM_UNKNOWN};
    char host[INET6_ADDRSTRLEN];
    uint8_t bits;
    if (strncmp(text, "unix:", 5) == 0) {
        address.from = ACCESS_FROM_UNIX;
        return address;
    }
    const char *begin = text[0] == '[' ? text + 1 : text;
    const char *end = text[0] == '[' ? strchr(text, ']') : strrchr(text, ':');
    if (!end || (size_t)(end - begin) >= sizeof(host))
        return address;
    memcpy(host, begin, (size_t)(end - begin));
    host[end - begin] = '\0';
    if (!access_address_parse(host, &address, &bits))
        address.from = ACCESS_FROM_UNKNOWN;
    return address;
}

static bool net_has(const struct access_net *net, const struct access_address *address)
{
    if (net->address.from != address->from)
        return false;
    if (address->from != ACCESS_FROM_INET)
        return address->from == ACCESS_FROM_UNIX;
    uint32_t whole = net->prefix_bits / 8;
    uint32_t rest = net->prefix_bits % 8;
    if (memcmp(net->address.bytes, address->bytes, whole) != 0)
        return false;
    uint8_t mask = (uint8_t)(0xff00u >> rest);
    return rest == 0 || ((net->address.bytes[whole] ^ address->bytes[whole]) & mask) == 0;
}

/* ---- rules ---- */

/* A rule that names TLS clients and nobody else is of NBD alone. */
static bool identity_fits(const struct access_rule *rule, const struct access_client *client)
{
    const char *identity = client->identity ? client->identity : "";
    for (uint32_t i = 0; i < rule->identity_count; i++) {
        if (identity[0] && access_name_fits(rule->identities[i], identity))
            return true;
    }
    return rule->identity_count == 0;
}

static bool initiator_fits(const struct access_rule *rule, const struct access_client *client)
{
    if (!client->initiator)
        return rule->nbd && identity_fits(rule, client);
    if (rule->identity_count > 0 && rule->initiator_count == 0 && !rule->theirs.user[0])
        return false;
    for (uint32_t i = 0; i < rule->initiator_count; i++) {
        if (access_name_fits(rule->initiators[i], client->initiator))
            return true;
    }
    return rule->initiator_count == 0;
}

static bool address_fits(const struct access_rule *rule, const struct access_client *client)
{
    for (uint32_t i = 0; i < rule->net_count; i++) {
        if (net_has(&rule->nets[i], &client->address))
            return true;
    }
    return rule->net_count == 0;
}

static bool any_rule(const struct access *access, const char *name)
{
    for (uint32_t i = 0; access && i < access->rule_count; i++) {
        if (strcmp(access->rules[i].volume, name) == 0)
            return true;
    }
    return false;
}

/*
 * The most particular rules there are for it: a volume's own, else those for all. Of the snapshot
 * "V@S": those of "V@S", of "V@*", of V, or of all.
 */
static const char *rules_name(const struct access *access, const char *volume)
{
    const char *at = strchr(volume, '@');
    if (volume[0] == '\0' || any_rule(access, volume))
        return volume;
    for (uint32_t i = 0; at && access && i < access->rule_count; i++) {
        const char *rule = access->rules[i].volume;
        size_t length = (size_t)(at - volume) + 1;
        if (strncmp(rule, volume, length) == 0 && strcmp(rule + length, "*") == 0)
            return rule;
    }
    for (uint32_t i = 0; at && access && i < access->rule_count; i++) {
        const char *rule = access->rules[i].volume;
        size_t length = (size_t)(at - volume);
        if (strlen(rule) == length && memcmp(rule, volume, length) == 0)
            return rule;
    }
    return "*";
}

const struct access_rule *access_next(const struct access *access, const char *volume,
                                      const struct access_client *client,
                                      const struct access_rule *previous)
{
    const char *name = rules_name(access, volume);
    if (!access)
        return NULL;
    const struct access_rule *end = access->rules + access->rule_count;
    for (const struct access_rule *r = previous ? previous + 1 : access->rules; r < end; r++) {
        if (strcmp(r->volume, name) == 0 && initiator_fits(r, client) && address_fits(r, client))
            return r;
    }
    return NULL;
}

const struct access_rule *access_rule_at(const struct access *access, uint32_t idx)
{
    return access && idx < access->rule_count ? &access->rules[idx] : NULL;
}

uint32_t access_ways(const struct access *access, const char *volume,
                     const struct access_client *client)
{
    uint32_t ways = 0;
    if (!any_rule(access, rules_name(access, volume)))
        return ACCESS_FREELY;
    const struct access_rule *rule = NULL;
    while ((rule = access_next(access, volume, client, rule)) != NULL) {
        bool proof = rule->theirs.user[0] && client->initiator;
        ways |= proof ? ACCESS_BY_CHAP : ACCESS_FREELY;
    }
    return ways;
}

const char *access_why(const struct access *access, const char *volume,
                       const struct access_client *client)
{
    const char *name = rules_name(access, volume);
    for (uint32_t i = 0; access && i < access->rule_count; i++) {
        const struct access_rule *rule = &access->rules[i];
        if (strcmp(rule->volume, name) == 0 && initiator_fits(rule, client))
            return "no access rule admits its address";
    }
    if (!client->initiator && client->identity && client->identity[0])
        return "no access rule admits who this NBD client is by TLS";
    return client->initiator ? "no access rule admits this initiator"
                             : "no access rule admits NBD clients";
}

void access_free(struct access *access)
{
    if (!access)
        return;
    explicit_bzero(access->rules, access->rule_count * sizeof(access->rules[0]));
    free(access->rules);
    free(access);
}
