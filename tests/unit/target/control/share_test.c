/* SPDX-License-Identifier: Apache-2.0 */
/* Several targets with the same replicas: each opens only its own volumes. */
#include "tests/unit/target/control/fixture.h"

#include <stdio.h>

START_TEST(volume_of_another_name_is_not_opened)
{
    struct config config = config_of("v1", 3, 5);
    control->share.names = "scratch-*,other";
    peer_tells(0, &config, 0);
    peer_tells(1, &config, 1);
    peer_comes(0);
    peer_comes(1);
    ck_assert_uint_eq(volumes_open, 0);
    ask(HTTP_GET, "/v1/volumes/v1", "", "");
    ck_assert_uint_eq(answer_code, 200);
    ck_assert_ptr_nonnull(strstr(answer_text("why"), "--volumes"));
}
END_TEST

START_TEST(volume_of_a_fitting_name_is_opened)
{
    struct config config = config_of("scratch-7", 3, 5);
    control->share.names = "other,scratch-*";
    peer_tells(0, &config, 0);
    peer_comes(0);
    ck_assert_uint_eq(volumes_open, 1);
}
END_TEST

START_TEST(volume_of_another_name_is_neither_made_nor_deleted)
{
    struct config config = config_of("v1", 3, 5);
    control->share.names = "scratch-*";
    peer_tells(0, &config, 0);
    peer_tells(1, &config, 1);
    peer_comes(0);
    peer_comes(1);
    ask(HTTP_DELETE, "/v1/volumes/v1", "", "");
    refused(409, "--volumes");
    ask(HTTP_POST, "/v1/volumes", "", "{\"name\": \"v2\", \"size_bytes\": 1048576}");
    refused(409, "this target serves only scratch-*");
    ck_assert_uint_eq(call_count, 0);
}
END_TEST

START_TEST(every_volume_belongs_to_one_share)
{
    for (uint32_t i = 0; i < 100; i++) {
        struct uuid id;
        uint32_t owners = 0;
        ck_assert(id_new(&id));
        for (uint32_t number = 1; number <= 3; number++) {
            struct control_share share = {.number = number, .count = 3};
            owners += share_lacks(&share, "v", &id) == NULL;
        }
        ck_assert_uint_eq(owners, 1);
    }
}
END_TEST

START_TEST(what_a_share_makes_is_its_own)
{
    struct control_share share = {.number = 2, .count = 5};
    for (uint32_t i = 0; i < 20; i++) {
        struct uuid id;
        ck_assert(share_new_id(&share, &id));
        ck_assert_ptr_null(share_lacks(&share, "v", &id));
    }
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("share");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, volume_of_another_name_is_not_opened);
    tcase_add_test(tcase, volume_of_a_fitting_name_is_opened);
    tcase_add_test(tcase, volume_of_another_name_is_neither_made_nor_deleted);
    tcase_add_test(tcase, every_volume_belongs_to_one_share);
    tcase_add_test(tcase, what_a_share_makes_is_its_own);
    Suite *suite = suite_create("control");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
