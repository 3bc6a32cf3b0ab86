/* SPDX-License-Identifier: Apache-2.0 */
/* S10: digests of sealed generations, computed and verified. */
#include "common/digest/digest.h"
#include "tests/unit/replica/store/requests.h"

enum { MIB = 1 << 20, PIECES = FIXTURE_SIZE_BYTES / MIB };

static uint8_t content[FIXTURE_SIZE_BYTES]; /* of the head */
static uint64_t command;
static uint64_t head;

static void setup(void)
{
    fixture_setup_volume();
    memset(content, 0, sizeof(content));
    command = 0;
    head = 1;
}

static void put(uint64_t offset_bytes, uint32_t length_bytes, int letter)
{
    memset(content + offset_bytes, letter, length_bytes);
    for (uint32_t at = 0; at < length_bytes; at += MIB) {
        uint32_t length = length_bytes - at < MIB ? length_bytes - at : MIB;
        const uint8_t *bytes = content + offset_bytes + at;
        ck_assert_int_eq(fixture_write(offset_bytes + at, bytes, length, false), 0);
    }
}

static void give_command(enum command_kind kind, uint64_t generation)
{
    struct message_command message = {.number = ++command, .kind = kind, .generation = generation};
    message.identity.bytes[0] = 9;
    memcpy(message.identity.bytes + 8, &message.number, sizeof(message.number));
    struct slice body = slice_get(&fixture_bufs, COMMAND_BYTES_MAX);
    struct writer w = writer_of(body.bytes, body.length_bytes);
    message_command_encode(&w, &message);
    body.length_bytes = (uint32_t)writer_length(&w);
    struct store_req req = {.op = STORE_COMMAND, .data = body};
    ck_assert_int_eq(fixture_do(&req), 0);
    slice_release(&body);
    head = req.lineage.head_generation;
}

static void seal(void)
{
    give_command(COMMAND_SEAL, head);
}

static int ask(uint64_t generation, bool verify, struct message_digest *message)
{
    struct store_req req = {.op = STORE_DIGEST,
                            .generation = generation,
                            .verify = verify,
                            .reply = slice_get(&fixture_bufs, 4096)};
    int status = fixture_do(&req);
    struct reader r = reader_of(req.reply.bytes, req.reply.length_bytes);
    if (status == 0)
        message_digest_decode(&r, message);
    ck_assert(!r.bad);
    slice_release(&req.reply);
    return status;
}

static void on_pause(struct loop_timer *timer)
{
    (void)timer;
    loop_stop(&fixture_loop);
}

/* The background goes on meanwhile. */
static void pause_ms(uint64_t ms)
{
    struct loop_timer timer;
    loop_timer_init(&timer, &fixture_loop, on_pause);
    loop_timer_start(&timer, ms * 1000000);
    loop_run(&fixture_loop);
}

/* Asks until it is over. */
static struct message_digest learn(uint64_t generation, bool verify)
{
    struct message_digest message;
    ck_assert_int_eq(ask(generation, verify, &message), 0);
    while (message.state == DIGEST_COMPUTING) {
        pause_ms(1);
        ck_assert_int_eq(ask(generation, false, &message), 0);
    }
    return message;
}

/* What the head's content is called. */
static const uint8_t *name(void)
{
    static struct digest_group group;
    static uint8_t sha256[DIGEST_BYTES];
    uint8_t hash[DIGEST_BYTES];
    struct digest *digest = digest_new();
    digest_group_clear(&group);
    for (uint32_t i = 0; i < PIECES; i++)
        digest_group_set(&group, i, content + (size_t)i * MIB, MIB);
    digest_group_hash(&group, hash);
    if (group.count > 0)
        digest_add(digest, 0, hash);
    digest_end(digest, sha256);
    digest_free(digest);
    return sha256;
}

static void check_name(const struct message_digest *message)
{
    ck_assert_int_eq(message->state, DIGEST_KNOWN);
    ck_assert_mem_eq(message->sha256, name(), DIGEST_BYTES);
    ck_assert_uint_eq(message->done_bytes, message->total_bytes);
}

