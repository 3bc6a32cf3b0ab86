/* SPDX-License-Identifier: Apache-2.0 */
/* A volume whose sync fails: this process serves it no more, the next one says what happened. */
#include "tests/unit/replica/front/volumes.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool syncs_fail;

/* In place of the C library's, for the threads' engine. */
int fdatasync(int fd)
{
    if (syncs_fail) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static void fail_a_sync(void)
{
    ck_assert_uint_eq(create_volume(&volume_a), FRAME_OK);
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 1), FRAME_OK);
    ck_assert_uint_eq(write_block(1, 0, 7), FRAME_OK);
    syncs_fail = true;
    ck_assert_uint_eq(call((struct frame){.type = FRAME_FLUSH, .session = 1}), FRAME_FAILED);
    syncs_fail = false;
}

static struct message_opened opened_as(void)
{
    struct message_opened opened;
    struct reader r = reader_of(got.body, got.frame.body_bytes);
    message_opened_decode(&r, &opened);
    ck_assert(!r.bad);
    return opened;
}

START_TEST(failed_sync_is_final_for_this_process)
{
    if (engine != STORE_ENGINE_THREADS)
        return; /* the kernel's own sync cannot be made to fail here */
    fail_a_sync();
    link_close(&target);
    connect_target();
    ck_assert_uint_eq(call(greeting()), FRAME_OK);
    for (uint64_t epoch = 2; epoch < 5; epoch++)
        ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, epoch), FRAME_FAILED);
}
END_TEST

START_TEST(next_process_says_that_a_sync_failed)
{
    if (engine != STORE_ENGINE_THREADS)
        return;
    fail_a_sync();
    restart();
    ck_assert_uint_eq(open_volume(1, &volume_a, &member_1, 2), FRAME_OK);
    ck_assert(opened_as().failed);
}
END_TEST

static void add(TCase *tcase)
{
    tcase_add_test(tcase, failed_sync_is_final_for_this_process);
    tcase_add_test(tcase, next_process_says_that_a_sync_failed);
}

int main(void)
{
    return fixture_run("replica/front/volume", add);
}
