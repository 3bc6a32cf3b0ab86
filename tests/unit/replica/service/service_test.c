/* SPDX-License-Identifier: Apache-2.0 */
/* The service's rules: what is durable before what is answered, and who is listened to. */
#include "replica/service/service.h"

#include "tests/lib/suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_BYTES = 16 << 20, IOS_MAX = 64, REPLIES_MAX = 32, CONTROLLER = 9 };

/* A replica whose disk operations wait until the test ends them. */
struct rig {
    struct service *service;
    struct pool ios;
    struct buf_pool bufs;
    struct uuid boot;
    struct message_create create;
    uint8_t meta[META_COPIES][META_BYTES];
    uint8_t *drl;      /* the process's image */
    uint8_t *drl_disk; /* what was written */
    uint8_t *planes;
    struct service_io *waiting[IOS_MAX];
    uint32_t waiting_count;
    struct frame replies[REPLIES_MAX];
    uint64_t reply_links[REPLIES_MAX];
    struct message_opened opened;
    uint32_t reply_count;
    bool failed;
    uint64_t request;
};

static struct uuid uuid_of(uint8_t n)
{
    return (struct uuid){{n, 2}};
}

static void rig_drain(struct rig *rig)
{
    struct service_effect effect;
    while (service_next(rig->service, &effect)) {
        if (effect.kind == SERVICE_DO_IO)
            rig->waiting[rig->waiting_count++] = effect.io;
        rig->failed = rig->failed || effect.kind == SERVICE_DO_FAILED;
        if (effect.kind != SERVICE_DO_REPLY)
            continue;
        if (effect.frame.type == FRAME_OPEN && effect.frame.status == FRAME_OK) {
            struct reader r = reader_of(effect.frame.body, effect.frame.body_bytes);
            message_opened_decode(&r, &rig->opened);
            ck_assert(!r.bad);
        }
        rig->reply_links[rig->reply_count] = effect.link;
        rig->replies[rig->reply_count++] = effect.frame;
    }
    service_check(rig->service);
}

static void rig_start(struct rig *rig, bool same_boot)
{
    const char *why;
    uint64_t bytes = service_plane_bytes(SIZE_BYTES);
    memcpy(rig->drl, rig->drl_disk, service_drl_bytes(SIZE_BYTES));
    struct service_found found = {
        .meta = {rig->meta[0], rig->meta[1]},
        .drl = rig->drl,
        .drl_bytes = service_drl_bytes(SIZE_BYTES),
        .planes = {.current = rig->planes,
                   .old = rig->planes + bytes,
                   .away = rig->planes + 2 * bytes,
                   .bytes = bytes},
        .same_boot = same_boot,
    };
    rig->service = service_new(&found, &rig->boot, &rig->ios, &rig->bufs, &why);
    ck_assert_msg(rig->service != NULL, "%s", why);
    rig_drain(rig);
}

static void rig_begin(struct rig *rig)
{
    *rig = (struct rig){.boot = uuid_of(1)};
    ck_assert_int_eq(pool_init(&rig->ios, sizeof(struct service_io), IOS_MAX), 0);
    buf_pool_init(&rig->bufs, 1 << 24);
    rig->drl = calloc(1, service_drl_bytes(SIZE_BYTES));
    rig->drl_disk = calloc(1, service_drl_bytes(SIZE_BYTES));
    rig->planes = calloc(3, service_plane_bytes(SIZE_BYTES));
    rig->create.member = uuid_of(2);
    rig->create.config = (struct config){.volume = uuid_of(3),
                                         .name = "rig",
                                         .size_bytes = SIZE_BYTES,
                                         .block_bytes = 4096,
                                         .epoch = 1,
                                         .version = 1,
                                         .controller = uuid_of(4),
                                         .min_in_sync = 1,
                                         .member_count = 1,
                                         .members = {{.uuid = uuid_of(2), .in_sync = true}}};
    for (int i = 0; i < META_COPIES; i++)
        service_meta_format(rig->meta[i], &rig->create, &rig->boot);
    rig_start(rig, true);
}

