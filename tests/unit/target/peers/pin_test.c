/* SPDX-License-Identifier: Apache-2.0 */
/* Members that are tied to a certificate. */
#include "target/peers/pin.h"

#include "tests/lib/suite.h"

static const uint8_t zeros[UUID_BYTES];
static const uint8_t ones[UUID_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                         0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static struct uuid made(const char *who, const uint8_t random[UUID_BYTES])
{
    struct uuid member = uuid_from_random(random);
    pin_member(&member, who);
    return member;
}

START_TEST(member_is_believed_of_the_certificate_it_was_made_under)
{
    struct uuid member = made("certificate replica1", ones);
    ck_assert(pin_proved(&member, "certificate replica1"));
    ck_assert(!pin_proved(&member, "certificate replica2"));
    ck_assert(!pin_proved(&member, "certificate replica"));
    ck_assert(!pin_proved(&member, ""));
}
END_TEST

START_TEST(member_made_without_tls_is_believed_of_all)
{
    struct uuid member = made("", ones);
    ck_assert(pin_proved(&member, ""));
    ck_assert(pin_proved(&member, "certificate replica1"));
}
END_TEST

START_TEST(identities_are_of_their_version_and_differ)
{
    char text[UUID_TEXT_BYTES];
    struct uuid a = made("certificate replica1", zeros);
    struct uuid b = made("certificate replica1", ones);
    ck_assert(!uuid_equal(&a, &b));
    uuid_format(&a, text);
    ck_assert_int_eq(text[14], '8');
    ck_assert_int_eq(text[19], '8');
    struct uuid plain = made("", ones);
    uuid_format(&plain, text);
    ck_assert_int_eq(text[14], '4');
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("pin");
    tcase_add_test(tcase, member_is_believed_of_the_certificate_it_was_made_under);
    tcase_add_test(tcase, member_made_without_tls_is_believed_of_all);
    tcase_add_test(tcase, identities_are_of_their_version_and_differ);
    Suite *suite = suite_create("pin");
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
