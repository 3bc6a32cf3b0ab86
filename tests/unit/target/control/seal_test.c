/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots are made, labelled, deleted and reverted to. */
#include "tests/unit/target/control/snapshots.h"

#include <errno.h>

static const char list_path[] = "/v1/volumes/v1/snapshots";
static const char s1_path[] = "/v1/volumes/v1/snapshots/s1";

/* The value of the row that goes with the command under way. */
static json_t *row_now(void)
{
    const struct message_command *command = &volume_last->command->command;
    json_t *row = json_loadb((const char *)command->value, command->value_bytes, 0, NULL);
    ck_assert_ptr_nonnull(row);
    return row;
}

START_TEST(create_seals_the_head_with_a_row)
{
    serving_v1();
    volume_last->book.head = 18;
    ask(HTTP_POST, list_path, "",
        "{\"name\": \"s1\", \"message\": \"done\", \"labels\": {\"a\": \"1\"}}");
    turns(1);
    const struct message_command *command = &volume_last->command->command;
    ck_assert_int_eq(command->kind, COMMAND_SEAL);
    ck_assert_uint_eq(command->generation, 18);
    ck_assert_str_eq(command->key, "snapshot/0000000000000012");
    json_t *row = row_now();
    ck_assert_str_eq(json_string_value(json_object_get(row, "message")), "done");
    ck_assert_int_eq(json_integer_value(json_object_get(row, "size_bytes")), 1 << 20);
    json_decref(row);
    ck_assert_uint_eq(answer_code, 0);
    command_ends(volume_last, 0);
    ck_assert_uint_eq(answer_code, 201);
    ck_assert_str_eq(answer_text("name"), "s1");
    ck_assert_str_eq(answer_text("volume"), "v1");
    const char *iqn = json_string_value(json_object_get(json_object_get(answer, "iscsi"), "iqn"));
    ck_assert_str_eq(iqn, "iqn.2026-11.io.strake:v1:s1");
}
END_TEST

START_TEST(create_without_a_name_takes_the_time)
{
    serving_v1();
    for (int i = 0; i < 3; i++) {
        ask(HTTP_POST, list_path, "", "");
        turns(1);
        command_ends(volume_last, 0);
        ck_assert_uint_eq(answer_code, 201);
        ck_assert_uint_ge(strlen(answer_text("name")), strlen("2026-11-22-160000"));
    }
    ask(HTTP_GET, list_path, "", "");
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "snapshots")), 3);
}
END_TEST

START_TEST(taken_name_is_refused)
{
    serving_v1();
    snapshot_v1("s1");
    ask(HTTP_POST, list_path, "", "{\"name\": \"s1\"}");
    turns(1);
    refused(409, "v1@s1");
    ck_assert_ptr_null(volume_last->command);
}
END_TEST

START_TEST(changes_take_their_turns)
{
    serving_v1();
    ask(HTTP_POST, list_path, "", "{\"name\": \"s1\"}");
    turns(1);
    /* The second is answered by nobody here: it has the same request object. */
    struct record *record = catalogue_find_name(control, "v1");
    snapshot_create(record, NULL, json_pack("{s:s}", "name", "s2"));
    turns(1);
    ck_assert_uint_eq(volume_last->command->command.generation, 1);
    command_ends(volume_last, 0);
    turns(1);
    ck_assert_uint_eq(volume_last->command->command.generation, 2);
    command_ends(volume_last, 0);
    turns(1);
    ck_assert_ptr_null(volume_last->command);
    ck_assert_uint_eq(record->snapshot_count, 2);
}
END_TEST

START_TEST(failed_command_is_told)
{
    serving_v1();
    ask(HTTP_POST, list_path, "", "{\"name\": \"s1\"}");
    turns(1);
    command_ends(volume_last, -ENOSPC);
    refused(507, "full");
    ask(HTTP_POST, list_path, "", "{\"name\": \"s1\"}");
    turns(1);
    command_ends(volume_last, -EIO);
    refused(503, "may or may not");
}
END_TEST

START_TEST(request_waits_until_the_book_is_known)
{
    create_v1();
    ask(HTTP_GET, list_path, "", "");
    turns(2);
    ck_assert_uint_eq(answer_code, 0);
    book_comes(volume_last);
    turns(2);
    ck_assert_uint_eq(answer_code, 200);
    ck_assert_ptr_nonnull(json_object_get(answer, "snapshots"));
}
END_TEST

