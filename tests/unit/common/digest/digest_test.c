/* SPDX-License-Identifier: Apache-2.0 */
/* The digest of contents that another program computed. */
#include "common/digest/digest.h"
#include "tests/lib/suite.h"

#include <stdlib.h>
#include <string.h>

/* By tests/lib/digest.py. */
#define EMPTY      "sha256:45138608ab13ebaa57b8b41aaac0bba5cfd065686ae82d1cb030d7934e9b61fc"
#define HELLO      "sha256:8bf9db5e4d05118b7771ab3dae0ab025203c5f4fa7d2fe542c127b57e5e48575"
#define X_AT_3_MIB "sha256:75629ac2f843ea9730c9a87d66c0011b348eb5c9033f201bcf34bd9e8e4b7e08"
#define X_AT_2_GIB "sha256:b6199f8c99bf431cd84b497a38a913eeed34bc6dbc0d6839a8c8c4942186314d"

static struct digest_group group;
static uint8_t piece[DIGEST_PIECE_BYTES];

static void setup(void)
{
    digest_group_clear(&group);
    memset(piece, 'x', sizeof(piece));
}

static const char *end_text(struct digest *digest)
{
    static char text[DIGEST_TEXT_MAX];
    uint8_t sha256[DIGEST_BYTES];
    digest_end(digest, sha256);
    digest_free(digest);
    digest_text(sha256, text);
    return text;
}

static const char *text_of_group(uint64_t number)
{
    uint8_t hash[DIGEST_BYTES];
    struct digest *digest = digest_new();
    digest_group_hash(&group, hash);
    digest_add(digest, number, hash);
    return end_text(digest);
}

START_TEST(nothing_has_a_digest)
{
    ck_assert_str_eq(end_text(digest_new()), EMPTY);
}
END_TEST

START_TEST(short_piece_is_filled_up_with_zeros)
{
    digest_group_set(&group, 0, (const uint8_t *)"hello", 5);
    ck_assert_str_eq(text_of_group(0), HELLO);
    memset(piece, 0, sizeof(piece));
    memcpy(piece, "hello", 5);
    digest_group_set(&group, 0, piece, sizeof(piece));
    ck_assert_str_eq(text_of_group(0), HELLO);
}
END_TEST

START_TEST(piece_at_its_place)
{
    digest_group_set(&group, 3, piece, sizeof(piece));
    ck_assert_str_eq(text_of_group(0), X_AT_3_MIB);
}
END_TEST

START_TEST(groups_of_zeros_before_count)
{
    digest_group_set(&group, 0, piece, sizeof(piece));
    ck_assert_str_eq(text_of_group(2), X_AT_2_GIB);
}
END_TEST

START_TEST(zeros_are_none)
{
    memset(piece, 0, sizeof(piece));
    digest_group_set(&group, 7, piece, sizeof(piece));
    ck_assert_uint_eq(group.count, 0);
}
END_TEST

START_TEST(piece_that_became_zeros_is_none)
{
    digest_group_set(&group, 7, piece, sizeof(piece));
    ck_assert_uint_eq(group.count, 1);
    digest_group_set_zero(&group, 7);
    ck_assert_uint_eq(group.count, 0);
}
END_TEST

START_TEST(pieces_are_compared)
{
    static struct digest_group other;
    digest_group_clear(&other);
    ck_assert(digest_group_same(&group, &other, 5));
    digest_group_set(&group, 5, piece, sizeof(piece));
    ck_assert(!digest_group_same(&group, &other, 5));
    digest_group_set(&other, 5, piece, sizeof(piece));
    ck_assert(digest_group_same(&group, &other, 5));
    piece[77] ^= 1;
    digest_group_set(&other, 5, piece, sizeof(piece));
    ck_assert(!digest_group_same(&group, &other, 5));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("digest");
    TCase *tcase = tcase_create("digest");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, nothing_has_a_digest);
    tcase_add_test(tcase, short_piece_is_filled_up_with_zeros);
    tcase_add_test(tcase, piece_at_its_place);
    tcase_add_test(tcase, groups_of_zeros_before_count);
    tcase_add_test(tcase, zeros_are_none);
    tcase_add_test(tcase, piece_that_became_zeros_is_none);
    tcase_add_test(tcase, pieces_are_compared);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
