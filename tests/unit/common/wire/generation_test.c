/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies about generations and the book: round trips, and malformed ones. */
#include "common/wire/generation.h"
#include "tests/lib/suite.h"

#include <string.h>

static uint8_t wire[COMMAND_BYTES_MAX];

static struct uuid uuid_of(uint8_t byte)
{
    struct uuid uuid;
    memset(uuid.bytes, byte, sizeof(uuid.bytes));
    return uuid;
}

static struct message_command command_of_seal(void)
{
    return (struct message_command){.number = 9,
                                    .kind = COMMAND_SEAL,
                                    .generation = 4,
                                    .identity = uuid_of(3),
                                    .key = "snapshot/4",
                                    .value_bytes = 5,
                                    .value = (const uint8_t *)"hello"};
}

/* Encodes and decodes; true when it is well formed. */
static bool command_turn(const struct message_command *command, struct message_command *got)
{
    struct writer w = writer_of(wire, sizeof(wire));
    message_command_encode(&w, command);
    ck_assert(!w.bad);
    struct reader r = reader_of(wire, writer_length(&w));
    message_command_decode(&r, got);
    return !r.bad && reader_left(&r) == 0;
}

START_TEST(command_comes_back)
{
    struct message_command command = command_of_seal();
    struct message_command got;
    ck_assert(command_turn(&command, &got));
    ck_assert_uint_eq(got.number, 9);
    ck_assert_int_eq(got.kind, COMMAND_SEAL);
    ck_assert_uint_eq(got.generation, 4);
    ck_assert(uuid_equal(&got.identity, &command.identity));
    ck_assert_str_eq(got.key, "snapshot/4");
    ck_assert_uint_eq(got.value_bytes, 5);
    ck_assert_mem_eq(got.value, "hello", 5);
}
END_TEST

START_TEST(longest_command_keeps_its_limit)
{
    static const uint8_t value[BOOK_VALUE_BYTES_MAX];
    struct message_command command = command_of_seal();
    struct message_command got;
    command.value = value;
    command.value_bytes = BOOK_VALUE_BYTES_MAX;
    ck_assert(command_turn(&command, &got));
    ck_assert_uint_eq(got.value_bytes, BOOK_VALUE_BYTES_MAX);
}
END_TEST

START_TEST(command_cut_short_is_malformed)
{
    struct message_command command = command_of_seal();
    struct message_command got;
    struct writer w = writer_of(wire, sizeof(wire));
    message_command_encode(&w, &command);
    for (size_t length = 0; length < writer_length(&w); length++) {
        struct reader r = reader_of(wire, length);
        message_command_decode(&r, &got);
        ck_assert(r.bad);
    }
}
END_TEST

static void no_number(struct message_command *c)
{
    c->number = 0;
}
static void no_kind(struct message_command *c)
{
    c->kind = (enum command_kind)5;
}
static void no_generation(struct message_command *c)
{
    c->generation = 0;
}
static void no_identity(struct message_command *c)
{
    c->identity = (struct uuid){0};
}
static void value_without_key(struct message_command *c)
{
    memset(c->key, 0, sizeof(c->key));
}
static void key_with_a_space(struct message_command *c)
{
    c->key[0] = ' ';
}
static void set_of_a_generation(struct message_command *c)
{
    c->kind = COMMAND_SET;
}
static void set_of_nothing(struct message_command *c)
{
    *c = (struct message_command){.number = 1, .kind = COMMAND_SET, .identity = uuid_of(1)};
}

static void (*const breaches[])(struct message_command *) = {
    no_number,         no_kind,          no_generation,       no_identity,
    value_without_key, key_with_a_space, set_of_a_generation, set_of_nothing,
};

START_TEST(command_that_breaks_a_rule_is_malformed)
{
    struct message_command command = command_of_seal();
    struct message_command got;
    breaches[_i](&command);
    ck_assert(!command_turn(&command, &got));
}
END_TEST

START_TEST(row_may_be_removed_and_need_not_be_there)
{
    struct message_command command = command_of_seal();
    struct message_command got;
    command.value_bytes = 0;
    ck_assert(command_turn(&command, &got));
    memset(command.key, 0, sizeof(command.key));
    ck_assert(command_turn(&command, &got));
    ck_assert_str_eq(got.key, "");
}
END_TEST

