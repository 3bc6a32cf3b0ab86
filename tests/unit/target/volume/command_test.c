/* SPDX-License-Identifier: Apache-2.0 */
/* The book: read once the volume is open, changed by commands; questions to single replicas. */
#include "tests/unit/target/volume/fixture.h"

static struct volume_command command;
static struct volume_question question;
static int commanded, told, books, rows;

static void on_commanded(struct volume_command *c)
{
    ck_assert_ptr_eq(c, &command);
    commanded++;
}

static void on_told(struct volume_question *q)
{
    ck_assert_ptr_eq(q, &question);
    told++;
}

static void on_book(void *owner, struct volume *v)
{
    (void)owner;
    ck_assert(volume_book_known(v));
    books++;
}

static void on_row(void *owner, struct volume *v, const char *key)
{
    (void)owner, (void)v;
    ck_assert_str_eq(key, "k2");
    rows++;
}

static void open_with_book(void)
{
    volume_free(volume);
    struct volume_env env = {
        .loop = &loop, .bufs = &bufs, .ops = &ops, .on_book = on_book, .on_row = on_row};
    book_key = "k1";
    book_head = 7;
    volume = volume_new(&env, &config);
    member(1);
    turn();
}

static void order(enum command_kind kind, const char *key, const char *value)
{
    command = (struct volume_command){.command = {.kind = kind,
                                                  .generation = 7,
                                                  .value = (const uint8_t *)value,
                                                  .value_bytes = (uint32_t)strlen(value)},
                                      .done = on_commanded};
    snprintf(command.command.key, sizeof(command.command.key), "%s", key);
    volume_command(volume, &command);
}

START_TEST(book_is_read_when_the_volume_opens)
{
    struct volume_row row;
    open_with_book();
    ck_assert_int_eq(books, 1);
    ck_assert_uint_eq(volume_head(volume), 7);
    ck_assert(volume_row(volume, "k1", &row));
    ck_assert_uint_eq(row.value_bytes, 5);
    ck_assert(!volume_row(volume, "k2", &row));
}
END_TEST

START_TEST(command_changes_book_and_head)
{
    struct volume_row row;
    open_with_book();
    order(COMMAND_SEAL, "k2", "two");
    ck_assert_int_eq(events[event_count - 1].op->kind, REPL_COMMAND);
    complete_last(0);
    ck_assert_int_eq(commanded, 0);
    turn();
    ck_assert_int_eq(commanded, 1);
    ck_assert_int_eq(command.status, 0);
    ck_assert_int_eq(rows, 1);
    ck_assert_uint_eq(volume_head(volume), 8);
    ck_assert(volume_row(volume, "k2", &row));
    ck_assert_mem_eq(row.value, "two", 3);
}
END_TEST

START_TEST(empty_value_removes_a_row)
{
    struct volume_row row;
    open_with_book();
    order(COMMAND_SET, "k2", "two");
    complete_last(0);
    turn();
    order(COMMAND_SET, "k2", "");
    complete_last(0);
    turn();
    ck_assert(!volume_row(volume, "k2", &row));
    ck_assert_uint_eq(volume_head(volume), 7);
}
END_TEST

START_TEST(book_is_read_again_after_a_command_that_failed)
{
    open_with_book();
    order(COMMAND_SET, "k2", "two");
    complete_last(-EIO);
    turn();
    ck_assert_int_eq(command.status, -EIO);
    ck_assert_uint_eq(book_reads, 2);
    ck_assert_int_eq(books, 2);
    ck_assert_int_eq(rows, 0);
}
END_TEST

START_TEST(row_set_by_a_request_is_in_the_book)
{
    struct volume_row row;
    open_with_book();
    req = (struct block_req){.op = BLOCK_SET_ROW, .key = "k2", .done = on_done};
    req.data = slice_get(&bufs, 3);
    memcpy(req.data.bytes, "two", 3);
    volume_submit(volume, &req);
    ck_assert_int_eq(events[event_count - 1].op->kind, REPL_COMMAND);
    ck_assert_int_eq(events[event_count - 1].op->command.kind, COMMAND_SET);
    complete_last(0);
    turn();
    ck_assert_int_eq(done_count, 1);
    ck_assert_int_eq(rows, 1);
    ck_assert(volume_row(volume, "k2", &row));
}
END_TEST

