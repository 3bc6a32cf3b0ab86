/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sense URL write BLOCK... | watch: what a target says of one command, over libiscsi: "good", or
 * the sense key, the code and its qualifier, as "6 2a09".
 *
 *   write   1 MiB from each such block of 512 bytes on, until one is not good
 *   watch   says "ready", then TEST UNIT READY until one is not good; what it says, and the
 *           capacity in bytes
 *
 * Exit status: 0 if there was an answer.
 */
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCK_BYTES = 512, WRITE_BYTES = 1 << 20, WATCH_TRIES = 600 };

/* True when the command was carried out; else `text` is the sense, or empty. */
static bool judge(struct iscsi_context *iscsi, struct scsi_task *task, char text[16])
{
    bool good = task && task->status == SCSI_STATUS_GOOD;
    bool sense = task && task->status == SCSI_STATUS_CHECK_CONDITION;
    snprintf(text, 16, "%s", good ? "good" : "");
    if (sense)
        snprintf(text, 16, "%x %04x", (unsigned)task->sense.key, (unsigned)task->sense.ascq);
    else if (!good)
        fprintf(stderr, "sense: %s\n", iscsi_get_error(iscsi));
    if (task)
        scsi_free_scsi_task(task);
    return good;
}

static void writes(struct iscsi_context *iscsi, int lun, char **blocks, char text[16])
{
    static unsigned char bytes[WRITE_BYTES];
    memset(bytes, 0x5a, sizeof(bytes));
    for (bool good = true; good && *blocks; blocks++)
        good = judge(iscsi,
                     iscsi_write16_sync(iscsi, lun, strtoull(*blocks, NULL, 0), bytes,
                                        sizeof(bytes), BLOCK_BYTES, 0, 0, 0, 0, 0),
                     text);
}

static void capacity_print(struct iscsi_context *iscsi, int lun)
{
    struct scsi_task *task = iscsi_readcapacity16_sync(iscsi, lun);
    const struct scsi_readcapacity16 *capacity =
        task && task->status == SCSI_STATUS_GOOD ? scsi_datain_unmarshall(task) : NULL;
    if (capacity)
        printf("%llu\n",
               (unsigned long long)((capacity->returned_lba + 1) * capacity->block_length));
    if (task)
        scsi_free_scsi_task(task);
}

static void watch(struct iscsi_context *iscsi, int lun, char text[16])
{
    const struct timespec step = {.tv_nsec = 100 * 1000 * 1000};
    printf("ready\n");
    fflush(stdout);
    for (int i = 0; i < WATCH_TRIES; i++) {
        if (!judge(iscsi, iscsi_testunitready_sync(iscsi, lun), text))
            break;
        nanosleep(&step, NULL);
    }
}

int main(int argc, char **argv)
{
    char text[16] = "";
    if (argc < 3)
        return 1;
    struct iscsi_context *iscsi = iscsi_create_context("iqn.2026-11.io.strake:sense");
    struct iscsi_url *url = iscsi ? iscsi_parse_full_url(iscsi, argv[1]) : NULL;
    if (!url)
        return 1;
    iscsi_set_session_type(iscsi, ISCSI_SESSION_NORMAL);
    iscsi_set_targetname(iscsi, url->target);
    iscsi_set_noautoreconnect(iscsi, 1);
    /* Which hears of power on. */
    if (iscsi_full_connect_sync(iscsi, url->portal, url->lun) != 0)
        fprintf(stderr, "sense: %s\n", iscsi_get_error(iscsi));
    else if (strcmp(argv[2], "write") == 0)
        writes(iscsi, url->lun, argv + 3, text);
    else
        watch(iscsi, url->lun, text);
    if (text[0])
        printf("%s\n", text);
    if (text[0] && strcmp(argv[2], "watch") == 0)
        capacity_print(iscsi, url->lun);
    iscsi_destroy_url(url);
    iscsi_destroy_context(iscsi);
    return text[0] ? 0 : 1;
}