START_TEST(lineage_comes_back)
{
    struct lineage lineage = {1, uuid_of(2), 3, 2, 1, 0, 3};
    struct lineage got;
    struct writer w = writer_of(wire, sizeof(wire));
    lineage_encode(&w, &lineage);
    ck_assert_uint_eq(writer_length(&w), LINEAGE_BYTES);
    struct reader r = reader_of(wire, LINEAGE_BYTES);
    lineage_decode(&r, &got);
    ck_assert(!r.bad && lineage_same(&got, &lineage));
    ck_assert_uint_eq(got.head_generation, 3);
    ck_assert_uint_eq(got.kept_generation, 3);
}
END_TEST

START_TEST(lineages_of_other_commands_differ)
{
    struct lineage a = {.command = 1, .command_identity = uuid_of(2)};
    struct lineage b = a;
    ck_assert(lineage_same(&a, &b));
    b.command_identity = uuid_of(3);
    ck_assert(!lineage_same(&a, &b));
    b = a;
    b.command = 2;
    ck_assert(!lineage_same(&a, &b));
}
END_TEST

START_TEST(chunk_of_the_book_comes_back)
{
    struct message_book book = {7, uuid_of(1), 3, 2, uuid_of(8), 99};
    struct message_book got;
    struct book_entry sealed = {
        .type = BOOK_GENERATION, .generation = 2, .identity = uuid_of(4), .complete = true};
    struct book_entry row = {
        .type = BOOK_ROW, .key = "owner", .value_bytes = 2, .value = (const uint8_t *)"me"};
    struct book_entry entry;
    struct writer w = writer_of(wire, sizeof(wire));
    message_book_encode(&w, &book);
    book_entry_encode(&w, &sealed);
    book_entry_encode(&w, &row);
    struct reader r = reader_of(wire, writer_length(&w));
    message_book_decode(&r, &got);
    ck_assert_uint_eq(got.command, 7);
    ck_assert_uint_eq(got.head_base, 2);
    ck_assert_uint_eq(got.next_cursor, 99);
    book_entry_decode(&r, &entry);
    ck_assert_int_eq(entry.type, BOOK_GENERATION);
    ck_assert(entry.complete && uuid_equal(&entry.identity, &sealed.identity));
    book_entry_decode(&r, &entry);
    ck_assert_int_eq(entry.type, BOOK_ROW);
    ck_assert_str_eq(entry.key, "owner");
    ck_assert_mem_eq(entry.value, "me", 2);
    ck_assert(!r.bad && reader_left(&r) == 0);
}
END_TEST

START_TEST(generation_from_a_later_one_is_malformed)
{
    struct book_entry entry = {
        .type = BOOK_GENERATION, .generation = 2, .identity = uuid_of(4), .base_generation = 2};
    struct book_entry got;
    struct writer w = writer_of(wire, sizeof(wire));
    book_entry_encode(&w, &entry);
    struct reader r = reader_of(wire, writer_length(&w));
    book_entry_decode(&r, &got);
    ck_assert(r.bad);
}
END_TEST

START_TEST(unknown_entry_is_malformed)
{
    struct book_entry got;
    memset(wire, 0, sizeof(wire));
    wire[0] = 3;
    struct reader r = reader_of(wire, 64);
    book_entry_decode(&r, &got);
    ck_assert(r.bad);
}
END_TEST

START_TEST(run_comes_back)
{
    struct diff_run run = {.length_bytes = 1ull << 50, .state = DIFF_ZERO};
    struct diff_run got;
    struct writer w = writer_of(wire, sizeof(wire));
    diff_run_encode(&w, &run);
    struct reader r = reader_of(wire, 8);
    diff_run_decode(&r, &got);
    ck_assert(!r.bad);
    ck_assert_uint_eq(got.length_bytes, run.length_bytes);
    ck_assert_int_eq(got.state, DIFF_ZERO);
}
END_TEST

START_TEST(run_of_no_state_or_length_is_malformed)
{
    static const uint64_t values[] = {4096u << 2 | 3, 2, 100u << 2 | 2};
    struct diff_run got;
    struct writer w = writer_of(wire, sizeof(wire));
    write_u64(&w, values[_i]);
    struct reader r = reader_of(wire, 8);
    diff_run_decode(&r, &got);
    ck_assert(r.bad);
}
END_TEST