/* Ends the oldest operation of this kind, as the disk would. */
static void rig_done(struct rig *rig, enum service_io_kind kind, int status)
{
    uint32_t i = 0;
    while (i < rig->waiting_count && rig->waiting[i]->kind != kind)
        i++;
    ck_assert_uint_lt(i, rig->waiting_count);
    struct service_io *io = rig->waiting[i];
    memmove(&rig->waiting[i], &rig->waiting[i + 1],
            (--rig->waiting_count - i) * sizeof(struct service_io *));
    io->status = status;
    if (kind == SERVICE_META && status == 0)
        memcpy(rig->meta[io->index], io->bytes, META_BYTES);
    if (kind == SERVICE_DRL && status == 0)
        memcpy(rig->drl_disk + (size_t)io->index * DRL_PAGE_BYTES, io->bytes, DRL_PAGE_BYTES);
    if (kind == SERVICE_READ && status == 0)
        io->data = slice_get(&rig->bufs, (uint32_t)io->length_bytes);
    service_step(rig->service, &(struct service_event){.kind = SERVICE_EV_IO_DONE, .io = io});
    rig_drain(rig);
}

static bool rig_waits(const struct rig *rig, enum service_io_kind kind)
{
    for (uint32_t i = 0; i < rig->waiting_count; i++) {
        if (rig->waiting[i]->kind == kind)
            return true;
    }
    return false;
}

static void rig_done_all(struct rig *rig)
{
    while (rig->waiting_count > 0)
        rig_done(rig, rig->waiting[0]->kind, 0);
}

static void rig_frame(struct rig *rig, uint64_t link, struct frame frame)
{
    frame.session = 1;
    frame.request = ++rig->request;
    service_step(rig->service,
                 &(struct service_event){.kind = SERVICE_EV_FRAME, .link = link, .frame = &frame});
    rig_drain(rig);
}

static void rig_open(struct rig *rig, uint64_t link, uint64_t epoch, uint8_t controller)
{
    uint8_t body[256];
    struct message_open open = {.volume = rig->create.config.volume,
                                .member = rig->create.member,
                                .epoch = epoch,
                                .controller = uuid_of(controller)};
    struct writer w = writer_of(body, sizeof(body));
    message_open_encode(&w, &open);
    rig_frame(rig, link,
              (struct frame){
                  .type = FRAME_OPEN, .body = body, .body_bytes = (uint32_t)writer_length(&w)});
}

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

static void rig_write(struct rig *rig, uint64_t link, uint64_t offset_bytes)
{
    struct slice data = slice_get(&rig->bufs, BLOCK_BYTES);
    rig_frame(rig, link,
              (struct frame){.type = FRAME_WRITE,
                             .offset_bytes = offset_bytes,
                             .length_bytes = BLOCK_BYTES,
                             .payload = data});
    slice_release(&data);
}

/* An open session of epoch 2 on link 1. */
static void rig_serve(struct rig *rig)
{
    rig_begin(rig);
    rig_open(rig, 1, 2, CONTROLLER);
    rig_done_all(rig);
    ck_assert_uint_eq(rig->reply_count, 1);
    ck_assert_uint_eq(rig->replies[0].status, FRAME_OK);
    rig->reply_count = 0;
}

static void rig_checkpoint(struct rig *rig, uint64_t number, bool all)
{
    rig_frame(rig, 1, (struct frame){.type = FRAME_CHECKPOINT, .length_bytes = number});
    rig_done_all(rig);
    rig_frame(
        rig, 1,
        (struct frame){.type = FRAME_COMMIT, .flags = all ? FRAME_ALL : 0, .length_bytes = number});
    rig_done_all(rig);
}

static void rig_end(struct rig *rig)
{
    rig_done_all(rig);
    service_free(rig->service);
    free(rig->drl);
    free(rig->drl_disk);
    free(rig->planes);
    pool_release(&rig->ios);
    buf_pool_release(&rig->bufs);
}

START_TEST(a_promise_is_durable_in_both_copies_before_it_is_told)
{
    struct rig rig;
    rig_begin(&rig);
    rig_open(&rig, 1, 2, CONTROLLER);
    rig_done(&rig, SERVICE_META, 0);
    ck_assert_uint_eq(rig.reply_count, 0);
    rig_done(&rig, SERVICE_META, 0);
    ck_assert_uint_eq(rig.reply_count, 1);
    ck_assert_uint_eq(rig.opened.promised_epoch, 2);
    rig_end(&rig);
}
END_TEST

