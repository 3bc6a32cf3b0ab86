/* SPDX-License-Identifier: Apache-2.0 */
/* Commands, the book and sealed generations: what may be done when, and the answers. */
#include "common/base/siphash.h"
#include "tests/unit/replica/service/frames.h"

static struct message_command seal_of(uint64_t number)
{
    return (struct message_command){
        .number = number, .kind = COMMAND_SEAL, .generation = number, .identity = uuid_of(50)};
}

static void rig_command(struct rig *rig, const struct message_command *command)
{
    uint8_t body[256];
    struct writer w = writer_of(body, sizeof(body));
    message_command_encode(&w, command);
    rig_frame(rig, 1,
              (struct frame){
                  .type = FRAME_COMMAND, .body = body, .body_bytes = (uint32_t)writer_length(&w)});
}

static uint32_t last_status(const struct rig *rig)
{
    ck_assert_uint_gt(rig->reply_count, 0);
    return rig->replies[rig->reply_count - 1].status;
}

/* What the store says once `command` is applied. */
static void store_says(struct rig *rig, const struct message_command *command)
{
    rig->lineage = (struct lineage){.command = command->number,
                                    .command_identity = command->identity,
                                    .head_generation = command->generation + 1,
                                    .head_base = command->generation};
}

START_TEST(command_is_answered_with_what_the_volume_became)
{
    struct rig rig;
    struct message_command seal = seal_of(1);
    rig_serve(&rig);
    rig_command(&rig, &seal);
    ck_assert_uint_eq(rig.reply_count, 0);
    store_says(&rig, &seal);
    rig_done(&rig, SERVICE_COMMAND, 0);
    ck_assert_uint_eq(last_status(&rig), FRAME_OK);
    ck_assert_uint_eq(rig.replies[0].body_bytes, LINEAGE_BYTES);
    rig_open(&rig, 2, 3, CONTROLLER);
    rig_done_all(&rig);
    ck_assert_uint_eq(rig.opened.lineage.command, 1);
    ck_assert_uint_eq(rig.opened.lineage.head_base, 1);
    rig_end(&rig);
}
END_TEST

START_TEST(command_that_is_known_is_not_applied_again)
{
    struct rig rig;
    struct message_command seal = seal_of(1);
    rig_serve(&rig);
    rig_command(&rig, &seal);
    store_says(&rig, &seal);
    rig_done(&rig, SERVICE_COMMAND, 0);
    rig_command(&rig, &seal);
    ck_assert_uint_eq(last_status(&rig), FRAME_OK);
    ck_assert_uint_eq(rig.waiting_count, 0);
    rig_end(&rig);
}
END_TEST

START_TEST(another_command_of_a_known_number_is_refused)
{
    struct rig rig;
    struct message_command seal = seal_of(1);
    rig_serve(&rig);
    rig_command(&rig, &seal);
    store_says(&rig, &seal);
    rig_done(&rig, SERVICE_COMMAND, 0);
    seal.identity = uuid_of(51);
    rig_command(&rig, &seal);
    ck_assert_uint_eq(last_status(&rig), FRAME_INVALID);
    rig_end(&rig);
}
END_TEST

START_TEST(number_that_is_not_the_next_is_refused)
{
    struct rig rig;
    struct message_command seal = seal_of(2);
    rig_serve(&rig);
    rig_command(&rig, &seal);
    ck_assert_uint_eq(last_status(&rig), FRAME_INVALID);
    rig_end(&rig);
}
END_TEST

START_TEST(seal_of_another_than_the_head_is_refused)
{
    struct rig rig;
    struct message_command seal = seal_of(1);
    seal.generation = 7;
    rig_serve(&rig);
    rig_command(&rig, &seal);
    ck_assert_uint_eq(last_status(&rig), FRAME_INVALID);
    rig_end(&rig);
}
END_TEST

START_TEST(seal_is_refused_while_a_write_is_under_way)
{
    struct rig rig;
    struct message_command seal = seal_of(1);
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_command(&rig, &seal);
    ck_assert_uint_eq(last_status(&rig), FRAME_INVALID);
    ck_assert(!rig_waits(&rig, SERVICE_COMMAND));
    rig_end(&rig);
}
END_TEST

