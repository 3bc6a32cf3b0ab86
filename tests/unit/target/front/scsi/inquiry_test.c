/* SPDX-License-Identifier: Apache-2.0 */
/* INQUIRY: the standard data and the vital product data pages, byte by byte. */
#include "tests/unit/target/front/scsi/fixture.h"

START_TEST(standard_data_is_as_published)
{
    ck_assert_good(0x12, 0, 0, 0, 0xff, 0);
    static const uint8_t head[] = {0x00, 0x00, 0x06, 0x02, 91, 0x18, 0, 0x02};
    ck_assert_uint_eq(command.data_in.length_bytes, 96);
    ck_assert_mem_eq(command.data_in.bytes, head, sizeof(head));
    ck_assert_mem_eq(command.data_in.bytes + 8, "STRAKE  VOLUME          0001", 28);
    static const uint8_t versions[] = {0x00, 0xa0, 0x09, 0x60, 0x04, 0x60, 0x04, 0xc0, 0, 0};
    ck_assert_mem_eq(command.data_in.bytes + 58, versions, sizeof(versions));
}
END_TEST

START_TEST(allocation_length_cuts)
{
    ck_assert_good(0x12, 0, 0, 0, 5, 0);
    ck_assert_data_in(0x00, 0x00, 0x06, 0x02, 91);
}
END_TEST

START_TEST(allocation_length_is_sixteen_bits)
{
    ck_assert_good(0x12, 0, 0, 0x01, 0x00, 0);
    ck_assert_uint_eq(command.data_in.length_bytes, 96);
}
END_TEST

START_TEST(allocation_length_zero_transfers_nothing)
{
    ck_assert_good(0x12, 0, 0, 0, 0, 0);
    ck_assert_uint_eq(command.data_in.length_bytes, 0);
    ck_assert_uint_eq(command.expected_bytes, 0);
}
END_TEST

START_TEST(page_code_without_evpd_is_refused)
{
    ck_assert_check(0x12, 0, 0x80, 0, 0xff, 0);
    ck_assert_bad_cdb(2, 7);
}
END_TEST

START_TEST(cmddt_is_refused)
{
    ck_assert_check(0x12, 0x02, 0, 0, 0xff, 0);
    ck_assert_bad_cdb(1, 1);
}
END_TEST

START_TEST(unknown_page_is_refused_without_data)
{
    ck_assert_check(0x12, 0x01, 0xb9, 0, 0xff, 0);
    ck_assert_bad_cdb(2, 7);
    ck_assert_ptr_null(command.data_in.buf);
    ck_assert_uint_eq(command.expected_bytes, 0);
}
END_TEST

START_TEST(supported_pages_are_listed)
{
    ck_assert_good(0x12, 0x01, 0x00, 0, 0xff, 0);
    ck_assert_data_in(0x00, 0x00, 0, 8, 0x00, 0x80, 0x83, 0x86, 0x8f, 0xb0, 0xb1, 0xb2);
}
END_TEST

START_TEST(every_listed_page_is_there)
{
    ck_assert_good(0x12, 0x01, 0x00, 0, 0xff, 0);
    uint8_t pages[8];
    memcpy(pages, command.data_in.bytes + 4, sizeof(pages));
    for (size_t i = 0; i < sizeof(pages); i++) {
        ck_assert_good(0x12, 0x01, pages[i], 0x10, 0, 0);
        ck_assert_uint_eq(command.data_in.bytes[1], pages[i]);
        ck_assert_uint_eq(u16_at(command.data_in.bytes + 2), command.data_in.length_bytes - 4);
    }
}
END_TEST

START_TEST(serial_number_is_the_uuid)
{
    ck_assert_good(0x12, 0x01, 0x80, 0, 0xff, 0);
    static const uint8_t head[] = {0x00, 0x80, 0, 36};
    ck_assert_uint_eq(command.data_in.length_bytes, 40);
    ck_assert_mem_eq(command.data_in.bytes, head, sizeof(head));
    ck_assert_mem_eq(command.data_in.bytes + 4, "00112233-4455-4677-8899-aabbccddeeff", 36);
}
END_TEST

