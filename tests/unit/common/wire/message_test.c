/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of frames: golden bytes, round trips, malformed ones, and a configuration's rules. */
#include "common/wire/message.h"
#include "tests/lib/suite.h"

#include <string.h>

enum { CONFIG_2_BYTES = 143 + 2 * 19 };

static uint8_t wire[MESSAGE_BYTES_MAX];

static struct uuid uuid_of(uint8_t byte)
{
    struct uuid uuid;
    memset(uuid.bytes, byte, sizeof(uuid.bytes));
    return uuid;
}

static struct config config_of_two(void)
{
    return (struct config){
        .volume = uuid_of(0xa0),
        .name = "vol-1",
        .size_bytes = 0x0000000140000000,
        .block_bytes = 512,
        .epoch = 3,
        .version = 4,
        .controller = uuid_of(0xc0),
        .base_checkpoint = 5,
        .created_s = 0x65000000,
        .min_in_sync = 1,
        .member_count = 2,
        .members = {{.uuid = uuid_of(0xb1), .kind = MEMBER_DATA, .in_sync = true},
                    {.uuid = uuid_of(0xb2), .kind = MEMBER_WITNESS, .leaving = true}},
    };
}

START_TEST(config_is_its_fields_in_order)
{
    struct config config = config_of_two();
    struct writer w = writer_of(wire, sizeof(wire));
    config_encode(&w, &config);
    ck_assert(!w.bad);
    ck_assert_uint_eq(writer_length(&w), CONFIG_2_BYTES);
    static const uint8_t numbers[] = {
        0, 0, 0, 1, 0x40, 0, 0, 0, /* size */
        0, 0, 2, 0,                /* block */
        0, 0, 0, 0, 0,    0, 0, 3, /* epoch */
        0, 0, 0, 0, 0,    0, 0, 4, /* version */
    };
    static const uint8_t tail[] = {
        0, 0, 0, 0, 0,    0, 0, 5, /* base checkpoint */
        0, 0, 0, 0, 0x65, 0, 0, 0, /* created */
        1, 0, 2,                   /* min in sync, deleted, members */
    };
    ck_assert_uint_eq(wire[0], 0xa0);
    ck_assert_mem_eq(wire + 16, "vol-1\0\0", 7);
    ck_assert_mem_eq(wire + 80, numbers, sizeof(numbers));
    ck_assert_uint_eq(wire[108], 0xc0);
    ck_assert_mem_eq(wire + 124, tail, sizeof(tail));
    ck_assert_uint_eq(wire[143], 0xb1);
    ck_assert_mem_eq(wire + 159, "\0\1\0", 3);
    ck_assert_uint_eq(wire[162], 0xb2);
    ck_assert_mem_eq(wire + 178, "\1\0\1", 3);
}
END_TEST

START_TEST(config_comes_back)
{
    struct config config = config_of_two();
    struct config got;
    struct writer w = writer_of(wire, sizeof(wire));
    config_encode(&w, &config);
    struct reader r = reader_of(wire, writer_length(&w));
    config_decode(&r, &got);
    ck_assert(!r.bad);
    ck_assert_uint_eq(reader_left(&r), 0);
    ck_assert(uuid_equal(&got.volume, &config.volume));
    ck_assert_str_eq(got.name, config.name);
    ck_assert_uint_eq(got.size_bytes, config.size_bytes);
    ck_assert_uint_eq(got.block_bytes, config.block_bytes);
    ck_assert_int_eq(config_compare(&got, &config), 0);
    ck_assert(uuid_equal(&got.controller, &config.controller));
    ck_assert_uint_eq(got.base_checkpoint, 5);
    ck_assert_uint_eq(got.created_s, config.created_s);
    ck_assert_uint_eq(got.min_in_sync, 1);
    ck_assert(!got.deleted);
    ck_assert_uint_eq(got.member_count, 2);
    ck_assert(uuid_equal(&got.members[1].uuid, &config.members[1].uuid));
    ck_assert_int_eq(got.members[1].kind, MEMBER_WITNESS);
    ck_assert(got.members[0].in_sync && !got.members[1].in_sync);
}
END_TEST

