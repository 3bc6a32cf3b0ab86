/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A load generator over libiscsi: one session, a fixed number of commands in flight, random or
 * sequential, an optional SYNCHRONIZE CACHE after every so many writes. Prints one line of JSON.
 */
#include <errno.h>
#include <getopt.h>
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEPTH_MAX = 256, LATENCIES_MAX = 1 << 22 };

struct load {
    struct iscsi_context *iscsi;
    int lun;
    uint64_t size_bytes;
    uint32_t lba_bytes;
    uint32_t io_bytes;
    int depth;
    bool write;
    bool sequential;
    uint32_t flush_every;
    double seconds;
    uint64_t ios_max;
    uint64_t started;
    uint64_t deadline_ns;
    uint64_t next_bytes;
    uint64_t random;
    uint32_t since_flush;
    uint64_t ios;
    int in_flight;
    bool failed;
    uint32_t *latencies_us;
    uint32_t latency_count;
    unsigned char *data;
};

struct slot {
    struct load *load;
    uint64_t started_ns;
    bool flush;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void start(struct slot *slot);

static void finished(struct iscsi_context *iscsi, int status, void *command_data,
                     void *private_data)
{
    struct slot *slot = private_data;
    struct load *load = slot->load;
    struct scsi_task *task = command_data;
    load->in_flight--;
    if (status != SCSI_STATUS_GOOD) {
        fprintf(stderr, "iscsi_load: %s\n", iscsi_get_error(iscsi));
        load->failed = true;
    }
    if (task)
        scsi_free_scsi_task(task);
    uint64_t now = now_ns();
    if (!slot->flush) {
        load->ios++;
        if (load->latency_count < LATENCIES_MAX)
            load->latencies_us[load->latency_count++] = (uint32_t)((now - slot->started_ns) / 1000);
    }
    if (!load->failed && now < load->deadline_ns && load->started < load->ios_max)
        start(slot);
}

static uint64_t next_offset(struct load *load)
{
    uint64_t count = load->size_bytes / load->io_bytes;
    if (load->sequential)
        return load->next_bytes++ % count * load->io_bytes;
    load->random ^= load->random << 13;
    load->random ^= load->random >> 7;
    load->random ^= load->random << 17;
    return load->random % count * load->io_bytes;
}

static void start(struct slot *slot)
{
    struct load *load = slot->load;
    struct scsi_task *task;
    slot->started_ns = now_ns();
    load->started++;
    slot->flush = load->write && load->flush_every && load->since_flush >= load->flush_every;
    if (slot->flush) {
        load->since_flush = 0;
        task = iscsi_synchronizecache16_task(load->iscsi, load->lun, 0, 0, 0, 0, finished, slot);
    } else if (load->write) {
        load->since_flush++;
        task = iscsi_write16_task(load->iscsi, load->lun, next_offset(load) / load->lba_bytes,
                                  load->data, load->io_bytes, (int)load->lba_bytes, 0, 0, 0, 0, 0,
                                  finished, slot);
    } else {
        task =
            iscsi_read16_task(load->iscsi, load->lun, next_offset(load) / load->lba_bytes,
                              load->io_bytes, (int)load->lba_bytes, 0, 0, 0, 0, 0, finished, slot);
    }
    if (!task) {
        load->failed = true;
        return;
    }
    load->in_flight++;
}

static int service(struct load *load)
{
    struct pollfd poll_fd = {.fd = iscsi_get_fd(load->iscsi),
                             .events = (short)iscsi_which_events(load->iscsi)};
    if (poll(&poll_fd, 1, 10000) <= 0)
        return -1;
    return iscsi_service(load->iscsi, poll_fd.revents);
}

static int compare_u32(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t percentile(const struct load *load, double share)
{
    return load->latency_count ? load->latencies_us[(uint32_t)(share * (load->latency_count - 1))]
                               : 0;
}

static int run(struct load *load)
{
    struct slot slots[DEPTH_MAX];
    uint64_t began = now_ns();
    load->deadline_ns = began + (uint64_t)(load->seconds * 1e9);
    for (int i = 0; i < load->depth; i++) {
        slots[i] = (struct slot){.load = load};
        start(&slots[i]);
    }
    while (load->in_flight > 0 && !load->failed) {
        if (service(load) < 0)
            load->failed = true;
    }
    double seconds = (double)(now_ns() - began) / 1e9;
    qsort(load->latencies_us, load->latency_count, sizeof(uint32_t), compare_u32);
    printf("{\"ios\": %llu, \"seconds\": %.3f, \"p50_us\": %u, \"p99_us\": %u, \"p999_us\": %u, "
           "\"max_us\": %u}\n",
           (unsigned long long)load->ios, seconds, percentile(load, 0.5), percentile(load, 0.99),
           percentile(load, 0.999), percentile(load, 1));
    return load->failed ? 1 : 0;
}

static int connect_to(struct load *load, const char *url_text)
{
    load->iscsi = iscsi_create_context("iqn.2026-11.io.strake.bench:load");
    struct iscsi_url *url = load->iscsi ? iscsi_parse_full_url(load->iscsi, url_text) : NULL;
    if (!url) {
        fprintf(stderr, "iscsi_load: %s: not an iscsi:// URL\n", url_text);
        return -1;
    }
    iscsi_set_targetname(load->iscsi, url->target);
    iscsi_set_session_type(load->iscsi, ISCSI_SESSION_NORMAL);
    iscsi_set_header_digest(load->iscsi, ISCSI_HEADER_DIGEST_NONE);
    load->lun = url->lun;
    if (iscsi_full_connect_sync(load->iscsi, url->portal, url->lun) != 0) {
        fprintf(stderr, "iscsi_load: %s: %s\n", url_text, iscsi_get_error(load->iscsi));
        return -1;
    }
    iscsi_destroy_url(url);
    struct scsi_task *task = iscsi_readcapacity16_sync(load->iscsi, load->lun);
    struct scsi_readcapacity16 *capacity = task ? scsi_datain_unmarshall(task) : NULL;
    if (!capacity) {
        fprintf(stderr, "iscsi_load: %s: READ CAPACITY failed\n", url_text);
        return -1;
    }
    load->lba_bytes = capacity->block_length;
    uint64_t size = (capacity->returned_lba + 1) * capacity->block_length;
    if (!load->size_bytes || load->size_bytes > size)
        load->size_bytes = size;
    scsi_free_scsi_task(task);
    return 0;
}

static int usage(void)
{
    fprintf(stderr, "usage: iscsi_load [-w] [-s] [-b BYTES] [-q DEPTH] [-t SECONDS] [-c COUNT] "
                    "[-f FLUSH_EVERY] [-z SIZE_BYTES] URL\n");
    return 2;
}

int main(int argc, char **argv)
{
    static struct load load = {.io_bytes = 4096,
                               .depth = 1,
                               .seconds = 3,
                               .ios_max = UINT64_MAX,
                               .random = 88172645463325252};
    int option;
    while ((option = getopt(argc, argv, "wsb:q:t:c:f:z:")) != -1) {
        switch (option) {
        case 'w':
            load.write = true;
            break;
        case 's':
            load.sequential = true;
            break;
        case 'b':
            load.io_bytes = (uint32_t)strtoul(optarg, NULL, 0);
            break;
        case 'q':
            load.depth = (int)strtol(optarg, NULL, 0);
            break;
        case 't':
            load.seconds = strtod(optarg, NULL);
            break;
        case 'c': /* as many commands, however long they take */
            load.ios_max = strtoull(optarg, NULL, 0);
            load.seconds = 1e6;
            break;
        case 'f':
            load.flush_every = (uint32_t)strtoul(optarg, NULL, 0);
            break;
        case 'z':
            load.size_bytes = strtoull(optarg, NULL, 0);
            break;
        default:
            return usage();
        }
    }
    if (optind + 1 != argc || load.depth < 1 || load.depth > DEPTH_MAX || load.io_bytes < 512)
        return usage();
    load.latencies_us = calloc(LATENCIES_MAX, sizeof(uint32_t));
    load.data = malloc(load.io_bytes);
    if (!load.latencies_us || !load.data)
        return 1;
    memset(load.data, 0x5a, load.io_bytes);
    if (connect_to(&load, argv[optind]) < 0)
        return 1;
    int status = run(&load);
    iscsi_logout_sync(load.iscsi);
    iscsi_destroy_context(load.iscsi);
    return status;
}
