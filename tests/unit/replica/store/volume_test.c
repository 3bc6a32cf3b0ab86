/* SPDX-License-Identifier: Apache-2.0 */
/* The planes: true as long as the boot id beside them is; and what keeps a volume from opening. */
#include "replica/store/volume.h"
#include "tests/unit/replica/store/requests.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct error error;

static void setup(void)
{
    fixture_engine = STORE_ENGINE_THREADS;
    fixture_setup_volume();
}

/* What a machine that lost its power has when it is back: another boot id. */
static void boot_again(void)
{
    const char *path = fixture_name("../boot_id");
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs("01020304-0506-4708-890a-0b0c0d0e0f10\n", file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(setenv("STRAKE_BOOT_ID_FILE", path, 1), 0);
}

static bool planes_are(uint8_t value)
{
    for (uint64_t i = 0; i < STORE_PLANE_COUNT * fixture_found.plane_bytes; i++) {
        if (fixture_found.planes[i % STORE_PLANE_COUNT][i / STORE_PLANE_COUNT] != value)
            return false;
    }
    return true;
}

static void planes_set(uint8_t value)
{
    for (int plane = 0; plane < STORE_PLANE_COUNT; plane++)
        memset(fixture_found.planes[plane], value, FIXTURE_PLANE_BYTES);
}

START_TEST(fresh_planes_are_zeros_and_not_of_this_boot)
{
    ck_assert(!fixture_found.same_boot);
    ck_assert(planes_are(0));
    ck_assert_uint_eq(fixture_found.plane_bytes, FIXTURE_PLANE_BYTES);
}
END_TEST

START_TEST(stamped_planes_are_found_again)
{
    planes_set(0x5a);
    store_volume_stamp(fixture_volume);
    fixture_reopen();
    ck_assert(fixture_found.same_boot);
    ck_assert(planes_are(0x5a));
}
END_TEST

START_TEST(planes_change_after_the_stamp)
{
    store_volume_stamp(fixture_volume);
    planes_set(0x11);
    fixture_reopen();
    ck_assert(fixture_found.same_boot);
    ck_assert(planes_are(0x11));
}
END_TEST

/* Killed while they were being rebuilt. */
START_TEST(planes_without_a_stamp_are_worthless)
{
    planes_set(0x5a);
    fixture_reopen();
    ck_assert(!fixture_found.same_boot);
    ck_assert(planes_are(0));
}
END_TEST

START_TEST(planes_of_another_boot_are_worthless)
{
    planes_set(0x5a);
    store_volume_stamp(fixture_volume);
    boot_again();
    fixture_reopen();
    ck_assert(!fixture_found.same_boot);
    ck_assert(planes_are(0));
    store_volume_stamp(fixture_volume);
    fixture_reopen();
    ck_assert(fixture_found.same_boot);
}
END_TEST

START_TEST(damaged_header_makes_planes_worthless)
{
    planes_set(0x5a);
    store_volume_stamp(fixture_volume);
    (void)fixture_volume_close();
    int fd = open(fixture_file("map"), O_WRONLY);
    ck_assert_int_eq(pwrite(fd, "x", 1, 20), 1);
    close(fd);
    fixture_volume_open();
    ck_assert(!fixture_found.same_boot);
    ck_assert(planes_are(0));
}
END_TEST

START_TEST(missing_map_is_made_anew)
{
    store_volume_stamp(fixture_volume);
    (void)fixture_volume_close();
    ck_assert_int_eq(unlink(fixture_file("map")), 0);
    fixture_volume_open();
    ck_assert(!fixture_found.same_boot);
    ck_assert(planes_are(0));
}
END_TEST

/* A store into a mapped hole of a full file system would kill the process. */
START_TEST(space_of_the_planes_is_reserved)
{
    struct stat map;
    ck_assert_int_eq(stat(fixture_file("map"), &map), 0);
    ck_assert_int_ge(map.st_blocks * 512, MAP_HEADER_BYTES + 3 * FIXTURE_PLANE_BYTES);
}
END_TEST

static void refused_saying(const char *words)
{
    ck_assert_ptr_null(fixture_try_volume(&error));
    ck_assert_msg(strstr(error.text, words) != NULL, "'%s' is not in '%s'", words, error.text);
    ck_assert_msg(strstr(error.text, "volume 11020304-") != NULL, "%s", error.text);
}

START_TEST(failed_sync_is_remembered_until_the_next_boot)
{
    store_volume_stamp(fixture_volume);
    ck_assert_uint_eq(*fixture_found.failed, 0);
    volume_sync_failed(fixture_volume);
    ck_assert_int_eq(fixture_sync(), -EIO);
    fixture_reopen();
    ck_assert(fixture_found.same_boot);
    ck_assert_uint_eq(*fixture_found.failed, 1);
    boot_again();
    fixture_reopen();
    ck_assert_uint_eq(*fixture_found.failed, 0);
}
END_TEST

START_TEST(repaired_volume_syncs_after_reopen)
{
    store_volume_stamp(fixture_volume);
    volume_sync_failed(fixture_volume);
    fixture_reopen();
    ck_assert_int_eq(fixture_sync(), 0);
    *fixture_found.failed = 0;
    fixture_reopen();
    ck_assert(fixture_found.same_boot);
    ck_assert_uint_eq(*fixture_found.failed, 0);
}
END_TEST

START_TEST(killed_in_a_sync_without_an_error_costs_nothing)
{
    store_volume_stamp(fixture_volume);
    volume_sync_begins(fixture_volume);
    fixture_reopen();
    ck_assert(fixture_found.same_boot);
    ck_assert_uint_eq(*fixture_found.failed, 0);
    ck_assert_uint_eq(fixture_volume->maps[0][45], 0);
}
END_TEST

START_TEST(missing_region_log_is_named)
{
    (void)fixture_volume_close();
    ck_assert_int_eq(unlink(fixture_file("drl")), 0);
    refused_saying("drl: cannot open: No such file or directory");
}
END_TEST

START_TEST(shortened_region_log_is_refused)
{
    (void)fixture_volume_close();
    ck_assert_int_eq(truncate(fixture_file("drl"), 100), 0);
    refused_saying("drl: cannot read");
}
END_TEST

START_TEST(unknown_volume_is_named)
{
    (void)fixture_volume_close();
    ck_assert_int_eq(fixture_delete(&fixture_uuid), 0);
    refused_saying("cannot open its directory: No such file or directory");
}
END_TEST

/* The kernel holds a killed process's lock until its last write has ended. */
START_TEST(open_waits_for_the_lock_of_a_former_process)
{
    (void)fixture_volume_close();
    int ready[2];
    ck_assert_int_eq(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        int fd = open(fixture_file("drl"), O_RDWR);
        if (fd < 0 || flock(fd, LOCK_EX) < 0 || write(ready[1], "r", 1) != 1)
            _exit(1);
        usleep(300000);
        _exit(0);
    }
    char byte;
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    fixture_volume_open();
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

START_TEST(every_written_file_is_locked)
{
    static const char *const names[] = {"meta.0", "meta.1", "drl", "map"};
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        int fd = open(fixture_file(names[i]), O_RDWR);
        ck_assert_int_ge(fd, 0);
        ck_assert_msg(flock(fd, LOCK_EX | LOCK_NB) < 0, "%s", names[i]);
        close(fd);
    }
}
END_TEST

static int grow(uint64_t size_bytes, uint64_t plane_bytes)
{
    struct store_req req = {
        .op = STORE_GROW, .length_bytes = size_bytes, .plane_bytes = plane_bytes};
    int status = fixture_do(&req);
    fixture_found = *store_volume_found(fixture_volume);
    return status;
}

START_TEST(a_volume_grows_in_place)
{
    uint8_t block[4096], found[4096];
    memset(block, 'x', sizeof(block));
    planes_set(0x5a);
    store_volume_stamp(fixture_volume);
    ck_assert_int_eq(fixture_write(0, block, sizeof(block), false), 0);
    ck_assert_int_eq(grow(4 * FIXTURE_SIZE_BYTES, 16 * FIXTURE_PLANE_BYTES), 0);
    ck_assert_uint_eq(fixture_found.plane_bytes, 16 * FIXTURE_PLANE_BYTES);
    for (int plane = 0; plane < STORE_PLANE_COUNT; plane++) {
        ck_assert_uint_eq(fixture_found.planes[plane][FIXTURE_PLANE_BYTES - 1], 0x5a);
        ck_assert_uint_eq(fixture_found.planes[plane][FIXTURE_PLANE_BYTES], 0);
        fixture_found.planes[plane][16 * FIXTURE_PLANE_BYTES - 1] = 1;
    }
    ck_assert_int_eq(fixture_write(4 * FIXTURE_SIZE_BYTES - 4096, block, 4096, false), 0);
    ck_assert_int_eq(fixture_read(0, found, 4096), 0);
    ck_assert_mem_eq(found, block, 4096);
    ck_assert_int_eq(fixture_read(4 * FIXTURE_SIZE_BYTES - 4096, found, 4096), 0);
    ck_assert_mem_eq(found, block, 4096);
}
END_TEST

/* The process was killed before anybody knew of it. */
START_TEST(a_growth_that_nobody_knows_of_costs_nothing)
{
    planes_set(0x5a);
    store_volume_stamp(fixture_volume);
    ck_assert_int_eq(grow(4 * FIXTURE_SIZE_BYTES, 16 * FIXTURE_PLANE_BYTES), 0);
    fixture_reopen();
    ck_assert(fixture_found.same_boot);
    ck_assert(planes_are(0x5a));
    ck_assert_int_eq(grow(4 * FIXTURE_SIZE_BYTES, 16 * FIXTURE_PLANE_BYTES), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("volume");
    TCase *tcase = tcase_create("volume");
    tcase_add_checked_fixture(tcase, setup, fixture_teardown_volume);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, fresh_planes_are_zeros_and_not_of_this_boot);
    tcase_add_test(tcase, stamped_planes_are_found_again);
    tcase_add_test(tcase, planes_change_after_the_stamp);
    tcase_add_test(tcase, planes_without_a_stamp_are_worthless);
    tcase_add_test(tcase, planes_of_another_boot_are_worthless);
    tcase_add_test(tcase, damaged_header_makes_planes_worthless);
    tcase_add_test(tcase, missing_map_is_made_anew);
    tcase_add_test(tcase, space_of_the_planes_is_reserved);
    tcase_add_test(tcase, failed_sync_is_remembered_until_the_next_boot);
    tcase_add_test(tcase, repaired_volume_syncs_after_reopen);
    tcase_add_test(tcase, killed_in_a_sync_without_an_error_costs_nothing);
    tcase_add_test(tcase, missing_region_log_is_named);
    tcase_add_test(tcase, shortened_region_log_is_refused);
    tcase_add_test(tcase, unknown_volume_is_named);
    tcase_add_test(tcase, open_waits_for_the_lock_of_a_former_process);
    tcase_add_test(tcase, every_written_file_is_locked);
    tcase_add_test(tcase, a_volume_grows_in_place);
    tcase_add_test(tcase, a_growth_that_nobody_knows_of_costs_nothing);
    suite_add_tcase(suite, tcase);
    return fixture_suite_run(suite);
}