START_TEST(config_cut_short_is_malformed)
{
    struct config config = config_of_two();
    struct config got;
    struct writer w = writer_of(wire, sizeof(wire));
    config_encode(&w, &config);
    for (size_t length = 0; length < writer_length(&w); length++) {
        struct reader r = reader_of(wire, length);
        config_decode(&r, &got);
        ck_assert(r.bad);
    }
}
END_TEST

START_TEST(longest_config_keeps_its_limit)
{
    struct config config = config_of_two();
    memset(config.name, 'x', sizeof(config.name) - 1);
    config.member_count = MEMBERS_MAX;
    struct writer w = writer_of(wire, CONFIG_BYTES_MAX);
    config_encode(&w, &config);
    ck_assert(!w.bad);
}
END_TEST

/* One byte of a good configuration that must not be. */
static const struct {
    const char *what;
    size_t at;
    uint8_t value;
} malformed[] = {
    {"name: a control character", 16, '\n'},
    {"name: not ASCII", 17, 0x80},
    {"name: something after its end", 16 + 63, 'x'},
    {"deleted: neither 0 nor 1", 141, 2},
    {"too many members", 142, MEMBERS_MAX + 1},
    {"as many as a byte holds", 142, 255},
    {"member: unknown kind", 159, 2},
    {"member: in sync is neither 0 nor 1", 160, 2},
};

START_TEST(config_with_a_wrong_byte_is_malformed)
{
    struct config config = config_of_two();
    struct config got;
    struct writer w = writer_of(wire, sizeof(wire));
    config_encode(&w, &config);
    wire[malformed[_i].at] = malformed[_i].value;
    struct reader r = reader_of(wire, sizeof(wire));
    config_decode(&r, &got);
    ck_assert_msg(r.bad, "%s", malformed[_i].what);
    ck_assert_uint_le(got.member_count, MEMBERS_MAX);
}
END_TEST

START_TEST(name_without_an_end_is_malformed)
{
    struct config config = config_of_two();
    struct config got;
    struct writer w = writer_of(wire, sizeof(wire));
    config_encode(&w, &config);
    memset(wire + 16, 'x', VOLUME_NAME_BYTES);
    struct reader r = reader_of(wire, sizeof(wire));
    config_decode(&r, &got);
    ck_assert(r.bad);
    ck_assert_str_eq(got.name, "");
}
END_TEST

START_TEST(greet_comes_back)
{
    struct message_greet greet = {1, 2, uuid_of(9), "strake-target 0.1.0"};
    struct message_greet got;
    struct writer w = writer_of(wire, sizeof(wire));
    message_greet_encode(&w, &greet);
    ck_assert_uint_eq(writer_length(&w), 56);
    struct reader r = reader_of(wire, 56);
    message_greet_decode(&r, &got);
    ck_assert(!r.bad);
    ck_assert_uint_eq(got.version_min, 1);
    ck_assert_uint_eq(got.version_max, 2);
    ck_assert(uuid_equal(&got.process, &greet.process));
    ck_assert_str_eq(got.software, greet.software);
}
END_TEST

START_TEST(greet_with_versions_the_wrong_way_round_is_malformed)
{
    struct message_greet greet = {3, 2, uuid_of(9), ""};
    struct message_greet got;
    struct writer w = writer_of(wire, sizeof(wire));
    message_greet_encode(&w, &greet);
    struct reader r = reader_of(wire, writer_length(&w));
    message_greet_decode(&r, &got);
    ck_assert(r.bad);
}
END_TEST

START_TEST(volumes_come_back_one_after_another)
{
    struct message_volume volume = {.member = uuid_of(1), .config = config_of_two()};
    struct message_volume got;
    struct writer w = writer_of(wire, sizeof(wire));
    message_volume_encode(&w, &volume);
    volume.failed = true;
    volume.config.epoch = 77;
    message_volume_encode(&w, &volume);
    struct reader r = reader_of(wire, writer_length(&w));
    message_volume_decode(&r, &got);
    ck_assert(!got.failed);
    ck_assert_uint_eq(got.config.epoch, 3);
    message_volume_decode(&r, &got);
    ck_assert(got.failed);
    ck_assert_uint_eq(got.config.epoch, 77);
    ck_assert(!r.bad);
    ck_assert_uint_eq(reader_left(&r), 0);
}
END_TEST