/* A byte of the volume's first file, and with `sums` its block's checksum, too. */
static void spoil(uint64_t offset_bytes, bool sums)
{
    FILE *file = fopen(fixture_data(), "r+b");
    uint8_t block[4096];
    long begin = (long)(offset_bytes / 4096 * 4096);
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, begin, SEEK_SET), 0);
    ck_assert_uint_eq(fread(block, sizeof(block), 1, file), 1);
    block[offset_bytes % 4096] ^= 1;
    ck_assert_int_eq(fseek(file, begin, SEEK_SET), 0);
    ck_assert_uint_eq(fwrite(block, sizeof(block), 1, file), 1);
    struct slice slice = fixture_slice(block, sizeof(block));
    ck_assert_int_eq(fseek(file, (1l << 40) + begin / 1024, SEEK_SET), 0);
    if (sums)
        ck_assert_uint_eq(fwrite(slice_crc(&slice), 4, 1, file), 1);
    slice_release(&slice);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(s10_digest_is_that_of_the_content)
{
    put(0, MIB, 'a');
    put(3 * MIB - 4096, 8192, 'b');
    seal();
    struct message_digest message = learn(1, false);
    check_name(&message);
}
END_TEST

START_TEST(s10_volume_without_content_has_a_digest)
{
    seal();
    struct message_digest message = learn(1, false);
    check_name(&message);
}
END_TEST

START_TEST(s10_written_zeros_are_as_good_as_holes)
{
    put(MIB, 4096, 0);
    put(0, 4096, 'z');
    ck_assert_int_eq(fixture_zero(0, 4096, false), 0);
    memset(content, 0, 4096);
    seal();
    struct message_digest message = learn(1, false);
    check_name(&message);
}
END_TEST

/* A byte at the same place of each group but the second, in pieces of zeros. */
static void check_name_of_groups(const struct message_digest *message, const int letters[4])
{
    static struct digest_group group;
    static uint8_t piece[MIB];
    uint8_t hash[DIGEST_BYTES], sha256[DIGEST_BYTES];
    struct digest *digest = digest_new();
    for (uint32_t i = 0; i < 4; i++) {
        digest_group_clear(&group);
        memset(piece, letters[i], 4096);
        digest_group_set(&group, i * 341, piece, MIB);
        digest_group_hash(&group, hash);
        if (group.count > 0)
            digest_add(digest, i, hash);
    }
    digest_end(digest, sha256);
    digest_free(digest);
    ck_assert_int_eq(message->state, DIGEST_KNOWN);
    ck_assert_mem_eq(message->sha256, sha256, DIGEST_BYTES);
}

static void put_in_group(uint32_t group, int letter)
{
    uint8_t block[4096];
    memset(block, letter, sizeof(block));
    uint64_t at = group * DIGEST_GROUP_BYTES + (uint64_t)group * 341 * MIB;
    ck_assert_int_eq(fixture_write(at, block, sizeof(block), false), 0);
}

START_TEST(s10_content_in_several_groups)
{
    struct store_req grow = {.op = STORE_GROW,
                             .length_bytes = 4 * DIGEST_GROUP_BYTES,
                             .plane_bytes = FIXTURE_PLANE_BYTES};
    ck_assert_int_eq(fixture_do(&grow), 0);
    put_in_group(0, 'a');
    put_in_group(2, 'b');
    put_in_group(3, 'c');
    seal();
    struct message_digest message = learn(1, false);
    check_name_of_groups(&message, (const int[]){'a', 0, 'b', 'c'});
    put_in_group(3, 'd');
    seal();
    message = learn(2, false);
    check_name_of_groups(&message, (const int[]){'a', 0, 'b', 'd'});
    message = learn(1, true);
    check_name_of_groups(&message, (const int[]){'a', 0, 'b', 'c'});
}
END_TEST

