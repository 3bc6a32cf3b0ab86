/* SPDX-License-Identifier: Apache-2.0 */
/* Digests with their generations, and the hashes' rows. */
#include "tests/unit/replica/map/fixture.h"

enum { SIZE_BLOCKS = 4096 };

static struct uuid uuid;
static struct map_volume *volume;
static const uint8_t content[16] = "something";
static struct digest_group group;

static int command(uint64_t number, enum command_kind kind, uint64_t generation)
{
    uint8_t body[512];
    const struct message_command c = {.number = number,
                                      .kind = kind,
                                      .generation = generation,
                                      .identity = fixture_uuid((uint32_t)number)};
    struct writer w = writer_of(body, sizeof(body));
    message_command_encode(&w, &c);
    return map_command(volume, body, (uint32_t)writer_length(&w));
}

/* A volume whose generation 1 is sealed. */
static void setup(void)
{
    uint32_t family;
    fixture_setup();
    uuid = fixture_uuid(1);
    ck_assert_int_eq(map_volume_create(fixture_map, &uuid, (uint64_t)SIZE_BLOCKS * BLOCK, NULL, 0,
                                       false, &family),
                     0);
    ck_assert_int_eq(map_volume_open(fixture_map, &uuid, &volume), 0);
    ck_assert_int_eq(command(1, COMMAND_SEAL, 1), 0);
    digest_group_clear(&group);
    digest_group_set(&group, 5, content, sizeof(content));
    digest_group_set(&group, 1023, content, sizeof(content));
}

static void teardown(void)
{
    if (volume)
        map_volume_close(volume);
    fixture_teardown();
}

static void reopen(void)
{
    volume = fixture_reopen(volume, &uuid);
    ck_assert_ptr_nonnull(volume);
}

static int digest_of(uint64_t generation, uint8_t sha256[DIGEST_BYTES])
{
    struct uuid identity;
    return map_digest(volume, generation, &identity, sha256);
}

static void set_digest(void)
{
    uint8_t sha256[DIGEST_BYTES];
    const struct uuid identity = fixture_uuid(1);
    memset(sha256, 7, sizeof(sha256));
    ck_assert_int_eq(map_digest_set(volume, 1, &identity, sha256), 0);
}

static void store(uint64_t number, const struct map_hashes *state)
{
    ck_assert_int_eq(
        map_hashes_store_work(fixture_map, map_volume_number(volume), number, &group, state), 0);
}

START_TEST(digest_stays_with_the_generation)
{
    uint8_t sha256[DIGEST_BYTES], want[DIGEST_BYTES];
    memset(want, 7, sizeof(want));
    ck_assert_int_eq(digest_of(1, sha256), 0);
    set_digest();
    ck_assert_int_eq(digest_of(1, sha256), 1);
    reopen();
    ck_assert_int_eq(digest_of(1, sha256), 1);
    ck_assert_mem_eq(sha256, want, sizeof(want));
    fixture_fold();
    reopen();
    ck_assert_int_eq(digest_of(1, sha256), 1);
    ck_assert_mem_eq(sha256, want, sizeof(want));
    fixture_check(NULL);
}
END_TEST

START_TEST(digest_goes_with_the_generation)
{
    uint8_t sha256[DIGEST_BYTES];
    set_digest();
    ck_assert_int_eq(command(2, COMMAND_DROP, 1), 0);
    ck_assert_int_eq(digest_of(1, sha256), -ENOENT);
}
END_TEST

START_TEST(digest_of_another_identity_is_not_taken)
{
    const uint8_t sha256[DIGEST_BYTES] = {1};
    const struct uuid other = fixture_uuid(2);
    ck_assert_int_eq(map_digest_set(volume, 1, &other, sha256), -ENOENT);
}
END_TEST

START_TEST(head_has_no_digest)
{
    uint8_t sha256[DIGEST_BYTES];
    ck_assert_int_eq(digest_of(0, sha256), -ENOENT);
    ck_assert_int_eq(digest_of(2, sha256), -ENOENT);
}
END_TEST