START_TEST(wrong_wishes_are_refused)
{
    serving_v1();
    ask(HTTP_POST, list_path, "", "{\"name\": \"S 1\"}");
    refused(400, "lower-case");
    ask(HTTP_POST, list_path, "", "{\"labels\": {\"a b\": \"1\"}}");
    refused(400, "label");
    ask(HTTP_POST, list_path, "", "{\"labels\": {\"a\": 1}}");
    refused(400, "label");
    ask(HTTP_POST, list_path, "", "{\"colour\": \"red\"}");
    refused(400, "colour");
    ask(HTTP_POST, list_path, "", "{\"message\": 1}");
    refused(400, "message");
    ask(HTTP_DELETE, list_path, "", "");
    refused(405, "GET");
    ask(HTTP_GET, s1_path, "", "");
    refused(404, "v1@s1");
    ask(HTTP_GET, "/v1/volumes/v1/snapshots/", "", "");
    refused(404, "nothing");
    ck_assert_ptr_null(volume_last->command);
}
END_TEST

START_TEST(list_is_filtered_by_labels)
{
    serving_v1();
    snapshot_v1("s1");
    ask(HTTP_PATCH, s1_path, "", "{\"labels\": {\"a\": \"1\", \"b\": \"2\"}}");
    turns(1);
    command_ends(volume_last, 0);
    ck_assert_uint_eq(answer_code, 200);
    ask(HTTP_GET, list_path, "label=a=1&label=b=2", "");
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "snapshots")), 1);
    ask(HTTP_GET, list_path, "label=a=2", "");
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "snapshots")), 0);
    ask(HTTP_GET, list_path, "size=2", "");
    refused(400, "label");
}
END_TEST

START_TEST(label_is_removed_by_null)
{
    serving_v1();
    snapshot_v1("s1");
    ask(HTTP_PATCH, s1_path, "", "{\"labels\": {\"a\": \"1\"}, \"message\": \"x\"}");
    turns(1);
    command_ends(volume_last, 0);
    ck_assert_str_eq(answer_text("message"), "x");
    ask(HTTP_PATCH, s1_path, "", "{\"labels\": {\"a\": null}}");
    turns(1);
    command_ends(volume_last, 0);
    ck_assert_uint_eq(json_object_size(json_object_get(answer, "labels")), 0);
    ck_assert_str_eq(answer_text("message"), "x");
}
END_TEST

START_TEST(delete_drops_generation_and_row)
{
    serving_v1();
    snapshot_v1("s1");
    ask(HTTP_DELETE, s1_path, "", "");
    turns(1);
    const struct message_command *command = &volume_last->command->command;
    ck_assert_int_eq(command->kind, COMMAND_DROP);
    ck_assert_uint_eq(command->generation, 1);
    ck_assert_uint_eq(command->value_bytes, 0);
    command_ends(volume_last, 0);
    ck_assert_uint_eq(answer_code, 200);
    ask(HTTP_GET, s1_path, "", "");
    refused(404, "v1@s1");
}
END_TEST

START_TEST(snapshot_in_use_is_not_deleted)
{
    serving_v1();
    snapshot_v1("s1");
    struct export *view = view_of("v1@s1");
    view->session_count = 1;
    ask(HTTP_DELETE, s1_path, "", "");
    turns(1);
    refused(409, "in use by");
    view->session_count = 0;
    ask(HTTP_DELETE, s1_path, "", "");
    turns(1);
    ck_assert_ptr_eq(removing, view);
    ck_assert_ptr_null(volume_last->command);
    ck_assert_ptr_null(view_of("v1@s1"));
    export_goes();
    turns(1);
    command_ends(volume_last, 0);
    ck_assert_uint_eq(answer_code, 200);
}
END_TEST

START_TEST(revert_seals_first)
{
    serving_v1();
    snapshot_v1("s1");
    ask(HTTP_POST, "/v1/volumes/v1/snapshots/s1/revert", "", "{\"keep\": \"old\"}");
    turns(1);
    ck_assert_int_eq(volume_last->command->command.kind, COMMAND_SEAL);
    ck_assert_uint_eq(volume_last->command->command.generation, 2);
    ck_assert_ptr_null(view_of("v1"));
    command_ends(volume_last, 0);
    ck_assert_int_eq(volume_last->command->command.kind, COMMAND_REVERT);
    ck_assert_uint_eq(volume_last->command->command.generation, 1);
    ck_assert_str_eq(volume_last->command->command.key, "");
    command_ends(volume_last, 0);
    ck_assert_uint_eq(answer_code, 200);
    ck_assert_str_eq(answer_text("name"), "old");
    ck_assert_ptr_nonnull(view_of("v1"));
}
END_TEST

START_TEST(volume_in_use_is_not_reverted)
{
    serving_v1();
    snapshot_v1("s1");
    struct export *export = view_of("v1");
    export->session_count = 1;
    ask(HTTP_POST, "/v1/volumes/v1/snapshots/s1/revert", "", "{}");
    turns(1);
    refused(409, "10.0.0.9:40000");
    export->session_count = 0;
}
END_TEST

