/* SPDX-License-Identifier: Apache-2.0 */
/* What the volume's owner tells of an export, and who hears of it. */
#include "target/front/front_state.h"
#include "tests/lib/suite.h"

enum { VOLUME_BYTES = 1 << 20 };

static struct loop loop;
static struct stream_sender sender;
static struct buf_pool bufs;
static struct front *front;
static struct scsi_nexus nexus;
static struct export *export;

/* ---- the fake volume: nothing reaches it ---- */

struct volume {
    struct config config;
};
static struct volume volume = {
    .config = {.name = "v1", .size_bytes = VOLUME_BYTES, .block_bytes = 512}};

const struct config *volume_config(const struct volume *v)
{
    return &v->config;
}

uint64_t volume_wait_ns(const struct volume *v)
{
    (void)v;
    return 0;
}

bool volume_full(const struct volume *v)
{
    return !v;
}

static uint64_t waits_since_ns;
void volume_status(const struct volume *v, struct repl_status *status)
{
    ck_assert_ptr_eq(v, &volume);
    *status = (struct repl_status){.since_ns = waits_since_ns};
}

void volume_submit(struct volume *v, struct block_req *req)
{
    ck_abort_msg("%p %p", (void *)v, (void *)req);
}

static const struct scsi_port port = {.isid = 1, .initiator = "iqn.2001-04.com.example:host"};

static void setup(void)
{
    struct front_settings settings = {
        .iqn_prefix = EXPORT_IQN_PREFIX_DEFAULT, .requests_max = 16, .connections_max = 8};
    struct error error;
    ck_assert_int_eq(loop_init(&loop), 0);
    buf_pool_init(&bufs, 64u << 20);
    stream_sender_init(&sender, &loop);
    front = front_new(&settings, &loop, &sender, &bufs, &error);
    ck_assert_ptr_nonnull(front);
    export = front_export_add(front, &volume);
    ck_assert_ptr_nonnull(export);
    scsi_nexus_attach(export->unit, &nexus, &port);
}

static void teardown(void)
{
    scsi_nexus_detach(export->unit, &nexus);
    front_free(front);
    stream_sender_release(&sender);
    buf_pool_release(&bufs);
    loop_release(&loop);
}

static enum scsi_next run(struct scsi_command *command, uint8_t opcode)
{
    *command = (struct scsi_command){.unit = export->unit, .nexus = &nexus, .cdb = {opcode}};
    return scsi_command(command, &bufs);
}

/* The unit attention that TEST UNIT READY meets; 0: none. */
static uint32_t attention(void)
{
    struct scsi_command command;
    ck_assert_int_eq(run(&command, 0x00), SCSI_DONE);
    if (command.status == SCSI_GOOD)
        return 0;
    return (uint32_t)command.sense[12] << 8 | command.sense[13];
}

START_TEST(growth_is_told_once_and_seen)
{
    ck_assert_uint_eq(attention(), SCSI_UA_POWER_ON);
    front_export_resize(front, export, 2 * VOLUME_BYTES);
    ck_assert_uint_eq(export->size_bytes, 2 * VOLUME_BYTES);
    ck_assert_uint_eq(attention(), SCSI_UA_CAPACITY_CHANGED);
    ck_assert_uint_eq(attention(), 0);
}
END_TEST

START_TEST(same_size_is_no_news)
{
    ck_assert_uint_eq(attention(), SCSI_UA_POWER_ON);
    front_export_resize(front, export, VOLUME_BYTES);
    ck_assert_uint_eq(attention(), 0);
}
END_TEST

START_TEST(news_are_attentions)
{
    ck_assert_uint_eq(attention(), SCSI_UA_POWER_ON);
    front_export_news(export, FRONT_SPACE_LOW);
    front_export_news(export, FRONT_CACHE_LOST);
    ck_assert_uint_eq(attention(), SCSI_UA_SPACE_LOW);
    ck_assert_uint_eq(attention(), SCSI_UA_CACHE_LOST);
    ck_assert_uint_eq(attention(), 0);
}
END_TEST

/* A volume whose writes wait since then, when it is looked at. */
static void look(uint64_t since_ns, uint32_t session_count)
{
    waits_since_ns = since_ns;
    export->session_count = session_count;
    ev_invoke(loop.ev, &front->tick.ev, EV_TIMER);
    export->session_count = 0;
}

START_TEST(volume_that_does_not_serve_for_long_is_not_ready)
{
    enum { BECOMING_READY = 0x0401 };
    ck_assert_uint_eq(attention(), SCSI_UA_POWER_ON);
    look(0, 1);
    ck_assert_uint_eq(attention(), BECOMING_READY);
    look(UINT64_MAX, 1);
    ck_assert_uint_eq(attention(), 0);
}
END_TEST

START_TEST(who_comes_later_is_not_told_of_before)
{
    ck_assert_uint_eq(attention(), SCSI_UA_POWER_ON);
    look(0, 1);
    look(0, 0);
    ck_assert_uint_eq(attention(), 0);
}
END_TEST

START_TEST(short_waits_are_no_news)
{
    ck_assert_uint_eq(attention(), SCSI_UA_POWER_ON);
    look(loop_now_ns(&loop), 1);
    ck_assert_uint_eq(attention(), 0);
}
END_TEST

START_TEST(held_export_waits_for_its_reservations)
{
    static const uint8_t row[] = {1, 3, 0, 1, 0, 0, 0, 0, 0,   0,   0,   9,   0,
                                  0, 0, 0, 0, 0, 0, 7, 5, 'i', 'q', 'n', '.', 'x'};
    struct scsi_command command;
    ck_assert_uint_eq(attention(), SCSI_UA_POWER_ON);
    front_export_hold(export);
    ck_assert_int_eq(run(&command, 0x28), SCSI_WAIT);
    front_export_reservations(front, export, row, sizeof(row));
    ck_assert_int_eq(run(&command, 0x28), SCSI_DONE);
    ck_assert_int_eq(command.status, SCSI_RESERVATION_CONFLICT);
}
END_TEST

START_TEST(reservations_are_given_once)
{
    static const uint8_t row[] = {1, 0, 0, 1, 0, 0, 0, 0, 0,   0,   0,   9,   0,
                                  0, 0, 0, 0, 0, 0, 7, 5, 'i', 'q', 'n', '.', 'x'};
    front_export_hold(export);
    front_export_reservations(front, export, row, sizeof(row));
    front_export_reservations(front, export, NULL, 0);
    ck_assert_uint_eq(scsi_registration_count(&export->unit->reservations), 1);
}
END_TEST

START_TEST(row_nobody_understands_reserves_nothing)
{
    static const uint8_t row[] = {0xff};
    struct scsi_command command;
    ck_assert_uint_eq(attention(), SCSI_UA_POWER_ON);
    front_export_hold(export);
    front_export_reservations(front, export, row, sizeof(row));
    ck_assert_int_eq(run(&command, 0x28), SCSI_DONE);
    ck_assert_int_eq(command.status, SCSI_GOOD);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("front export");
    TCase *tcase = tcase_create("export");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, growth_is_told_once_and_seen);
    tcase_add_test(tcase, same_size_is_no_news);
    tcase_add_test(tcase, news_are_attentions);
    tcase_add_test(tcase, volume_that_does_not_serve_for_long_is_not_ready);
    tcase_add_test(tcase, who_comes_later_is_not_told_of_before);
    tcase_add_test(tcase, short_waits_are_no_news);
    tcase_add_test(tcase, held_export_waits_for_its_reservations);
    tcase_add_test(tcase, reservations_are_given_once);
    tcase_add_test(tcase, row_nobody_understands_reserves_nothing);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
