/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reserve URL INITIATOR COMMAND [KEY [OTHER_KEY]]: one command of persistent reservations, or a
 * write, over libiscsi, from always the same initiator port of that name.
 *
 *   register | keep    the key, for the life of the target | with APTPL
 *   reserve            Write Exclusive, Registrants Only
 *   preempt            and abort
 *   clear
 *   keys               prints those that are registered, the holder's with a star
 *   write              one block
 *
 * Exit status: 0 done, 3 reservation conflict, 1 anything else.
 */
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TYPE = SCSI_PERSISTENT_RESERVE_TYPE_WRITE_EXCLUSIVE_REGISTRANTS_ONLY, BLOCK_BYTES = 4096 };

struct word {
    const char *name;
    int action;
    uint8_t aptpl;
};

static const struct word words[] = {
    {"register", SCSI_PERSISTENT_RESERVE_REGISTER_AND_IGNORE_EXISTING_KEY, 0},
    {"keep", SCSI_PERSISTENT_RESERVE_REGISTER_AND_IGNORE_EXISTING_KEY, 1},
    {"reserve", SCSI_PERSISTENT_RESERVE_RESERVE, 0},
    {"preempt", SCSI_PERSISTENT_RESERVE_PREEMPT_AND_ABORT, 0},
    {"clear", SCSI_PERSISTENT_RESERVE_CLEAR, 0},
};

static int judge(struct iscsi_context *iscsi, const struct scsi_task *task)
{
    if (task && task->status == SCSI_STATUS_GOOD)
        return 0;
    fprintf(stderr, "reserve: %s\n", iscsi_get_error(iscsi));
    return task && task->status == SCSI_STATUS_RESERVATION_CONFLICT ? 3 : 1;
}

static int out(struct iscsi_context *iscsi, int lun, const struct word *word, char **keys)
{
    bool registers = word->action == SCSI_PERSISTENT_RESERVE_REGISTER_AND_IGNORE_EXISTING_KEY;
    struct scsi_persistent_reserve_out_basic list = {.aptpl = word->aptpl};
    uint64_t key = keys[0] ? strtoull(keys[0], NULL, 0) : 0;
    if (registers)
        list.service_action_reservation_key = key;
    else
        list.reservation_key = key;
    if (keys[0] && keys[1])
        list.service_action_reservation_key = strtoull(keys[1], NULL, 0);
    struct scsi_task *task = iscsi_persistent_reserve_out_sync(
        iscsi, lun, word->action, SCSI_PERSISTENT_RESERVE_SCOPE_LU, TYPE, &list);
    int status = judge(iscsi, task);
    if (task)
        scsi_free_scsi_task(task);
    return status;
}

static int keys_print(struct iscsi_context *iscsi, int lun)
{
    struct scsi_task *holder = iscsi_persistent_reserve_in_sync(
        iscsi, lun, SCSI_PERSISTENT_RESERVE_READ_RESERVATION, 1024);
    struct scsi_task *all =
        iscsi_persistent_reserve_in_sync(iscsi, lun, SCSI_PERSISTENT_RESERVE_READ_KEYS, 1024);
    if (judge(iscsi, holder) || judge(iscsi, all))
        return 1;
    const struct scsi_persistent_reserve_in_read_reservation *reserved =
        scsi_datain_unmarshall(holder);
    const struct scsi_persistent_reserve_in_read_keys *keys = scsi_datain_unmarshall(all);
    for (int i = 0; i < keys->num_keys; i++)
        printf("%#llx%s ", (unsigned long long)keys->keys[i],
               reserved->reserved && reserved->reservation_key == keys->keys[i] ? "*" : "");
    printf("\n");
    scsi_free_scsi_task(holder);
    scsi_free_scsi_task(all);
    return 0;
}

static int write_block(struct iscsi_context *iscsi, int lun)
{
    unsigned char block[BLOCK_BYTES] = {1};
    struct scsi_task *task =
        iscsi_write10_sync(iscsi, lun, 0, block, sizeof(block), BLOCK_BYTES, 0, 0, 0, 0, 0);
    int status = judge(iscsi, task);
    if (task)
        scsi_free_scsi_task(task);
    return status;
}

static int run(struct iscsi_context *iscsi, int lun, const char *command, char **keys)
{
    if (strcmp(command, "keys") == 0)
        return keys_print(iscsi, lun);
    if (strcmp(command, "write") == 0)
        return write_block(iscsi, lun);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(command, words[i].name) == 0)
            return out(iscsi, lun, &words[i], keys);
    fprintf(stderr, "reserve: no such command: %s\n", command);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 1;
    struct iscsi_context *iscsi = iscsi_create_context(argv[2]);
    struct iscsi_url *url = iscsi ? iscsi_parse_full_url(iscsi, argv[1]) : NULL;
    if (!url)
        return 1;
    iscsi_set_isid_random(iscsi, 1, 0);
    iscsi_set_session_type(iscsi, ISCSI_SESSION_NORMAL);
    iscsi_set_targetname(iscsi, url->target);
    iscsi_set_noautoreconnect(iscsi, 1);
    int status = 1;
    /* Which hears of power on and of reservations that were taken away. */
    if (iscsi_full_connect_sync(iscsi, url->portal, url->lun) == 0)
        status = run(iscsi, url->lun, argv[3], argv + 4);
    else
        fprintf(stderr, "reserve: %s\n", iscsi_get_error(iscsi));
    iscsi_destroy_url(url);
    iscsi_destroy_context(iscsi);
    return status;
}