START_TEST(epitaph_comes_back_with_a_deleted_volume_alone)
{
    struct message_volume volume = {
        .config = config_of_two(),
        .epitaph = {.length_bytes = 5, .bytes = (const uint8_t *)"words"}};
    struct message_volume got;
    struct writer w = writer_of(wire, sizeof(wire));
    message_volume_encode(&w, &volume);
    struct reader r = reader_of(wire, writer_length(&w));
    message_volume_decode(&r, &got);
    ck_assert(r.bad);
    volume.config.deleted = true;
    w = writer_of(wire, sizeof(wire));
    message_volume_encode(&w, &volume);
    r = reader_of(wire, writer_length(&w));
    message_volume_decode(&r, &got);
    ck_assert(!r.bad);
    ck_assert_uint_eq(got.epitaph.length_bytes, 5);
    ck_assert_mem_eq(got.epitaph.bytes, "words", 5);
}
END_TEST

START_TEST(epitaph_that_is_too_long_is_refused)
{
    static uint8_t words[EPITAPH_BYTES_MAX + 1], body[sizeof(words) + MESSAGE_BYTES_MAX];
    struct message_delete del = {.config = config_of_two(),
                                 .epitaph = {.length_bytes = sizeof(words), .bytes = words}};
    struct message_delete got;
    del.config.deleted = true;
    for (int i = 0; i < 2; i++) {
        struct writer w = writer_of(body, sizeof(body));
        message_delete_encode(&w, &del);
        ck_assert(!w.bad);
        struct reader r = reader_of(body, writer_length(&w));
        message_delete_decode(&r, &got);
        ck_assert_int_eq(r.bad, i == 0);
        del.epitaph.length_bytes--;
    }
}
END_TEST

START_TEST(create_comes_back)
{
    struct message_create create = {.member = uuid_of(0xb1), .config = config_of_two()};
    struct message_create got;
    struct writer w = writer_of(wire, sizeof(wire));
    message_create_encode(&w, &create);
    struct reader r = reader_of(wire, writer_length(&w));
    message_create_decode(&r, &got);
    ck_assert(!r.bad);
    ck_assert(uuid_equal(&got.member, &create.member));
    ck_assert_str_eq(got.config.name, "vol-1");
}
END_TEST

START_TEST(create_of_a_clone_comes_back)
{
    struct message_create create = {.member = uuid_of(0xb1),
                                    .origin = uuid_of(0xc1),
                                    .origin_generation = 12,
                                    .config = config_of_two()};
    struct message_create got;
    struct writer w = writer_of(wire, sizeof(wire));
    message_create_encode(&w, &create);
    struct reader r = reader_of(wire, writer_length(&w));
    message_create_decode(&r, &got);
    ck_assert(!r.bad);
    ck_assert(uuid_equal(&got.origin, &create.origin));
    ck_assert_uint_eq(got.origin_generation, 12);
}
END_TEST

START_TEST(create_with_half_an_origin_is_malformed)
{
    struct message_create create = {
        .member = uuid_of(0xb1), .origin_generation = 12, .config = config_of_two()};
    struct message_create got;
    struct writer w = writer_of(wire, sizeof(wire));
    message_create_encode(&w, &create);
    struct reader r = reader_of(wire, writer_length(&w));
    message_create_decode(&r, &got);
    ck_assert(r.bad);
}
END_TEST

START_TEST(delete_carries_a_tombstone_and_nothing_else)
{
    struct message_delete del = {.config = config_of_two()};
    struct message_delete got;
    struct writer w = writer_of(wire, sizeof(wire));
    message_delete_encode(&w, &del);
    struct reader r = reader_of(wire, writer_length(&w));
    message_delete_decode(&r, &got);
    ck_assert(r.bad);
    del.config.deleted = true;
    w = writer_of(wire, sizeof(wire));
    message_delete_encode(&w, &del);
    r = reader_of(wire, writer_length(&w));
    message_delete_decode(&r, &got);
    ck_assert(!r.bad);
    ck_assert(got.config.deleted);
    ck_assert(uuid_is_zero(&got.member));
}
END_TEST