START_TEST(write_is_refused_while_the_head_is_sealed)
{
    struct rig rig;
    struct message_command seal = seal_of(1);
    rig_serve(&rig);
    rig_command(&rig, &seal);
    rig_write(&rig, 1, 0);
    ck_assert_uint_eq(last_status(&rig), FRAME_INVALID);
    store_says(&rig, &seal);
    rig_done(&rig, SERVICE_COMMAND, 0);
    rig_write(&rig, 1, 0);
    rig_done_all(&rig);
    ck_assert_uint_eq(last_status(&rig), FRAME_OK);
    rig_end(&rig);
}
END_TEST

START_TEST(row_is_set_while_a_write_is_under_way)
{
    struct rig rig;
    struct message_command set = {.number = 1,
                                  .kind = COMMAND_SET,
                                  .identity = uuid_of(50),
                                  .key = "owner",
                                  .value_bytes = 2,
                                  .value = (const uint8_t *)"me"};
    rig_serve(&rig);
    rig_write(&rig, 1, 0);
    rig_command(&rig, &set);
    ck_assert(rig_waits(&rig, SERVICE_COMMAND));
    rig.lineage.command = 1;
    rig.lineage.command_identity = set.identity;
    rig_end(&rig);
}
END_TEST

START_TEST(command_the_store_refuses_changes_nothing)
{
    struct rig rig;
    struct message_command seal = seal_of(1);
    rig_serve(&rig);
    rig_command(&rig, &seal);
    store_says(&rig, &seal);
    rig_done(&rig, SERVICE_COMMAND, -ENOSPC);
    ck_assert_uint_eq(last_status(&rig), FRAME_NO_SPACE);
    rig_command(&rig, &seal);
    ck_assert(rig_waits(&rig, SERVICE_COMMAND));
    rig_end(&rig);
}
END_TEST

START_TEST(new_session_waits_for_a_command_and_tells_of_it)
{
    struct rig rig;
    struct message_command seal = seal_of(1);
    rig_serve(&rig);
    rig_command(&rig, &seal);
    rig_open(&rig, 2, 3, CONTROLLER);
    while (rig_waits(&rig, SERVICE_META))
        rig_done(&rig, SERVICE_META, 0);
    ck_assert_uint_eq(rig.opened.promised_epoch, 2);
    store_says(&rig, &seal);
    rig_done(&rig, SERVICE_COMMAND, 0);
    ck_assert_uint_eq(rig.opened.promised_epoch, 3);
    ck_assert_uint_eq(rig.opened.lineage.command, 1);
    rig_end(&rig);
}
END_TEST

START_TEST(member_in_sync_takes_no_book)
{
    struct rig rig;
    rig_serve(&rig);
    rig_frame(
        &rig, 1,
        (struct frame){.type = FRAME_INSTALL, .body = (const uint8_t *)"chunk", .body_bytes = 5});
    ck_assert_uint_eq(last_status(&rig), FRAME_INVALID);
    rig_end(&rig);
}
END_TEST

START_TEST(only_the_lowest_incomplete_generation_is_settled)
{
    struct rig rig;
    rig_begin(&rig);
    rig_done_all(&rig);
    service_free(rig.service);
    rig.lineage = (struct lineage){.head_generation = 5, .incomplete_generation = 3};
    rig_start(&rig, true);
    rig_open(&rig, 1, 2, CONTROLLER);
    rig_done_all(&rig);
    rig_frame(&rig, 1, (struct frame){.type = FRAME_SETTLE, .generation = 4});
    ck_assert_uint_eq(last_status(&rig), FRAME_INVALID);
    rig_frame(&rig, 1, (struct frame){.type = FRAME_SETTLE, .generation = 3});
    ck_assert(rig_waits(&rig, SERVICE_SETTLE));
    rig_end(&rig);
}
END_TEST

START_TEST(write_to_a_sealed_generation_marks_no_region)
{
    struct rig rig;
    rig_serve(&rig);
    struct slice data = slice_get(&rig.bufs, BLOCK_BYTES);
    rig_frame(
        &rig, 1,
        (struct frame){
            .type = FRAME_COPY, .length_bytes = BLOCK_BYTES, .generation = 3, .payload = data});
    slice_release(&data);
    ck_assert(rig_waits(&rig, SERVICE_WRITE) && !rig_waits(&rig, SERVICE_DRL));
    ck_assert_uint_eq(rig.waiting[0]->generation, 3);
    ck_assert_uint_eq(rig.planes[0], 0);
    rig_end(&rig);
}
END_TEST