START_TEST(a_lower_epoch_is_refused)
{
    struct rig rig;
    rig_serve(&rig);
    rig_open(&rig, 2, 1, 77);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_STALE);
    rig_open(&rig, 2, 2, 77);
    ck_assert_uint_eq(rig.replies[1].status, FRAME_STALE);
    rig_end(&rig);
}
END_TEST

START_TEST(who_is_taken_over_is_told_and_refused)
{
    struct rig rig;
    rig_serve(&rig);
    rig_open(&rig, 2, 3, 77);
    ck_assert_uint_eq(rig.reply_links[0], 1);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_STALE);
    rig_write(&rig, 1, 0);
    ck_assert_uint_eq(rig.replies[1].status, FRAME_STALE);
    ck_assert(!rig_waits(&rig, SERVICE_WRITE));
    rig_end(&rig);
}
END_TEST

START_TEST(another_members_name_opens_nothing)
{
    struct rig rig;
    rig_begin(&rig);
    rig.create.member = uuid_of(66);
    rig_open(&rig, 1, 2, CONTROLLER);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_NO_VOLUME);
    rig_end(&rig);
}
END_TEST

START_TEST(the_log_is_durable_before_data_is_submitted)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    ck_assert(rig_waits(&rig, SERVICE_DRL) && !rig_waits(&rig, SERVICE_WRITE));
    rig_done(&rig, SERVICE_DRL, 0);
    ck_assert(rig_waits(&rig, SERVICE_WRITE));
    ck_assert_uint_eq(rig.planes[0], 1);
    rig_done(&rig, SERVICE_WRITE, 0);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_OK);
    rig_end(&rig);
}
END_TEST

START_TEST(a_second_write_to_a_logged_region_needs_no_log)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_done_all(&rig);
    rig_write(&rig, 1, 1 << 20);
    ck_assert(!rig_waits(&rig, SERVICE_DRL) && rig_waits(&rig, SERVICE_WRITE));
    rig_end(&rig);
}
END_TEST

START_TEST(a_new_session_waits_for_the_old_ones_writes)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_done(&rig, SERVICE_DRL, 0);
    rig_open(&rig, 2, 2, CONTROLLER);
    ck_assert_uint_eq(rig.reply_count, 0);
    rig_done(&rig, SERVICE_WRITE, 0);
    ck_assert_uint_eq(rig.reply_count, 1);
    ck_assert_uint_eq(rig.replies[0].type, FRAME_OPEN);
    rig_end(&rig);
}
END_TEST

START_TEST(what_the_old_session_did_not_submit_never_is)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_open(&rig, 2, 2, CONTROLLER);
    rig_done(&rig, SERVICE_DRL, 0);
    ck_assert(!rig_waits(&rig, SERVICE_WRITE));
    rig_end(&rig);
}
END_TEST

START_TEST(a_checkpoint_waits_for_earlier_writes_then_syncs_then_is_durable)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_done(&rig, SERVICE_DRL, 0);
    rig_frame(&rig, 1, (struct frame){.type = FRAME_CHECKPOINT, .length_bytes = 10});
    ck_assert(!rig_waits(&rig, SERVICE_SYNC));
    rig_done(&rig, SERVICE_WRITE, 0);
    rig_done(&rig, SERVICE_SYNC, 0);
    rig.reply_count = 0;
    rig_done(&rig, SERVICE_META, 0);
    ck_assert_uint_eq(rig.reply_count, 0);
    rig_done(&rig, SERVICE_META, 0);
    ck_assert_uint_eq(rig.reply_count, 1);
    rig_end(&rig);
}
END_TEST

START_TEST(two_checkpoints_leave_the_log_clean)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_done_all(&rig);
    rig_checkpoint(&rig, 10, true);
    rig_checkpoint(&rig, 11, true);
    rig.reply_count = 0;
    rig_open(&rig, 2, 2, CONTROLLER);
    rig_done_all(&rig);
    ck_assert_uint_eq(rig.opened.dirty_bytes, 0);
    ck_assert_uint_eq(rig.opened.base_checkpoint, 11);
    ck_assert_uint_eq(rig.drl[8], 0);
    rig_end(&rig);
}
END_TEST