START_TEST(delete_of_a_member_names_one_that_is_none)
{
    struct message_delete del = {.config = config_of_two(), .member = uuid_of(0xb7)};
    struct message_delete got;
    struct writer w = writer_of(wire, sizeof(wire));
    message_delete_encode(&w, &del);
    struct reader r = reader_of(wire, writer_length(&w));
    message_delete_decode(&r, &got);
    ck_assert(!r.bad);
    ck_assert(uuid_equal(&got.member, &del.member));
    del.member = del.config.members[1].uuid;
    w = writer_of(wire, sizeof(wire));
    message_delete_encode(&w, &del);
    r = reader_of(wire, writer_length(&w));
    message_delete_decode(&r, &got);
    ck_assert(r.bad);
}
END_TEST

START_TEST(health_comes_back)
{
    struct message_health got;
    struct writer w = writer_of(wire, sizeof(wire));
    message_health_encode(&w, &(struct message_health){.free_bytes = 1, .total_bytes = 2});
    ck_assert_uint_eq(writer_length(&w), 16);
    struct reader r = reader_of(wire, 16);
    message_health_decode(&r, &got);
    ck_assert(!r.bad);
    ck_assert_uint_eq(got.free_bytes, 1);
    ck_assert_uint_eq(got.total_bytes, 2);
}
END_TEST

START_TEST(open_comes_back)
{
    struct message_open open = {uuid_of(1), uuid_of(2), 42, uuid_of(3), uuid_of(4)};
    struct message_open got;
    struct writer w = writer_of(wire, sizeof(wire));
    message_open_encode(&w, &open);
    ck_assert_uint_eq(writer_length(&w), 72);
    struct reader r = reader_of(wire, 72);
    message_open_decode(&r, &got);
    ck_assert(!r.bad);
    ck_assert(uuid_equal(&got.volume, &open.volume));
    ck_assert(uuid_equal(&got.member, &open.member));
    ck_assert_uint_eq(got.epoch, 42);
    ck_assert(uuid_equal(&got.controller, &open.controller));
    ck_assert(uuid_equal(&got.dead, &open.dead));
}
END_TEST

START_TEST(opened_comes_back)
{
    struct message_opened opened = {.promised_epoch = 6,
                                    .promised_controller = uuid_of(4),
                                    .lossy = true,
                                    .done_checkpoint = 8,
                                    .base_checkpoint = 7,
                                    .doubt_bytes = 5,
                                    .dirty_bytes = 9,
                                    .lineage = {.command = 11,
                                                .command_identity = uuid_of(5),
                                                .head_generation = 4,
                                                .head_base = 3,
                                                .incomplete_generation = 2,
                                                .incomplete_base = 1,
                                                .kept_generation = 4},
                                    .config = config_of_two()};
    struct message_opened got;
    struct writer w = writer_of(wire, sizeof(wire));
    message_opened_encode(&w, &opened);
    struct reader r = reader_of(wire, writer_length(&w));
    message_opened_decode(&r, &got);
    ck_assert(!r.bad);
    ck_assert_uint_eq(reader_left(&r), 0);
    ck_assert_uint_eq(got.promised_epoch, 6);
    ck_assert(uuid_equal(&got.promised_controller, &opened.promised_controller));
    ck_assert(got.lossy && !got.failed);
    ck_assert_uint_eq(got.done_checkpoint, 8);
    ck_assert_uint_eq(got.base_checkpoint, 7);
    ck_assert_uint_eq(got.doubt_bytes, 5);
    ck_assert_uint_eq(got.dirty_bytes, 9);
    ck_assert(lineage_same(&got.lineage, &opened.lineage));
    ck_assert_uint_eq(got.lineage.head_generation, 4);
    ck_assert_uint_eq(got.lineage.head_base, 3);
    ck_assert_uint_eq(got.lineage.incomplete_generation, 2);
    ck_assert_uint_eq(got.lineage.incomplete_base, 1);
    ck_assert_uint_eq(got.lineage.kept_generation, 4);
    ck_assert_uint_eq(got.config.member_count, 2);
}
END_TEST