START_TEST(generation_that_is_absent_is_told_as_such)
{
    struct rig rig;
    rig_serve(&rig);
    rig_frame(&rig, 1,
              (struct frame){.type = FRAME_READ, .length_bytes = BLOCK_BYTES, .generation = 3});
    rig_done(&rig, SERVICE_READ, -ENOENT);
    ck_assert_uint_eq(last_status(&rig), FRAME_ABSENT);
    rig_end(&rig);
}
END_TEST

/* Asks for the hashes of five blocks of nines. Returns what is told of them. */
static struct service_effect ask_hashes(struct rig *rig, const uint8_t *key, uint16_t flags)
{
    rig_serve(rig);
    rig_frame(rig, 1,
              (struct frame){.type = FRAME_HASH,
                             .flags = flags,
                             .length_bytes = 5 * BLOCK_BYTES,
                             .body = key,
                             .body_bytes = HASH_KEY_BYTES});
    ck_assert(rig->waiting[0]->partial);
    struct slice read = slice_get(&rig->bufs, 5 * BLOCK_BYTES);
    memset(read.bytes, 9, read.length_bytes);
    slice_crc_fill(&read);
    rig->waiting[0]->data = read;
    rig->waiting[0]->status = 0;
    struct service_io *io = rig->waiting[--rig->waiting_count];
    service_step(rig->service, &(struct service_event){.kind = SERVICE_EV_IO_DONE, .io = io});
    struct service_effect effect;
    ck_assert(service_next(rig->service, &effect));
    ck_assert_uint_eq(effect.frame.body_bytes, 2 * HASH_BYTES);
    return effect;
}

START_TEST(hash_is_of_each_16_kib_under_the_given_key)
{
    struct rig rig;
    uint8_t key[HASH_KEY_BYTES] = {7}, expected[HASH_BYTES];
    struct service_effect effect = ask_hashes(&rig, key, 0);
    uint8_t bytes[4 * BLOCK_BYTES];
    memset(bytes, 9, sizeof(bytes));
    siphash(key, bytes, sizeof(bytes), expected);
    ck_assert_mem_eq(effect.frame.body, expected, HASH_BYTES);
    siphash(key, bytes, BLOCK_BYTES, expected);
    ck_assert_mem_eq(effect.frame.body + HASH_BYTES, expected, HASH_BYTES);
    rig_drain(&rig);
    rig_end(&rig);
}
END_TEST

START_TEST(checksums_of_what_was_read_are_told_instead_of_hashes)
{
    struct rig rig;
    uint8_t key[HASH_KEY_BYTES] = {7}, expected[2 * HASH_BYTES];
    struct service_effect effect = ask_hashes(&rig, key, FRAME_SUMS);
    struct slice content = slice_get(&rig.bufs, 5 * BLOCK_BYTES);
    memset(content.bytes, 9, content.length_bytes);
    slice_crc_fill(&content);
    hash_sums(&content, expected);
    ck_assert_mem_eq(effect.frame.body, expected, sizeof(expected));
    slice_release(&content);
    rig_drain(&rig);
    rig_end(&rig);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("service/generations");
    TCase *tests = tcase_create("generations");
    tcase_add_test(tests, command_is_answered_with_what_the_volume_became);
    tcase_add_test(tests, command_that_is_known_is_not_applied_again);
    tcase_add_test(tests, another_command_of_a_known_number_is_refused);
    tcase_add_test(tests, number_that_is_not_the_next_is_refused);
    tcase_add_test(tests, seal_of_another_than_the_head_is_refused);
    tcase_add_test(tests, seal_is_refused_while_a_write_is_under_way);
    tcase_add_test(tests, write_is_refused_while_the_head_is_sealed);
    tcase_add_test(tests, row_is_set_while_a_write_is_under_way);
    tcase_add_test(tests, command_the_store_refuses_changes_nothing);
    tcase_add_test(tests, new_session_waits_for_a_command_and_tells_of_it);
    tcase_add_test(tests, member_in_sync_takes_no_book);
    tcase_add_test(tests, only_the_lowest_incomplete_generation_is_settled);
    tcase_add_test(tests, write_to_a_sealed_generation_marks_no_region);
    tcase_add_test(tests, generation_that_is_absent_is_told_as_such);
    tcase_add_test(tests, hash_is_of_each_16_kib_under_the_given_key);
    tcase_add_test(tests, checksums_of_what_was_read_are_told_instead_of_hashes);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