START_TEST(while_a_member_is_away_its_share_is_remembered)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_done_all(&rig);
    rig_checkpoint(&rig, 10, false);
    rig_checkpoint(&rig, 11, false);
    rig_open(&rig, 2, 2, CONTROLLER);
    rig_done_all(&rig);
    ck_assert_uint_eq(rig.opened.doubt_bytes, 0);
    ck_assert_uint_eq(rig.opened.dirty_bytes, PLANE_GRAIN_BYTES);
    rig_end(&rig);
}
END_TEST

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
    ck_assert_uint_eq(rig.opened.doubt_bytes, PLANE_GRAIN_BYTES);
    rig_end(&rig);
}
END_TEST

START_TEST(after_a_failed_sync_nothing_is_answered_well)
{
    struct rig rig;
    rig_serve(&rig);
    rig_frame(&rig, 1, (struct frame){.type = FRAME_FLUSH});
    rig_done(&rig, SERVICE_SYNC, -EIO);
    ck_assert(rig.failed);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_FAILED);
    rig_frame(&rig, 1, (struct frame){.type = FRAME_FLUSH});
    rig_open(&rig, 2, 5, 77);
    ck_assert_uint_eq(rig.replies[1].status, FRAME_FAILED);
    ck_assert_uint_eq(rig.replies[2].status, FRAME_FAILED);
    rig_done_all(&rig);
    struct message_volume volume;
    const char *why;
    const uint8_t *copies[] = {rig.meta[0], rig.meta[1]};
    ck_assert(service_meta_read(copies, &volume, &why));
    ck_assert(volume.failed);
    rig_end(&rig);
}
END_TEST

START_TEST(flushes_share_a_sync_that_begins_after_them)
{
    struct rig rig;
    rig_serve(&rig);
    for (int i = 0; i < 3; i++)
        rig_frame(&rig, 1, (struct frame){.type = FRAME_FLUSH});
    ck_assert_uint_eq(rig.waiting_count, 1);
    rig_done(&rig, SERVICE_SYNC, 0);
    ck_assert_uint_eq(rig.reply_count, 1);
    rig_done(&rig, SERVICE_SYNC, 0);
    ck_assert_uint_eq(rig.reply_count, 3);
    rig_end(&rig);
}
END_TEST

START_TEST(what_is_outside_or_crooked_is_refused)
{
    struct rig rig;
    rig_serve(&rig);
    rig_write(&rig, 1, SIZE_BYTES);
    rig_write(&rig, 1, 512);
    ck_assert_uint_eq(rig.replies[0].status, FRAME_INVALID);
    ck_assert_uint_eq(rig.replies[1].status, FRAME_INVALID);
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

START_TEST(a_torn_copy_is_written_first)
{
    struct rig rig;
    rig_begin(&rig);
    service_free(rig.service);
    rig.meta[0][200] ^= 1;
    rig_start(&rig, true);
    ck_assert_uint_eq(rig.waiting[0]->index, 0);
    rig_done_all(&rig);
    rig_end(&rig);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("service");
    tcase_add_test(tcase, a_promise_is_durable_in_both_copies_before_it_is_told);
    tcase_add_test(tcase, a_lower_epoch_is_refused);
    tcase_add_test(tcase, who_is_taken_over_is_told_and_refused);
    tcase_add_test(tcase, another_members_name_opens_nothing);
    tcase_add_test(tcase, the_log_is_durable_before_data_is_submitted);
    tcase_add_test(tcase, a_second_write_to_a_logged_region_needs_no_log);
    tcase_add_test(tcase, a_new_session_waits_for_the_old_ones_writes);
    tcase_add_test(tcase, what_the_old_session_did_not_submit_never_is);
    tcase_add_test(tcase, a_checkpoint_waits_for_earlier_writes_then_syncs_then_is_durable);
    tcase_add_test(tcase, two_checkpoints_leave_the_log_clean);
    tcase_add_test(tcase, while_a_member_is_away_its_share_is_remembered);
    tcase_add_test(tcase, another_boot_with_writes_is_lossy_until_accepted);
    tcase_add_test(tcase, a_killed_process_of_the_same_boot_lost_nothing);
    tcase_add_test(tcase, after_a_failed_sync_nothing_is_answered_well);
    tcase_add_test(tcase, flushes_share_a_sync_that_begins_after_them);
    tcase_add_test(tcase, what_is_outside_or_crooked_is_refused);
    tcase_add_test(tcase, with_both_metadata_copies_bad_it_does_not_start);
    tcase_add_test(tcase, a_torn_copy_is_written_first);
    Suite *suite = suite_create("service");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
