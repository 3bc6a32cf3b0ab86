/* SPDX-License-Identifier: Apache-2.0 */
/* What initiators reserved holds for clients of NBD too, and before it is known. */
#include "tests/unit/target/front/clients.h"

uint64_t volume_wait_ns(const struct volume *v)
{
    ck_assert_ptr_eq(v, &volume);
    return 0;
}

/* The row of a volume that "iqn.x" has reserved for itself. */
static const uint8_t reserved_row[] = {1, 3, 0, 1, 0, 0, 0, 0, 0,   0,   0,   9,   0,
                                       0, 0, 0, 0, 0, 0, 7, 5, 'i', 'q', 'n', '.', 'x'};
enum { NBD_EPERM = 1, NBD_FLUSH_COMMAND = 3 };

START_TEST(held_write_goes_on_when_nobody_has_reserved)
{
    front_export_hold(export);
    int fd = client_open();
    client_request(fd, NBD_WRITE, 7, BLOCK);
    turns(3);
    ck_assert_uint_eq(submitted_count, 0);
    front_export_reservations(front, export, NULL, 0);
    turns(3);
    ck_assert_uint_eq(submitted_count, 1);
    volume_answers(0);
    client_expect(fd, 7, 0);
    close(fd);
    turns(4);
}
END_TEST

START_TEST(held_write_is_refused_when_somebody_has)
{
    front_export_hold(export);
    int fd = client_open();
    client_request(fd, NBD_WRITE, 7, BLOCK);
    turns(3);
    front_export_reservations(front, export, reserved_row, sizeof(reserved_row));
    turns(3);
    client_expect(fd, 7, NBD_EPERM);
    ck_assert_uint_eq(submitted_count, 0);
    close(fd);
    turns(4);
}
END_TEST

START_TEST(flush_is_not_held)
{
    front_export_hold(export);
    int fd = client_open();
    client_request(fd, NBD_FLUSH_COMMAND, 8, 0);
    turns(3);
    volume_answers(0);
    client_expect(fd, 8, 0);
    close(fd);
    turns(4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("front guard");
    TCase *tcase = tcase_create("guard");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, held_write_goes_on_when_nobody_has_reserved);
    tcase_add_test(tcase, held_write_is_refused_when_somebody_has);
    tcase_add_test(tcase, flush_is_not_held);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
