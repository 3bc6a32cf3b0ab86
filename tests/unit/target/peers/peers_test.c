/* SPDX-License-Identifier: Apache-2.0 */
/* The hands: greeting, list, channels and calls, with a scripted replica at the other end in
 * memory. */
#include "target/peers/peers.h"
#include "tests/lib/suite.h"

#include <string.h>

static struct loop loop;
static struct stream_sender sender;
static struct buf_pool bufs;
static struct peers *peers;
static struct peer *peer;
static struct link far; /* the replica's end */
static struct frame heard[16];
static int heard_count;
static int volumes, ups, downs;
static int channel_frames, channel_downs;
static struct frame channel_last;
static int call_answers, call_failures;

static void turn(void)
{
    for (int i = 0; i < 8; i++)
        ev_run(loop.ev, EVRUN_NOWAIT);
}

static void far_on_frame(struct link *link, const struct frame *frame)
{
    (void)link;
    ck_assert_int_lt(heard_count, 16);
    heard[heard_count] = *frame;
    heard[heard_count++].body = NULL;
}

static void far_on_down(struct link *link, const char *why)
{
    (void)link;
    (void)why;
}

static void on_volume(void *owner, struct peer *from, const struct message_volume *volume)
{
    (void)owner;
    ck_assert_ptr_eq(from, peer);
    ck_assert_str_eq(volume->config.name, "v1");
    volumes++;
}

static void on_up(void *owner, struct peer *from)
{
    (void)owner;
    (void)from;
    ups++;
}

static void on_down(void *owner, struct peer *from, const char *why)
{
    (void)owner;
    (void)from;
    ck_assert_ptr_nonnull(why);
    downs++;
}

static void setup(void)
{
    static const struct peers_events events = {
        .on_volume = on_volume, .on_up = on_up, .on_down = on_down};
    static const struct uuid process = {.bytes = {1}};
    ck_assert_int_eq(loop_init(&loop), 0);
    stream_sender_init(&sender, &loop);
    buf_pool_init(&bufs, 1 << 24);
    peers = peers_new(&loop, &sender, &bufs, &process, &events, NULL);
    struct link *near = peers_add_embedded(peers);
    peer = peers_at(peers, 0);
    far.on_frame = far_on_frame;
    far.on_down = far_on_down;
    link_pair(near, &far, &loop, &bufs);
    peers_embedded_joined(peers);
    turn();
}

static void teardown(void)
{
    peers_free(peers);
    link_close(&far);
    turn();
    stream_sender_release(&sender);
    loop_release(&loop);
    buf_pool_release(&bufs);
}

/* The replica answers request `frame` with that body. */
static void answer(const struct frame *request, uint16_t flags, const uint8_t *body, size_t length)
{
    struct frame reply = {.type = request->type,
                          .flags = (uint16_t)(FRAME_REPLY | flags),
                          .session = request->session,
                          .request = request->request,
                          .body = body,
                          .body_bytes = (uint32_t)length};
    link_send(&far, &reply);
    turn();
}

static void greet(uint32_t version_min, uint32_t version_max)
{
    uint8_t body[256];
    struct writer w = writer_of(body, sizeof(body));
    struct message_greet greet = {.version_min = version_min, .version_max = version_max};
    message_greet_encode(&w, &greet);
    ck_assert(!w.bad);
    ck_assert_int_eq(heard_count, 1);
    ck_assert_int_eq(heard[0].type, FRAME_GREET);
    answer(&heard[0], 0, body, writer_length(&w));
}

static void come_up(void)
{
    greet(FRAME_VERSION, FRAME_VERSION);
    ck_assert_int_eq(heard[1].type, FRAME_LIST);
    answer(&heard[1], 0, NULL, 0);
    ck_assert_int_eq(ups, 1);
}

static struct message_volume a_volume(void)
{
    struct message_volume volume = {.member = {.bytes = {7}}};
    volume.config = (struct config){.volume = {.bytes = {9}},
                                    .name = "v1",
                                    .size_bytes = 1 << 20,
                                    .block_bytes = 512,
                                    .version = 1,
                                    .min_in_sync = 1,
                                    .member_count = 1};
    volume.config.members[0] = (struct member){.uuid = {.bytes = {7}}, .in_sync = true};
    ck_assert_ptr_null(config_invalid(&volume.config));
    return volume;
}

START_TEST(is_up_after_greeting_and_list)
{
    come_up();
    struct peer_status status;
    peer_status(peer, &status);
    ck_assert(status.up);
    ck_assert_str_eq(status.address, "embedded");
}
END_TEST

START_TEST(tells_each_listed_volume)
{
    greet(FRAME_VERSION, FRAME_VERSION);
    uint8_t body[4096];
    struct writer w = writer_of(body, sizeof(body));
    struct message_volume volume = a_volume();
    message_volume_encode(&w, &volume);
    message_volume_encode(&w, &volume);
    ck_assert(!w.bad);
    answer(&heard[1], FRAME_MORE, body, writer_length(&w));
    ck_assert_int_eq(volumes, 2);
    ck_assert_int_eq(ups, 0);
    answer(&heard[1], 0, body, writer_length(&w) / 2);
    ck_assert_int_eq(volumes, 3);
    ck_assert_int_eq(ups, 1);
}
END_TEST