START_TEST(identification_has_naa_vendor_id_and_port)
{
    static const uint8_t naa[] = {0x00, 0x83, 0,    76,   0x01, 0x03, 0,    8,
                                  0x38, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    static const uint8_t vendor[] = {0x02, 0x01, 0, 44};
    static const uint8_t ports[] = {0x51, 0x94, 0, 4, 0, 0, 0, 1, 0x51, 0x95, 0, 4, 0, 0, 0, 1};
    ck_assert_good(0x12, 0x01, 0x83, 0, 0xff, 0);
    const uint8_t *bytes = command.data_in.bytes;
    ck_assert_uint_eq(command.data_in.length_bytes, 80);
    ck_assert_mem_eq(bytes, naa, sizeof(naa));
    ck_assert_mem_eq(bytes + 16, vendor, sizeof(vendor));
    ck_assert_mem_eq(bytes + 20, "STRAKE  00112233-4455-4677-8899-aabbccddeeff", 44);
    ck_assert_mem_eq(bytes + 64, ports, sizeof(ports));
}
END_TEST

START_TEST(identification_tells_the_target_name)
{
    unit.target_name = "iqn.2026-11.io.strake:a"; /* 23 bytes */
    ck_assert_good(0x12, 0x01, 0x83, 0x10, 0, 0);
    const uint8_t *bytes = command.data_in.bytes + 80;
    static const uint8_t of_unit[] = {0x03, 0x08, 0, 48};
    static const uint8_t of_port[] = {0x53, 0x98, 0, 36};
    static const uint8_t of_target[] = {0x53, 0xa8, 0, 24};
    ck_assert_mem_eq(bytes, of_unit, 4);
    ck_assert_str_eq((const char *)bytes + 4, "iqn.2026-11.io.strake:a,L,0x0000000000000000");
    ck_assert_mem_eq(bytes + 52, of_port, 4);
    ck_assert_str_eq((const char *)bytes + 56, "iqn.2026-11.io.strake:a,t,0x0001");
    ck_assert_mem_eq(bytes + 92, of_target, 4);
    ck_assert_str_eq((const char *)bytes + 96, "iqn.2026-11.io.strake:a");
    ck_assert_uint_eq(command.data_in.length_bytes, 80 + 52 + 40 + 28);
}
END_TEST

START_TEST(longest_target_name_fits)
{
    char name[IQN_BYTES];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    unit.target_name = name;
    ck_assert_good(0x12, 0x01, 0x83, 0x10, 0, 0);
    ck_assert_uint_gt(command.data_in.length_bytes, 3 * 223);
}
END_TEST

START_TEST(extended_data_tells_simple_tasks_and_volatile_cache)
{
    ck_assert_good(0x12, 0x01, 0x86, 0, 0xff, 0);
    static const uint8_t head[] = {0x00, 0x86, 0, 60, 0x00, 0x01, 0x01, 0x01};
    ck_assert_uint_eq(command.data_in.length_bytes, 64);
    ck_assert_mem_eq(command.data_in.bytes, head, sizeof(head));
}
END_TEST

START_TEST(block_limits_with_blocks_of_512)
{
    ck_assert_good(0x12, 0x01, 0xb0, 0, 44, 0);
    ck_assert_data_in(0x00, 0xb0, 0, 60, 0x01, 128, 0, 8, 0, 0, 0x40, 0, 0, 0, 0x08, 0, 0, 0, 0, 0,
                      0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0, 0, 0, 0, 8, 0x80, 0, 0, 0, 0, 0, 0, 0, 0,
                      0, 0x80, 0);
}
END_TEST

START_TEST(block_limits_with_blocks_of_4096)
{
    ck_assert_good(0x12, 0x01, 0xb0, 0, 44, 0);
    ck_assert_data_in(0x00, 0xb0, 0, 60, 0x01, 128, 0, 1, 0, 0, 0x08, 0, 0, 0, 0x01, 0, 0, 0, 0, 0,
                      0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0, 0, 0, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0,
                      0, 0x10, 0);
}
END_TEST

START_TEST(block_limits_page_is_the_long_one)
{
    ck_assert_good(0x12, 0x01, 0xb0, 0, 0xff, 0);
    ck_assert_uint_eq(command.data_in.length_bytes, 64);
}
END_TEST

START_TEST(characteristics_say_it_does_not_rotate)
{
    ck_assert_good(0x12, 0x01, 0xb1, 0, 10, 0);
    ck_assert_data_in(0x00, 0xb1, 0, 60, 0, 1, 0, 0, 0x01, 0);
}
END_TEST

START_TEST(provisioning_is_thin)
{
    ck_assert_good(0x12, 0x01, 0xb2, 0, 0xff, 0);
    ck_assert_data_in(0x00, 0xb2, 0, 4, 0, 0xe4, 0x02, 0);
}
END_TEST

START_TEST(absent_lun_says_there_is_none)
{
    command.unit = NULL;
    ck_assert_good(0x12, 0, 0, 0, 0xff, 0);
    ck_assert_uint_eq(command.data_in.length_bytes, 96);
    ck_assert_uint_eq(command.data_in.bytes[0], 0x7f);
}
END_TEST

START_TEST(absent_lun_has_the_list_of_pages_alone)
{
    command.unit = NULL;
    ck_assert_good(0x12, 0x01, 0x00, 0, 0xff, 0);
    ck_assert_data_in(0x7f, 0x00, 0, 1, 0x00);
    ck_assert_check(0x12, 0x01, 0x83, 0, 0xff, 0);
    ck_assert_bad_cdb(2, 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scsi inquiry");
    TCase *tcase = tcase_create("512");
    tcase_add_checked_fixture(tcase, setup_512, teardown);
    tcase_add_test(tcase, standard_data_is_as_published);
    tcase_add_test(tcase, allocation_length_cuts);
    tcase_add_test(tcase, allocation_length_is_sixteen_bits);
    tcase_add_test(tcase, allocation_length_zero_transfers_nothing);
    tcase_add_test(tcase, page_code_without_evpd_is_refused);
    tcase_add_test(tcase, cmddt_is_refused);
    tcase_add_test(tcase, unknown_page_is_refused_without_data);
    tcase_add_test(tcase, supported_pages_are_listed);
    tcase_add_test(tcase, every_listed_page_is_there);
    tcase_add_test(tcase, serial_number_is_the_uuid);
    tcase_add_test(tcase, identification_has_naa_vendor_id_and_port);
    tcase_add_test(tcase, identification_tells_the_target_name);
    tcase_add_test(tcase, longest_target_name_fits);
    tcase_add_test(tcase, extended_data_tells_simple_tasks_and_volatile_cache);
    tcase_add_test(tcase, block_limits_with_blocks_of_512);
    tcase_add_test(tcase, block_limits_page_is_the_long_one);
    tcase_add_test(tcase, characteristics_say_it_does_not_rotate);
    tcase_add_test(tcase, provisioning_is_thin);
    tcase_add_test(tcase, absent_lun_says_there_is_none);
    tcase_add_test(tcase, absent_lun_has_the_list_of_pages_alone);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("4096");
    tcase_add_checked_fixture(tcase, setup_4096, teardown);
    tcase_add_test(tcase, block_limits_with_blocks_of_4096);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
