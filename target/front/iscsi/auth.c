/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The security stage. A connection has one challenge, which is random and of its own, so none is
 * ever used twice; an initiator that sends it back is an attacker. All rules that admit the client
 * and have the user it names are tried, so that a secret may be changed while both are good.
 */
#include "target/front/iscsi/auth.h"

#include "target/front/iscsi/chap.h"
#include "target/front/iscsi/state.h"

#include <stdio.h>
#include <string.h>

static const char *volume_of(const struct iscsi_conn *conn)
{
    return conn->export ? conn->export->name : "";
}

static uint32_t ways_of(const struct iscsi_conn *conn)
{
    return access_ways(conn->node->exports->access, volume_of(conn), &conn->client);
}

/* The reason for the log has the target in it, and it may have a user; never a secret. */
static struct login_refusal refuse(struct iscsi_conn *conn, enum login_status status,
                                   const char *user, const char *why)
{
    snprintf(conn->auth.why, sizeof(conn->auth.why), "login to %s refused: %s%s%s%s",
             conn->export ? conn->export->name : "discovery", user ? "user " : "", user ? user : "",
             user ? ": " : "", why);
    return (struct login_refusal){status, conn->auth.why};
}

static struct login_refusal fail(struct iscsi_conn *conn, const char *why)
{
    return refuse(conn, LOGIN_AUTHENTICATION_FAILED, NULL, why);
}

struct login_refusal iscsi_auth_admit(struct iscsi_conn *conn, const char **redirect)
{
    const struct access *access = conn->node->exports->access;
    const char *volume = volume_of(conn);
    const struct access_rule *rule = access_next(access, volume, &conn->client, NULL);
    *redirect = NULL;
    if (!ways_of(conn))
        return refuse(conn, LOGIN_NOT_AUTHORIZED, NULL, access_why(access, volume, &conn->client));
    if (rule && rule->redirect[0]) {
        *redirect = rule->redirect;
        return refuse(conn, LOGIN_MOVED, NULL, "an access rule sends it elsewhere");
    }
    return login_fine;
}

/* ---- AuthMethod ---- */

static bool is(const char *text, uint32_t length, const char *wanted)
{
    return strlen(wanted) == length && memcmp(text, wanted, length) == 0;
}

/* The initiator's first choice that our rules have for it; AUTH_START: none. */
static enum auth_state method_choose(const struct iscsi_conn *conn, const char *list,
                                     uint32_t list_bytes)
{
    uint32_t ways = ways_of(conn);
    const char *end = list + list_bytes;
    for (const char *at = list; at < end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        uint32_t length = (uint32_t)((comma ? comma : end) - at);
        if (ways & ACCESS_BY_CHAP && is(at, length, "CHAP"))
            return AUTH_CHAP;
        if (ways & ACCESS_FREELY && is(at, length, "None"))
            return AUTH_NONE;
        at += length + 1;
    }
    return AUTH_START;
}

static struct login_refusal method_take(struct iscsi_conn *conn, struct writer *answer)
{
    const struct negotiation *keys = &conn->keys;
    if (conn->auth.state != AUTH_START)
        return (struct login_refusal){LOGIN_INITIATOR_ERROR, "a text key is negotiated twice"};
    conn->auth.state =
        method_choose(conn, keys->text[KEY_AUTH_METHOD], keys->text_bytes[KEY_AUTH_METHOD]);
    if (conn->auth.state == AUTH_START) {
        bool must = !(ways_of(conn) & ACCESS_FREELY);
        return fail(conn, must ? "it does not offer CHAP, which its access rule demands"
                               : "no authentication method in common");
    }
    negotiation_put(answer, "AuthMethod", conn->auth.state == AUTH_CHAP ? "CHAP" : "None");
    return login_fine;
}

/* ---- CHAP ---- */

static struct login_refusal challenge_send(struct iscsi_conn *conn, struct writer *answer)
{
    const struct negotiation *keys = &conn->keys;
    struct auth *auth = &conn->auth;
    char text[CHAP_TEXT_BYTES];
    auth->algorithm = chap_choose(keys->text[KEY_CHAP_A], keys->text_bytes[KEY_CHAP_A]);
    if (auth->algorithm == CHAP_NONE)
        return fail(conn, "no CHAP algorithm in common");
    negotiation_put_number(answer, "CHAP_A", auth->algorithm);
    negotiation_put_number(answer, "CHAP_I", conn->random[ISCSI_RANDOM_IDENTIFIER]);
    chap_binary_encode(conn->random + ISCSI_RANDOM_CHALLENGE, CHAP_CHALLENGE_BYTES, text);
    negotiation_put(answer, "CHAP_C", text);
    auth->state = AUTH_CHALLENGED;
    return login_fine;
}

/* Whether this secret gives that response to our challenge. */
static bool response_fits(const struct iscsi_conn *conn, const struct access_secret *secret,
                          const uint8_t *response, int response_bytes)
{
    uint8_t want[CHAP_DIGEST_BYTES_MAX];
    uint32_t length = chap_response(
        conn->auth.algorithm, conn->random[ISCSI_RANDOM_IDENTIFIER], secret->bytes,
        secret->length_bytes, conn->random + ISCSI_RANDOM_CHALLENGE, CHAP_CHALLENGE_BYTES, want);
    bool fits = length > 0 && response_bytes == (int)length && chap_equal(want, response, length);
    explicit_bzero(want, sizeof(want));
    return fits;
}