START_TEST(another_protocol_version_is_not_served)
{
    greet(FRAME_VERSION + 1, FRAME_VERSION + 2);
    struct peer_status status;
    peer_status(peer, &status);
    ck_assert(!status.up);
    ck_assert_ptr_nonnull(strstr(status.why, "version"));
}
END_TEST

START_TEST(list_that_makes_no_sense_ends_the_link)
{
    greet(FRAME_VERSION, FRAME_VERSION);
    static const uint8_t rubbish[40] = {1, 2, 3};
    answer(&heard[1], 0, rubbish, sizeof(rubbish));
    struct peer_status status;
    peer_status(peer, &status);
    ck_assert(!status.up);
    ck_assert_int_eq(ups, 0);
}
END_TEST

static void channel_on_frame(struct channel *channel, const struct frame *frame)
{
    (void)channel;
    channel_last = *frame;
    channel_frames++;
}

static void channel_on_down(struct channel *channel)
{
    (void)channel;
    channel_downs++;
}

static struct channel channel = {.on_frame = channel_on_frame, .on_down = channel_on_down};

START_TEST(channel_of_a_peer_that_is_down_is_refused)
{
    ck_assert(!channel_open(&channel, peer));
}
END_TEST

START_TEST(channel_carries_its_own_session_both_ways)
{
    come_up();
    ck_assert(channel_open(&channel, peer));
    channel_send(&channel, &(struct frame){.type = FRAME_FLUSH, .request = 5});
    turn();
    const struct frame *sent = &heard[heard_count - 1];
    ck_assert_int_eq(sent->type, FRAME_FLUSH);
    ck_assert_uint_eq(sent->session, channel.session);
    answer(sent, 0, NULL, 0);
    ck_assert_int_eq(channel_frames, 1);
    ck_assert_uint_eq(channel_last.request, 5);
}
END_TEST

START_TEST(reply_to_a_closed_session_reaches_nobody)
{
    come_up();
    ck_assert(channel_open(&channel, peer));
    channel_send(&channel, &(struct frame){.type = FRAME_FLUSH});
    turn();
    struct frame sent = heard[heard_count - 1];
    channel_close(&channel, false);
    ck_assert(channel_open(&channel, peer));
    ck_assert_uint_ne(channel.session, sent.session);
    answer(&sent, 0, NULL, 0);
    ck_assert_int_eq(channel_frames, 0);
}
END_TEST

START_TEST(channels_and_calls_end_with_the_link)
{
    come_up();
    ck_assert(channel_open(&channel, peer));
    link_close(&far);
    turn();
    ck_assert_int_eq(downs, 1);
    ck_assert_int_eq(channel_downs, 1);
    ck_assert_uint_eq(channel.session, 0);
}
END_TEST

static void on_reply(void *arg, const struct frame *reply)
{
    (void)arg;
    if (reply)
        call_answers++;
    else
        call_failures++;
}

START_TEST(call_is_answered_once_by_its_own_reply)
{
    come_up();
    peer_call(peer, &(struct frame){.type = FRAME_PING}, on_reply, NULL);
    turn();
    uint8_t body[64];
    struct writer w = writer_of(body, sizeof(body));
    message_health_encode(&w, &(struct message_health){.free_bytes = 1, .total_bytes = 2});
    answer(&heard[heard_count - 1], 0, body, writer_length(&w));
    ck_assert_int_eq(call_answers, 1);
    link_close(&far);
    turn();
    ck_assert_int_eq(call_failures, 0);
}
END_TEST

START_TEST(call_fails_when_the_link_goes_first)
{
    come_up();
    peer_call(peer, &(struct frame){.type = FRAME_PING}, on_reply, NULL);
    turn();
    link_close(&far);
    turn();
    ck_assert_int_eq(call_failures, 1);
    peer_call(peer, &(struct frame){.type = FRAME_PING}, on_reply, NULL);
    ck_assert_int_eq(call_failures, 1);
    turn();
    ck_assert_int_eq(call_failures, 2);
}
END_TEST

START_TEST(same_address_twice_is_refused)
{
    struct error error;
    ck_assert_int_eq(peers_add(peers, "127.0.0.1:1", &error), 0);
    ck_assert_int_eq(peers_add(peers, "127.0.0.1:1", &error), -1);
    ck_assert_ptr_nonnull(strstr(error.text, "127.0.0.1:1"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("peers");
    TCase *tcase = tcase_create("peers");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, is_up_after_greeting_and_list);
    tcase_add_test(tcase, tells_each_listed_volume);
    tcase_add_test(tcase, another_protocol_version_is_not_served);
    tcase_add_test(tcase, list_that_makes_no_sense_ends_the_link);
    tcase_add_test(tcase, channel_of_a_peer_that_is_down_is_refused);
    tcase_add_test(tcase, channel_carries_its_own_session_both_ways);
    tcase_add_test(tcase, reply_to_a_closed_session_reaches_nobody);
    tcase_add_test(tcase, channels_and_calls_end_with_the_link);
    tcase_add_test(tcase, call_is_answered_once_by_its_own_reply);
    tcase_add_test(tcase, call_fails_when_the_link_goes_first);
    tcase_add_test(tcase, same_address_twice_is_refused);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
