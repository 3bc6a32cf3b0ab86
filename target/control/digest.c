/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a snapshot's content is, as one number: every replica in sync computes it by itself, in the
 * background, and all must agree. Once known it stands in the snapshot's row; a verification reads
 * everything again.
 */
#include "target/control/question.h"

#include "common/base/log.h"
#include "common/digest/digest.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct digest_job {
    struct record *record;
    struct http_request *request;
    char name[VOLUME_NAME_BYTES];
    uint64_t generation;
    struct digest_ask {
        struct digest_job *digest;
        struct volume_question question;
    } asks[MEMBERS_MAX];
    uint32_t count;
    uint32_t waiting;
};

static const char *state_name(const struct volume_question *question)
{
    static const char *const names[] = {[DIGEST_NONE] = "unknown",
                                        [DIGEST_COMPUTING] = "computing",
                                        [DIGEST_KNOWN] = "known",
                                        [DIGEST_BAD] = "damaged"};
    return question->status < 0 ? "unknown" : names[question->digest.state];
}

static json_t *json_ask(const struct record *record, const struct volume_question *question)
{
    const struct placement *placement = record_placement(record, &question->member);
    struct peer_status peer = {.address = "?"};
    char text[DIGEST_TEXT_MAX] = "";
    if (placement)
        peer_status(placement->peer, &peer);
    if (question->status == 0 && question->digest.state == DIGEST_KNOWN)
        digest_text(question->digest.sha256, text);
    return json_pack("{s:s, s:s, s:I, s:I, s:s*}", "replica", peer.address, "state",
                     state_name(question), "done_bytes", (json_int_t)question->digest.done_bytes,
                     "total_bytes", (json_int_t)question->digest.total_bytes, "digest",
                     text[0] ? text : NULL);
}

/* What all of them together say. `digest` is empty until it is known. */
static const char *digest_judge(const struct digest_job *digest, const struct snapshot *snapshot,
                                char text[DIGEST_TEXT_MAX], const char **why)
{
    const char *kept = json_string_value(json_object_get(snapshot->row, "digest"));
    const char *state = "known";
    *why = "";
    for (uint32_t i = 0; i < digest->count; i++) {
        const struct volume_question *question = &digest->asks[i].question;
        char here[DIGEST_TEXT_MAX];
        if (strcmp(state_name(question), "damaged") == 0) {
            *why = "a replica cannot read it, or it is not what it was";
            return "damaged";
        }
        if (strcmp(state_name(question), "known") != 0) {
            state = state_name(question);
            *why = "a replica does not tell it";
            continue;
        }
        digest_text(question->digest.sha256, here);
        if ((text[0] && strcmp(here, text) != 0) || (kept && strcmp(here, kept) != 0)) {
            *why = "the replicas do not agree";
            return "damaged";
        }
        memcpy(text, here, sizeof(here));
    }
    return state;
}

static void digest_answer(struct digest_job *digest)
{
    struct record *record = digest->record;
    char text[DIGEST_TEXT_MAX] = "";
    const char *why;
    const struct snapshot *snapshot = snapshot_find(record, digest->name, strlen(digest->name));
    if (!snapshot || snapshot->generation != digest->generation) {
        answer_error(digest->request, 404, "snapshot %s@%s: was deleted", record->config.name,
                     digest->name);
        return;
    }
    const char *state = digest_judge(digest, snapshot, text, &why);
    bool known = strcmp(state, "known") == 0;
    uint64_t done_bytes = 0;
    uint64_t total_bytes = 0;
    json_t *replicas = json_array();
    for (uint32_t i = 0; i < digest->count; i++) {
        const struct volume_question *question = &digest->asks[i].question;
        json_array_append_new(replicas, json_ask(record, question));
        done_bytes += question->digest.done_bytes;
        total_bytes += question->digest.total_bytes;
    }
    answer_json(digest->request, 200,
                json_pack("{s:s, s:s, s:s, s:s, s:s*, s:I, s:I, s:o}", "volume",
                          record->config.name, "name", digest->name, "state", state, "why", why,
                          "digest", known ? text : NULL, "done_bytes", (json_int_t)done_bytes,
                          "total_bytes", (json_int_t)total_bytes, "replicas", replicas));
    if (known && !json_object_get(snapshot->row, "digest"))
        snapshot_label(record, NULL, digest->name, json_pack("{s:s}", "digest", text));
    if (strcmp(state, "damaged") == 0) {
        log_warn("volume %s: snapshot %s: %s", record->config.name, digest->name, why);
        catalogue_event(record->control, true, record->config.name, why);
    }
}

static void on_told(struct volume_question *question)
{
    struct digest_ask *asked = question->owner;
    struct digest_job *digest = asked->digest;
    struct record *record = digest->record;
    if (--digest->waiting > 0)
        return;
    digest_answer(digest);
    free(digest);
    question_over(record);
}

void digest_ask(struct record *record, struct http_request *request,
                const struct snapshot *snapshot, bool verify)
{
    struct repl_status status;
    struct digest_job *digest = calloc(1, sizeof(*digest));
    ASSERT(digest);
    volume_status(record->volume, &status);
    digest->record = record;
    digest->request = request;
    digest->generation = snapshot->generation;
    snprintf(digest->name, sizeof(digest->name), "%s", snapshot->name);
    for (uint8_t i = 0; i < status.member_count; i++) {
        const struct repl_member_status *member = &status.members[i];
        if (member->kind != MEMBER_DATA || !member->in_sync || !member->attached)
            continue;
        struct digest_ask *asked = &digest->asks[digest->count++];
        asked->digest = digest;
        asked->question = (struct volume_question){.kind = VOLUME_DIGEST,
                                                   .member = member->member,
                                                   .generation = snapshot->generation,
                                                   .verify = verify,
                                                   .done = on_told,
                                                   .owner = asked};
    }
    digest->waiting = digest->count;
    if (digest->count == 0) {
        answer_error(request, 503, "volume %s: no replica in sync is up", record->config.name);
        free(digest);
        return;
    }
    record->questions++;
    for (uint32_t i = 0; i < digest->count; i++)
        volume_ask(record->volume, &digest->asks[i].question);
}