START_TEST(s10_head_and_unknown_generation_have_none)
{
    struct message_digest message;
    seal();
    ck_assert_int_eq(ask(0, false, &message), -ENOENT);
    ck_assert_int_eq(ask(2, false, &message), -ENOENT);
    ck_assert_int_eq(ask(7, false, &message), -ENOENT);
}
END_TEST

/* What did not change is not read: the damage there is found by a verification alone. */
START_TEST(s10_next_digest_reads_what_changed)
{
    put(0, MIB, 'a');
    put(MIB, MIB, 'b');
    seal();
    struct message_digest message = learn(1, false);
    check_name(&message);
    spoil(77, false);
    put(MIB + 4096, 4096, 'c');
    seal();
    message = learn(2, false);
    check_name(&message);
    message = learn(2, true);
    ck_assert_int_eq(message.state, DIGEST_BAD);
    ck_assert_uint_eq(message.done_bytes, 0);
}
END_TEST

START_TEST(s10_older_one_after_a_newer_one)
{
    uint8_t former[DIGEST_BYTES];
    put(0, MIB, 'a');
    memcpy(former, name(), sizeof(former));
    seal();
    ck_assert_int_eq(fixture_zero(0, 8192, false), 0);
    memset(content, 0, 8192);
    put(2 * MIB, MIB, 'b');
    seal();
    struct message_digest message = learn(2, false);
    check_name(&message);
    message = learn(1, false);
    ck_assert_mem_eq(message.sha256, former, sizeof(former));
    message = learn(2, false);
    check_name(&message);
}
END_TEST

START_TEST(s10_after_the_one_before_was_deleted)
{
    put(0, MIB, 'a');
    seal();
    (void)learn(1, false);
    give_command(COMMAND_DROP, 1);
    put(MIB, 4096, 'b');
    seal();
    struct message_digest message = learn(2, false);
    check_name(&message);
}
END_TEST

START_TEST(s10_after_a_revert)
{
    put(0, MIB, 'a');
    seal();
    put(0, MIB, 'b');
    seal();
    (void)learn(2, false);
    give_command(COMMAND_REVERT, 1);
    memset(content, 'a', MIB);
    put(MIB, 4096, 'c');
    seal();
    struct message_digest message = learn(head - 1, false);
    check_name(&message);
}
END_TEST

START_TEST(s10_digest_is_kept)
{
    put(0, MIB, 'a');
    seal();
    (void)learn(1, false);
    fixture_reopen();
    struct message_digest message;
    ck_assert_int_eq(ask(1, false, &message), 0);
    check_name(&message);
}
END_TEST

START_TEST(s10_closed_in_between_it_is_computed_later)
{
    struct message_digest message;
    put(0, FIXTURE_SIZE_BYTES / 4, 'a');
    seal();
    ck_assert_int_eq(ask(1, false, &message), 0);
    ck_assert_int_eq(message.state, DIGEST_COMPUTING);
    fixture_reopen();
    message = learn(1, false);
    check_name(&message);
}
END_TEST

START_TEST(s10_deleted_in_between_it_is_not_found)
{
    struct message_digest message;
    put(0, MIB, 'a');
    seal();
    ck_assert_int_eq(ask(1, false, &message), 0);
    give_command(COMMAND_DROP, 1);
    ck_assert_int_eq(ask(1, false, &message), -ENOENT);
    seal();
    message = learn(2, false);
    check_name(&message);
}
END_TEST

START_TEST(s10_many_at_a_time)
{
    uint8_t names[8][DIGEST_BYTES];
    struct message_digest message;
    for (uint64_t i = 0; i < 8; i++) {
        put(i % PIECES * MIB, MIB, 'a' + (int)i);
        memcpy(names[i], name(), DIGEST_BYTES);
        seal();
    }
    for (uint64_t i = 8; i > 0; i--)
        ck_assert_int_eq(ask(i, false, &message), 0);
    for (uint64_t i = 0; i < 8; i++) {
        message = learn(i + 1, false);
        ck_assert_mem_eq(message.sha256, names[i], DIGEST_BYTES);
    }
}
END_TEST