START_TEST(rows_are_walked_by_the_begin_of_their_key)
{
    struct book book = {0};
    book_set(&book, "b/2", (const uint8_t *)"x", 1);
    book_set(&book, "a", (const uint8_t *)"x", 1);
    book_set(&book, "b/1", (const uint8_t *)"x", 1);
    book_set(&book, "c", (const uint8_t *)"x", 1);
    book_set(&book, "b/2", (const uint8_t *)"yy", 2);
    ck_assert_uint_eq(book.count, 4);
    ck_assert_uint_eq(book_lower(&book, "b/"), 1);
    ck_assert_uint_eq(book_find(&book, "b/2")->value_bytes, 2);
    book_set(&book, "b/1", NULL, 0);
    ck_assert_ptr_null(book_find(&book, "b/1"));
    book_release(&book);
}
END_TEST

START_TEST(malformed_chunk_is_refused)
{
    uint8_t bytes[256];
    struct book book = {0};
    struct book_chunk chunk;
    struct writer w = writer_of(bytes, sizeof(bytes));
    message_book_encode(&w, &(struct message_book){.head_generation = 1});
    write_u8(&w, 99);
    ck_assert(!book_chunk_take(&book, bytes, (uint32_t)writer_length(&w), &chunk));
    ck_assert(!book_chunk_take(&book, bytes, 3, &chunk));
    book_release(&book);
}
END_TEST

START_TEST(question_goes_to_one_replica)
{
    open_with_book();
    question = (struct volume_question){.kind = VOLUME_DIGEST,
                                        .member = {.bytes = {1}},
                                        .generation = 3,
                                        .verify = true,
                                        .done = on_told};
    volume_ask(volume, &question);
    struct repl_op *op = events[event_count - 1].op;
    ck_assert_int_eq(op->kind, REPL_DIGEST);
    ck_assert_uint_eq(op->peer, 0);
    ck_assert(op->verify);
    op->data = slice_get(&bufs, 256);
    struct writer w = writer_of(op->data.bytes, 256);
    message_digest_encode(&w, &(struct message_digest){.state = DIGEST_KNOWN, .sha256 = {5}});
    op->data.length_bytes = (uint32_t)writer_length(&w);
    complete_last(0);
    turn();
    ck_assert_int_eq(told, 1);
    ck_assert_int_eq(question.status, 0);
    ck_assert_uint_eq(question.digest.sha256[0], 5);
}
END_TEST

START_TEST(stopping_volume_refuses_questions)
{
    open_with_book();
    volume_stop(volume, on_stopped, NULL);
    question = (struct volume_question){.kind = VOLUME_SPACE, .done = on_told};
    volume_ask(volume, &question);
    turn();
    ck_assert_int_eq(question.status, -ESHUTDOWN);
    tell((struct repl_effect){.kind = REPL_DO_STOPPED});
    opened[0]->on_down(opened[0]);
    turn();
    ck_assert_int_eq(stopped_count, 1);
}
END_TEST

START_TEST(aborted_volume_ends_its_command)
{
    open_with_book();
    order(COMMAND_SET, "k2", "two");
    volume_abort(volume);
    turn();
    ck_assert_int_eq(commanded, 1);
    ck_assert_int_eq(command.status, -ESHUTDOWN);
}
END_TEST

START_TEST(row_that_fails_beside_a_command_waits_for_its_end_to_read_the_book)
{
    open_with_book();
    order(COMMAND_SEAL, "k2", "two");
    struct repl_op *seal = events[event_count - 1].op;
    req = (struct block_req){.op = BLOCK_SET_ROW, .key = "k3", .done = on_done};
    req.data = slice_get(&bufs, 3);
    volume_submit(volume, &req);
    complete_last(-EIO);
    turn();
    ck_assert_int_eq(req.status, -EIO);
    ck_assert_uint_eq(book_reads, 1);
    tell((struct repl_effect){.kind = REPL_DO_COMPLETE, .op = seal});
    opened[0]->on_down(opened[0]);
    turn();
    ck_assert_int_eq(commanded, 1);
    while (book_reads == 1)
        ev_run(loop.ev, EVRUN_ONCE);
    turn();
    ck_assert_int_eq(books, 2);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        book_is_read_when_the_volume_opens,
        command_changes_book_and_head,
        empty_value_removes_a_row,
        book_is_read_again_after_a_command_that_failed,
        row_set_by_a_request_is_in_the_book,
        rows_are_walked_by_the_begin_of_their_key,
        malformed_chunk_is_refused,
        question_goes_to_one_replica,
        stopping_volume_refuses_questions,
        aborted_volume_ends_its_command,
        row_that_fails_beside_a_command_waits_for_its_end_to_read_the_book,
    };
    TCase *tcase = tcase_create("command");
    tcase_add_checked_fixture(tcase, setup, teardown);
    for (size_t i = 0; i < ARRAY_COUNT(tests); i++)
        tcase_add_test(tcase, tests[i]);
    Suite *suite = suite_create("command");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