/* A book from elsewhere, in which generation 1 counts as incomplete here. */
START_TEST(what_becomes_incomplete_has_none)
{
    uint8_t sha256[DIGEST_BYTES], body[65536];
    set_digest();
    int length = map_book_read(volume, 0, body, sizeof(body));
    ck_assert_int_gt(length, 0);
    ck_assert_int_eq(map_install(volume, body, (uint32_t)length, false, true), 0);
    ck_assert_int_eq(digest_of(1, sha256), -ENOENT);
    ck_assert_int_eq(map_settle(volume, 1), 0);
    ck_assert_int_eq(digest_of(1, sha256), 0);
}
END_TEST

START_TEST(hashes_come_back)
{
    static struct digest_group got;
    struct map_hashes state = {.to = 1, .to_identity = fixture_uuid(1), .next_group = 8}, found;
    bool known;
    uint32_t number = map_volume_number(volume);
    store(7, &state);
    reopen();
    ck_assert_int_eq(map_hashes_load_work(fixture_map, number, 7, &got), 0);
    ck_assert_uint_eq(got.count, 2);
    for (uint32_t i = 0; i < DIGEST_GROUP_PIECES; i++)
        ck_assert(digest_group_same(&group, &got, i));
    ck_assert_int_eq(map_hashes_state_work(fixture_map, number, &found, &known), 0);
    ck_assert(known && found.from == 0 && found.to == 1 && found.next_group == 8);
    ck_assert(uuid_equal(&found.to_identity, &state.to_identity));
}
END_TEST

START_TEST(hashes_of_zeros_take_no_row)
{
    static struct digest_group got;
    const struct map_hashes state = {.to = 1};
    store(0, &state);
    digest_group_clear(&group);
    store(0, &state);
    ck_assert_int_eq(map_hashes_load_work(fixture_map, map_volume_number(volume), 0, &got), 0);
    ck_assert_uint_eq(got.count, 0);
}
END_TEST

START_TEST(digest_is_made_of_the_groups)
{
    const struct map_hashes state = {.from = 1};
    uint8_t sha256[DIGEST_BYTES], want[DIGEST_BYTES], hash[DIGEST_BYTES];
    struct digest *digest = digest_new();
    digest_group_hash(&group, hash);
    digest_add(digest, 3, hash);
    digest_add(digest, 6, hash);
    digest_end(digest, want);
    digest_free(digest);
    store(3, &state);
    store(6, &state);
    ck_assert_int_eq(map_hashes_end_work(fixture_map, map_volume_number(volume), &state, sha256),
                     0);
    ck_assert_mem_eq(sha256, want, sizeof(want));
}
END_TEST

START_TEST(cleared_hashes_are_unknown)
{
    const struct map_hashes state = {.from = 1};
    struct map_hashes found;
    bool known, ended;
    uint32_t number = map_volume_number(volume);
    store(3, &state);
    ck_assert_int_eq(map_hashes_clear_work(fixture_map, number, &ended), 0);
    ck_assert(ended);
    ck_assert_int_eq(map_hashes_state_work(fixture_map, number, &found, &known), 0);
    ck_assert(!known);
}
END_TEST

START_TEST(hashes_go_with_the_volume)
{
    static struct digest_group got;
    const struct map_hashes state = {.from = 1};
    uint32_t family, number = map_volume_number(volume);
    store(3, &state);
    map_volume_close(volume);
    volume = NULL;
    ck_assert_int_eq(map_volume_delete(fixture_map, &uuid, &family), 0);
    fixture_fold();
    fixture_reclaim();
    ck_assert_int_eq(map_hashes_load_work(fixture_map, number, 3, &got), 0);
    ck_assert_uint_eq(got.count, 0);
    fixture_check(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("digest");
    TCase *tcase = tcase_create("digest");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, digest_stays_with_the_generation);
    tcase_add_test(tcase, digest_goes_with_the_generation);
    tcase_add_test(tcase, digest_of_another_identity_is_not_taken);
    tcase_add_test(tcase, head_has_no_digest);
    tcase_add_test(tcase, what_becomes_incomplete_has_none);
    tcase_add_test(tcase, hashes_come_back);
    tcase_add_test(tcase, hashes_of_zeros_take_no_row);
    tcase_add_test(tcase, digest_is_made_of_the_groups);
    tcase_add_test(tcase, cleared_hashes_are_unknown);
    tcase_add_test(tcase, hashes_go_with_the_volume);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
