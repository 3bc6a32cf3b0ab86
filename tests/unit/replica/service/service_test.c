/* SPDX-License-Identifier: Apache-2.0 */
/* How a replica starts. */
#include "tests/unit/replica/service/frames.h"

static void rig_accept(struct rig *rig, uint64_t link, uint64_t epoch, uint64_t version,
                       uint8_t controller)
{
    uint8_t body[CONFIG_BYTES_MAX];
    struct config config = rig->create.config;
    config.epoch = epoch;
    config.version = version;
    config.controller = uuid_of(controller);
    struct writer w = writer_of(body, sizeof(body));
    config_encode(&w, &config);
    rig_frame(rig, link,
              (struct frame){
                  .type = FRAME_ACCEPT, .body = body, .body_bytes = (uint32_t)writer_length(&w)});
}

START_TEST(another_boot_with_writes_is_lossy_until_accepted)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_done_all(&rig);
    service_free(rig.service);
    rig.boot = uuid_of(5);
    rig_start(&rig, false);
    rig_open(&rig, 1, 2, CONTROLLER);
    rig_done_all(&rig);
    ck_assert(rig.opened.lossy);
    ck_assert_uint_eq(rig.opened.doubt_bytes, 4 << 20);
    rig_accept(&rig, 1, 2, 2, CONTROLLER);
    rig_done_all(&rig);
    rig_open(&rig, 1, 2, CONTROLLER);
    rig_done_all(&rig);
    ck_assert(!rig.opened.lossy);
    rig_end(&rig);
}
END_TEST

START_TEST(a_killed_process_of_the_same_boot_lost_nothing)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_done_all(&rig);
    service_free(rig.service);
    rig_start(&rig, true);
    rig_open(&rig, 1, 2, CONTROLLER);
    rig_done_all(&rig);
    ck_assert(!rig.opened.lossy);
    ck_assert_uint_eq(rig.opened.doubt_bytes, BLOCK_BYTES);
    rig_end(&rig);
}
END_TEST

START_TEST(with_both_metadata_copies_bad_it_does_not_start)
{
    struct rig rig;
    const char *why = NULL;
    rig_begin(&rig);
    memset(rig.meta, 0x55, sizeof(rig.meta));
    struct service_found found = {.meta = {rig.meta[0], rig.meta[1]}};
    ck_assert_ptr_null(service_new(&found, &rig.boot, &rig.ios, &rig.bufs, &why));
    ck_assert_ptr_nonnull(why);
    rig_end(&rig);
}
END_TEST

/* It starts again as a witness of a volume of two. */
static void rig_be_witness(struct rig *rig)
{
    struct config *config = &rig->create.config;
    rig_begin(rig);
    service_free(rig->service);
    rig->waiting_count = 0;
    rig->witness = true;
    config->member_count = 2;
    config->members[0].uuid = uuid_of(9);
    config->members[1] = (struct member){.uuid = uuid_of(2), .kind = MEMBER_WITNESS};
    for (int i = 0; i < META_COPIES; i++)
        service_meta_format(rig->meta[i], &rig->create, &rig->boot);
    rig_start(rig, true);
    rig_open(rig, 1, 2, CONTROLLER);
    rig_done_all(rig);
    ck_assert_uint_eq(rig->replies[0].status, FRAME_OK);
    rig->reply_count = 0;
}

START_TEST(a_witness_votes)
{
    struct rig rig;
    rig_be_witness(&rig);
    rig_accept(&rig, 1, 2, 2, CONTROLLER);
    rig_done_all(&rig);
    ck_assert_uint_eq(rig.replies[0].type, FRAME_ACCEPT);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_OK);
    rig_end(&rig);
}
END_TEST

START_TEST(a_witness_refuses_data)
{
    struct rig rig;
    rig_be_witness(&rig);
    rig_write(&rig, 1, 0);
    rig_frame(&rig, 1, (struct frame){.type = FRAME_READ, .length_bytes = BLOCK_BYTES});
    rig_frame(&rig, 1, (struct frame){.type = FRAME_FLUSH});
    rig_frame(&rig, 1, (struct frame){.type = FRAME_BOOK});
    ck_assert_uint_eq(rig.reply_count, 4);
    for (uint32_t i = 0; i < rig.reply_count; i++)
        ck_assert_uint_eq(rig.replies[i].status, FRAME_INVALID);
    ck_assert_uint_eq(rig.waiting_count, 0);
    rig_end(&rig);
}
END_TEST

START_TEST(a_witness_that_is_removed_still_knows_what_it_was)
{
    struct rig rig;
    rig_be_witness(&rig);
    rig.create.config.member_count = 1;
    rig_accept(&rig, 1, 2, 2, CONTROLLER);
    rig_done_all(&rig);
    service_free(rig.service);
    rig_start(&rig, true);
    rig_end(&rig);
}
END_TEST

START_TEST(who_is_made_to_be_added_later_has_accepted_nothing)
{
    struct rig rig;
    struct message_volume volume;
    const char *why;
    bool witness;
    rig_begin(&rig);
    rig.create.config.members[0].in_sync = false;
    rig.create.config.members[rig.create.config.member_count++] =
        (struct member){.uuid = uuid_of(9), .in_sync = true};
    service_meta_format(rig.meta[0], &rig.create, &rig.boot);
    const uint8_t *const copies[META_COPIES] = {rig.meta[0], rig.meta[0]};
    ck_assert(service_meta_read(copies, &volume, &witness, &why));
    ck_assert_uint_eq(volume.config.version, 0);
    ck_assert(!witness);
    rig_end(&rig);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("service");
    tcase_add_test(tcase, another_boot_with_writes_is_lossy_until_accepted);
    tcase_add_test(tcase, a_killed_process_of_the_same_boot_lost_nothing);
    tcase_add_test(tcase, with_both_metadata_copies_bad_it_does_not_start);
    tcase_add_test(tcase, a_witness_votes);
    tcase_add_test(tcase, a_witness_refuses_data);
    tcase_add_test(tcase, a_witness_that_is_removed_still_knows_what_it_was);
    tcase_add_test(tcase, who_is_made_to_be_added_later_has_accepted_nothing);
    Suite *suite = suite_create("service");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