START_TEST(s10_verified_content_is_known)
{
    put(MIB, MIB, 'a');
    seal();
    struct message_digest message = learn(1, true);
    check_name(&message);
    message = learn(1, true);
    check_name(&message);
}
END_TEST

START_TEST(s10_piece_that_cannot_be_read_is_named)
{
    put(0, 2 * MIB, 'a');
    seal();
    (void)learn(1, false);
    spoil(MIB + 4097, false);
    struct message_digest message = learn(1, true);
    ck_assert_int_eq(message.state, DIGEST_BAD);
    ck_assert_uint_ge(message.done_bytes, MIB);
    ck_assert_uint_lt(message.done_bytes, 2 * MIB);
    ck_assert_int_eq(ask(1, false, &message), 0);
    ck_assert_int_eq(message.state, DIGEST_BAD);
}
END_TEST

/* Its checksum agrees with it. */
START_TEST(s10_piece_that_was_forged_is_named)
{
    put(0, 3 * MIB, 'a');
    seal();
    (void)learn(1, false);
    spoil(2 * MIB + 5, true);
    struct message_digest message = learn(1, true);
    ck_assert_int_eq(message.state, DIGEST_BAD);
    ck_assert_uint_eq(message.done_bytes, 2 * MIB);
}
END_TEST

START_TEST(s10_forged_content_of_an_older_one_is_found)
{
    put(0, 3 * MIB, 'a');
    seal();
    (void)learn(1, false);
    put(0, MIB, 'b');
    seal();
    (void)learn(2, false);
    spoil(5, true);
    struct message_digest message = learn(1, true);
    ck_assert_int_eq(message.state, DIGEST_BAD);
    ck_assert_uint_eq(message.done_bytes, message.total_bytes);
    message = learn(2, true);
    check_name(&message);
}
END_TEST

START_TEST(s10_repaired_content_is_good_again)
{
    put(0, MIB, 'a');
    seal();
    (void)learn(1, false);
    spoil(5, true);
    struct message_digest message = learn(1, true);
    ck_assert_int_eq(message.state, DIGEST_BAD);
    spoil(5, true);
    message = learn(1, true);
    check_name(&message);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("digest");
    TCase *tcase = tcase_create("digest");
    tcase_add_checked_fixture(tcase, setup, fixture_teardown_volume);
    tcase_add_test(tcase, s10_digest_is_that_of_the_content);
    tcase_add_test(tcase, s10_volume_without_content_has_a_digest);
    tcase_add_test(tcase, s10_written_zeros_are_as_good_as_holes);
    tcase_add_test(tcase, s10_content_in_several_groups);
    tcase_add_test(tcase, s10_head_and_unknown_generation_have_none);
    tcase_add_test(tcase, s10_next_digest_reads_what_changed);
    tcase_add_test(tcase, s10_older_one_after_a_newer_one);
    tcase_add_test(tcase, s10_after_the_one_before_was_deleted);
    tcase_add_test(tcase, s10_after_a_revert);
    tcase_add_test(tcase, s10_digest_is_kept);
    tcase_add_test(tcase, s10_closed_in_between_it_is_computed_later);
    tcase_add_test(tcase, s10_deleted_in_between_it_is_not_found);
    tcase_add_test(tcase, s10_many_at_a_time);
    tcase_add_test(tcase, s10_verified_content_is_known);
    tcase_add_test(tcase, s10_piece_that_cannot_be_read_is_named);
    tcase_add_test(tcase, s10_piece_that_was_forged_is_named);
    tcase_add_test(tcase, s10_forged_content_of_an_older_one_is_found);
    tcase_add_test(tcase, s10_repaired_content_is_good_again);
    suite_add_tcase(suite, tcase);
    return fixture_suite_run(suite);
}