START_TEST(digest_comes_back)
{
    struct message_digest digest = {.state = DIGEST_KNOWN, .done_bytes = 5, .total_bytes = 5};
    struct message_digest got;
    memset(digest.sha256, 7, sizeof(digest.sha256));
    struct writer w = writer_of(wire, sizeof(wire));
    message_digest_encode(&w, &digest);
    struct reader r = reader_of(wire, writer_length(&w));
    message_digest_decode(&r, &got);
    ck_assert(!r.bad);
    ck_assert_int_eq(got.state, DIGEST_KNOWN);
    ck_assert_mem_eq(got.sha256, digest.sha256, sizeof(digest.sha256));
}
END_TEST

START_TEST(digest_that_did_more_than_all_is_malformed)
{
    struct message_digest digest = {.state = DIGEST_KNOWN, .done_bytes = 6, .total_bytes = 5};
    struct message_digest got;
    struct writer w = writer_of(wire, sizeof(wire));
    message_digest_encode(&w, &digest);
    struct reader r = reader_of(wire, writer_length(&w));
    message_digest_decode(&r, &got);
    ck_assert(r.bad);
}
END_TEST

START_TEST(space_and_questions_come_back)
{
    struct message_space space = {4, 3, 2, 1};
    struct message_space got;
    struct message_diff_ask diff = {17};
    struct message_hash_ask hash = {{1, 2, 3}};
    struct writer w = writer_of(wire, sizeof(wire));
    message_space_encode(&w, &space);
    message_diff_ask_encode(&w, &diff);
    message_hash_ask_encode(&w, &hash);
    struct reader r = reader_of(wire, writer_length(&w));
    diff.from_generation = 0;
    hash.key[2] = 0;
    message_space_decode(&r, &got);
    message_diff_ask_decode(&r, &diff);
    message_hash_ask_decode(&r, &hash);
    ck_assert(!r.bad && reader_left(&r) == 0);
    ck_assert_uint_eq(got.logical_bytes, 4);
    ck_assert_uint_eq(got.reclaimable_bytes, 1);
    ck_assert_uint_eq(diff.from_generation, 17);
    ck_assert_uint_eq(hash.key[2], 3);
}
END_TEST

START_TEST(checksums_stand_in_the_place_of_hashes)
{
    struct buf_pool pool;
    uint8_t hashes[2 * HASH_BYTES], zeros[HASH_BYTES - 4] = {0};
    buf_pool_init(&pool, 1 << 20);
    struct slice data = slice_get(&pool, 5 * BLOCK_BYTES);
    for (uint32_t i = 0; i < 5; i++)
        slice_crc(&data)[i] = 0x01020300u + i;
    memset(hashes, 0xff, sizeof(hashes));
    hash_sums(&data, hashes);
    ck_assert_mem_eq(hashes + 4, "\1\2\3\1", 4);
    ck_assert_mem_eq(hashes + HASH_BYTES, "\1\2\3\4", 4);
    ck_assert_mem_eq(hashes + HASH_BYTES + 4, zeros, sizeof(zeros));
    slice_release(&data);
    buf_pool_release(&pool);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire/generation");
    TCase *tests = tcase_create("generation");
    tcase_add_test(tests, command_comes_back);
    tcase_add_test(tests, longest_command_keeps_its_limit);
    tcase_add_test(tests, command_cut_short_is_malformed);
    tcase_add_loop_test(tests, command_that_breaks_a_rule_is_malformed, 0,
                        (int)ARRAY_COUNT(breaches));
    tcase_add_test(tests, row_may_be_removed_and_need_not_be_there);
    tcase_add_test(tests, lineage_comes_back);
    tcase_add_test(tests, lineages_of_other_commands_differ);
    tcase_add_test(tests, chunk_of_the_book_comes_back);
    tcase_add_test(tests, generation_from_a_later_one_is_malformed);
    tcase_add_test(tests, unknown_entry_is_malformed);
    tcase_add_test(tests, run_comes_back);
    tcase_add_loop_test(tests, run_of_no_state_or_length_is_malformed, 0, 3);
    tcase_add_test(tests, digest_comes_back);
    tcase_add_test(tests, digest_that_did_more_than_all_is_malformed);
    tcase_add_test(tests, space_and_questions_come_back);
    tcase_add_test(tests, checksums_stand_in_the_place_of_hashes);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