/* Who does not exist costs as much time as who does. */
static const struct access_rule *rule_proved(const struct iscsi_conn *conn, const char *user,
                                             bool *known)
{
    static const struct access_secret nobody = {.length_bytes = ACCESS_SECRET_BYTES_MIN};
    const struct negotiation *keys = &conn->keys;
    const struct access_rule *rule = NULL;
    uint8_t response[CHAP_DIGEST_BYTES_MAX] = {0};
    int bytes = chap_binary_decode(keys->text[KEY_CHAP_R], keys->text_bytes[KEY_CHAP_R], response,
                                   sizeof(response));
    *known = false;
    while ((rule = access_next(conn->node->exports->access, volume_of(conn), &conn->client,
                               rule)) != NULL) {
        if (!rule->theirs.user[0] || strcmp(rule->theirs.user, user) != 0)
            continue;
        *known = true;
        if (response_fits(conn, &rule->theirs, response, bytes))
            return rule;
    }
    if (!*known)
        (void)response_fits(conn, &nobody, response, bytes);
    return NULL;
}

/* The initiator wants to know who we are. */
static struct login_refusal mutual_answer(struct iscsi_conn *conn, const struct access_rule *rule,
                                          struct writer *answer)
{
    const struct negotiation *keys = &conn->keys;
    uint8_t challenge[CHAP_CHALLENGE_BYTES_MAX];
    uint8_t response[CHAP_DIGEST_BYTES_MAX];
    char text[CHAP_TEXT_BYTES];
    int bytes = chap_binary_decode(keys->text[KEY_CHAP_C], keys->text_bytes[KEY_CHAP_C], challenge,
                                   sizeof(challenge));
    int identifier = keys->text[KEY_CHAP_I] ? chap_identifier_decode(keys->text[KEY_CHAP_I],
                                                                     keys->text_bytes[KEY_CHAP_I])
                                            : -1;
    if (bytes <= 0 || identifier < 0)
        return fail(conn, "its CHAP_I or CHAP_C is none");
    if (bytes == CHAP_CHALLENGE_BYTES &&
        memcmp(challenge, conn->random + ISCSI_RANDOM_CHALLENGE, CHAP_CHALLENGE_BYTES) == 0)
        return fail(conn, "it sends our own challenge back");
    if (!rule->ours.user[0])
        return refuse(conn, LOGIN_AUTHENTICATION_FAILED, rule->theirs.user,
                      "it asks for mutual CHAP, and its access rule has no mutual-user");
    uint32_t length = chap_response(conn->auth.algorithm, (uint8_t)identifier, rule->ours.bytes,
                                    rule->ours.length_bytes, challenge, (uint32_t)bytes, response);
    if (length == 0)
        return fail(conn, "the digest cannot be computed");
    chap_binary_encode(response, length, text);
    negotiation_put(answer, "CHAP_N", rule->ours.user);
    negotiation_put(answer, "CHAP_R", text);
    return login_fine;
}

/* For comparing and for the log: a name with other bytes than printable ones is nobody's. */
static bool user_take(const struct negotiation *keys, char user[ACCESS_USER_BYTES])
{
    uint32_t length = keys->text_bytes[KEY_CHAP_N];
    const char *text = keys->text[KEY_CHAP_N];
    if (length == 0 || length >= ACCESS_USER_BYTES)
        return false;
    for (uint32_t i = 0; i < length; i++) {
        if ((uint8_t)text[i] < ' ' || text[i] == 0x7f)
            return false;
    }
    memcpy(user, text, length);
    user[length] = '\0';
    return true;
}

static struct login_refusal response_take(struct iscsi_conn *conn, struct writer *answer)
{
    const struct negotiation *keys = &conn->keys;
    char user[ACCESS_USER_BYTES];
    bool known;
    if (!keys->text[KEY_CHAP_N] || !keys->text[KEY_CHAP_R])
        return fail(conn, "CHAP_N or CHAP_R is missing");
    if (!user_take(keys, user))
        return fail(conn, "its CHAP_N is no user's name");
    const struct access_rule *rule = rule_proved(conn, user, &known);
    if (!rule)
        return refuse(conn, LOGIN_AUTHENTICATION_FAILED, user,
                      known ? "wrong secret" : "no access rule has this user");
    if (keys->text[KEY_CHAP_C]) {
        struct login_refusal refusal = mutual_answer(conn, rule, answer);
        if (refusal.why)
            return refusal;
    }
    conn->auth.state = AUTH_PROVED;
    return login_fine;
}

struct login_refusal iscsi_auth_take(struct iscsi_conn *conn, struct writer *answer)
{
    const struct negotiation *keys = &conn->keys;
    bool begun = conn->auth.state == AUTH_CHALLENGED;
    if (keys->text[KEY_AUTH_METHOD]) {
        struct login_refusal refusal = method_take(conn, answer);
        if (refusal.why)
            return refusal;
    }
    bool any = keys->text[KEY_CHAP_A] || keys->text[KEY_CHAP_C] || keys->text[KEY_CHAP_I] ||
               keys->text[KEY_CHAP_N] || keys->text[KEY_CHAP_R];
    if (begun)
        return response_take(conn, answer);
    if (conn->auth.state == AUTH_CHAP && keys->text[KEY_CHAP_A])
        return challenge_send(conn, answer);
    if (any)
        return fail(conn, "CHAP keys out of their order");
    return login_fine;
}

bool iscsi_auth_done(const struct iscsi_conn *conn)
{
    return conn->auth.state != AUTH_CHAP && conn->auth.state != AUTH_CHALLENGED;
}

struct login_refusal iscsi_auth_check(struct iscsi_conn *conn)
{
    if (conn->auth.state == AUTH_PROVED || ways_of(conn) & ACCESS_FREELY)
        return login_fine;
    return fail(conn, "it does not authenticate, which its access rule demands");
}