START_TEST(configs_are_ordered_by_epoch_then_version)
{
    struct config a = {.epoch = 1, .version = 9};
    struct config b = {.epoch = 2, .version = 1};
    ck_assert_int_eq(config_compare(&a, &b), -1);
    ck_assert_int_eq(config_compare(&b, &a), 1);
    b.epoch = 1;
    ck_assert_int_eq(config_compare(&a, &b), 1);
    b.version = 9;
    ck_assert_int_eq(config_compare(&a, &b), 0);
}
END_TEST

START_TEST(member_is_found_by_identity)
{
    struct config config = config_of_two();
    struct uuid second = uuid_of(0xb2);
    struct uuid stranger = uuid_of(0xb3);
    ck_assert_int_eq(config_member_idx(&config, &second), 1);
    ck_assert_int_eq(config_member_idx(&config, &stranger), -1);
}
END_TEST

static void no_volume(struct config *c)
{
    c->volume = (struct uuid){0};
}
static void odd_block(struct config *c)
{
    c->block_bytes = 1024;
}
static void no_size(struct config *c)
{
    c->size_bytes = 0;
}
static void odd_size(struct config *c)
{
    c->size_bytes += 512;
}
static void huge_size(struct config *c)
{
    c->size_bytes = 1ull << 63;
}
static void no_name(struct config *c)
{
    c->name[0] = 0;
}
static void name_of_a_path(struct config *c)
{
    memcpy(c->name, "a/b", 4);
}
static void name_of_a_dot(struct config *c)
{
    memcpy(c->name, ".hidden", 8);
}
static void no_members(struct config *c)
{
    c->member_count = 0;
}
static void nameless_member(struct config *c)
{
    c->members[1].uuid = (struct uuid){0};
}
static void same_member(struct config *c)
{
    c->members[1].uuid = c->members[0].uuid;
}
static void witness_in_sync(struct config *c)
{
    c->members[1].in_sync = true;
}
static void none_in_sync(struct config *c)
{
    c->members[0].in_sync = false;
}
static void min_of_none(struct config *c)
{
    c->min_in_sync = 0;
}
static void min_above_data(struct config *c)
{
    c->min_in_sync = 2;
}

static void (*const breaches[])(struct config *) = {
    no_volume,      odd_block,   no_size,         odd_size,       huge_size,
    no_name,        no_members,  nameless_member, same_member,    witness_in_sync,
    name_of_a_path, min_of_none, none_in_sync,    min_above_data, name_of_a_dot,
};

START_TEST(config_that_breaks_a_rule_is_told_which)
{
    struct config config = config_of_two();
    ck_assert_ptr_null(config_invalid(&config));
    breaches[_i](&config);
    ck_assert_ptr_nonnull(config_invalid(&config));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wire/message");
    TCase *tests = tcase_create("message");
    tcase_add_test(tests, config_is_its_fields_in_order);
    tcase_add_test(tests, config_comes_back);
    tcase_add_test(tests, config_cut_short_is_malformed);
    tcase_add_test(tests, longest_config_keeps_its_limit);
    tcase_add_loop_test(tests, config_with_a_wrong_byte_is_malformed, 0,
                        (int)ARRAY_COUNT(malformed));
    tcase_add_test(tests, name_without_an_end_is_malformed);
    tcase_add_test(tests, greet_comes_back);
    tcase_add_test(tests, greet_with_versions_the_wrong_way_round_is_malformed);
    tcase_add_test(tests, volumes_come_back_one_after_another);
    tcase_add_test(tests, epitaph_comes_back_with_a_deleted_volume_alone);
    tcase_add_test(tests, epitaph_that_is_too_long_is_refused);
    tcase_add_test(tests, create_comes_back);
    tcase_add_test(tests, create_of_a_clone_comes_back);
    tcase_add_test(tests, create_with_half_an_origin_is_malformed);
    tcase_add_test(tests, delete_carries_a_tombstone_and_nothing_else);
    tcase_add_test(tests, delete_of_a_member_names_one_that_is_none);
    tcase_add_test(tests, health_comes_back);
    tcase_add_test(tests, open_comes_back);
    tcase_add_test(tests, opened_comes_back);
    tcase_add_test(tests, configs_are_ordered_by_epoch_then_version);
    tcase_add_test(tests, member_is_found_by_identity);
    tcase_add_loop_test(tests, config_that_breaks_a_rule_is_told_which, 0,
                        (int)ARRAY_COUNT(breaches));
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
