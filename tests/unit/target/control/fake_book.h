/* SPDX-License-Identifier: Apache-2.0 */
/* The book of a fake volume: commands and questions wait until the test ends them. */
#ifndef STRAKE_TESTS_CONTROL_FAKE_BOOK_H
#define STRAKE_TESTS_CONTROL_FAKE_BOOK_H

#include "tests/unit/target/control/fake_volumes.h"

void volume_command(struct volume *volume, struct volume_command *command)
{
    ck_assert(volume->book_known && !volume->command);
    volume->command = command;
}

bool volume_book_known(const struct volume *volume)
{
    return volume->book_known;
}

uint64_t volume_head(const struct volume *volume)
{
    return volume->book.head;
}

bool volume_row(const struct volume *volume, const char *key, struct volume_row *row)
{
    const struct book_row *found = book_find(&volume->book, key);
    if (found)
        *row = (struct volume_row){
            .key = found->key, .value = found->value, .value_bytes = found->value_bytes};
    return found;
}

void volume_rows(const struct volume *volume, const char *prefix,
                 void (*each)(void *arg, const struct volume_row *row), void *arg)
{
    for (uint32_t i = 0; i < volume->book.count; i++) {
        const struct book_row *found = volume->book.rows[i];
        struct volume_row row = {
            .key = found->key, .value = found->value, .value_bytes = found->value_bytes};
        if (strncmp(found->key, prefix, strlen(prefix)) == 0)
            each(arg, &row);
    }
}

void volume_submit(struct volume *volume, struct block_req *req)
{
    ck_assert_ptr_null(volume->req);
    volume->req = req;
}

static struct volume_question *questions[MEMBERS_MAX];
static uint32_t question_count;

void volume_ask(struct volume *volume, struct volume_question *question)
{
    (void)volume;
    ck_assert_uint_lt(question_count, MEMBERS_MAX);
    questions[question_count++] = question;
}

/* All questions are answered so. */
static inline void questions_end(int status, enum digest_state state, uint8_t sha256)
{
    uint32_t count = question_count;
    question_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct volume_question *question = questions[i];
        question->status = status;
        question->digest.state = state;
        memset(question->digest.sha256, sha256, SHA256_BYTES);
        question->space = (struct message_space){.logical_bytes = 4096};
        question->done(question);
    }
}

/* The replicas keep no books. */
static inline void book_is_not_there(struct volume *volume)
{
    volume->env.on_bookless(volume->env.owner, volume);
}

static inline void book_comes(struct volume *volume)
{
    volume->book_known = true;
    volume->env.on_book(volume->env.owner, volume);
}

/* The command under way ends so. */
static inline void command_ends(struct volume *volume, int status)
{
    struct volume_command *command = volume->command;
    ck_assert_ptr_nonnull(command);
    volume->command = NULL;
    command->status = status;
    if (status == 0) {
        book_apply(&volume->book, &command->command);
        if (command->command.key[0])
            volume->env.on_row(volume->env.owner, volume, command->command.key);
    }
    command->done(command);
}

#endif