START_TEST(volume_shows_again_when_revert_fails)
{
    serving_v1();
    snapshot_v1("s1");
    ask(HTTP_POST, "/v1/volumes/v1/snapshots/s1/revert", "", "{}");
    turns(1);
    command_ends(volume_last, -EIO);
    refused(503, "may or may not");
    ck_assert_ptr_nonnull(view_of("v1"));
}
END_TEST

START_TEST(description_is_kept_in_rows)
{
    serving_v1();
    ask(HTTP_PATCH, "/v1/volumes/v1", "", "{\"owner\": \"ann\", \"labels\": {\"a\": \"1\"}}");
    turns(1);
    ck_assert_str_eq(volume_last->command->command.key, "owner");
    command_ends(volume_last, 0);
    ck_assert_str_eq(volume_last->command->command.key, "labels");
    command_ends(volume_last, 0);
    ck_assert_uint_eq(answer_code, 200);
    ck_assert_str_eq(answer_text("owner"), "ann");
    const json_t *labels = json_object_get(answer, "labels");
    ck_assert_str_eq(json_string_value(json_object_get(labels, "a")), "1");
}
END_TEST

START_TEST(book_of_another_day_is_taken_over)
{
    static const char row[] =
        "{\"name\": \"old\", \"message\": \"\", \"labels\": {}, \"created_s\": 1, \"size_bytes\": "
        "1048576, \"uuid\": \"00000000-0000-4000-8000-000000000001\", \"digest\": \"sha256:ab\"}";
    create_v1();
    struct book *book = &volume_last->book;
    book_set(book, "snapshot/0000000000000003", (const uint8_t *)row, sizeof(row) - 1);
    book_set(book, "snapshot/0000000000000004", (const uint8_t *)"{}", 2);
    book_set(book, "snapshot/x", (const uint8_t *)row, sizeof(row) - 1);
    book->head = 5;
    book_comes(volume_last);
    ask(HTTP_GET, list_path, "", "");
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "snapshots")), 1);
    ask(HTTP_GET, "/v1/volumes/v1/snapshots/sha256:ab", "", "");
    ck_assert_str_eq(answer_text("name"), "old");
    book_set(book, "snapshot/0000000000000003", NULL, 0);
    book_comes(volume_last);
    ask(HTTP_GET, list_path, "", "");
    ck_assert_uint_eq(json_array_size(json_object_get(answer, "snapshots")), 0);
}
END_TEST

START_TEST(reservations_of_the_book_are_handed_to_the_front)
{
    create_v1();
    ck_assert_uint_eq(exports_held, 1);
    book_set(&volume_last->book, "reservations", (const uint8_t *)"held", 4);
    book_comes(volume_last);
    ck_assert_uint_eq(exports_held, 0);
    ck_assert_uint_eq(reservations_bytes, 4);
}
END_TEST

START_TEST(volume_without_a_book_is_served_all_the_same)
{
    create_v1();
    book_is_not_there(volume_last);
    ck_assert_uint_eq(exports_held, 0);
    ask(HTTP_GET, list_path, "", "");
    refused(503, "do not know snapshots");
}
END_TEST

START_TEST(events_say_who_did_what)
{
    serving_v1();
    struct record *record = catalogue_find_name(control, "v1");
    ask(HTTP_POST, list_path, "", "{\"name\": \"s1\"}");
    memcpy(CONTAINER_OF(record->changes.next, struct change, node)->who, "uid 7", 6);
    turns(1);
    command_ends(volume_last, 0);
    const struct event *event = &control->events[control->event_count - 1];
    ck_assert_str_eq(event->subject, "v1");
    ck_assert_str_eq(event->text, "snapshot s1 made by uid 7");
}
END_TEST

START_TEST(stopping_answers_who_waits)
{
    serving_v1();
    ask(HTTP_POST, list_path, "", "{\"name\": \"s1\"}");
    turns(1);
    ck_assert_uint_eq(answer_code, 0);
    struct volume *volume = volume_last;
    control->stopping = true;
    command_ends(volume, -ESHUTDOWN);
    control->stopping = false;
    refused(503, "goes away");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        create_seals_the_head_with_a_row,
        create_without_a_name_takes_the_time,
        taken_name_is_refused,
        changes_take_their_turns,
        failed_command_is_told,
        request_waits_until_the_book_is_known,
        wrong_wishes_are_refused,
        list_is_filtered_by_labels,
        label_is_removed_by_null,
        delete_drops_generation_and_row,
        snapshot_in_use_is_not_deleted,
        revert_seals_first,
        volume_in_use_is_not_reverted,
        volume_shows_again_when_revert_fails,
        description_is_kept_in_rows,
        book_of_another_day_is_taken_over,
        reservations_of_the_book_are_handed_to_the_front,
        volume_without_a_book_is_served_all_the_same,
        events_say_who_did_what,
        stopping_answers_who_waits,
    };
    return tests_run("seal", tests, ARRAY_COUNT(tests));
}
