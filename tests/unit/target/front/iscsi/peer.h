/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection with both its ends, and the front around it: block requests are held until the test
 * lets the disk (a piece of memory) do them.
 */
#ifndef STRAKE_TESTS_ISCSI_PEER_H
#define STRAKE_TESTS_ISCSI_PEER_H

#include "target/front/iscsi/iscsi.h"
#include "target/front/iscsi/request.h"
#include "target/front/iscsi/response.h"
#include "target/front/scsi/scsi.h"
#include "tests/lib/suite.h"

#include <errno.h>
#include <string.h>

enum {
    DISK_BYTES = 8u << 20,
    HELD_MAX = 256,
    ANSWER_BYTES_MAX = 2u << 20,
    TASKS = 512,
};

static struct exports exports;
static struct export export;
static struct scsi_unit unit;
static struct buf_pool bufs;
static struct iscsi_node node;
static uint8_t disk[DISK_BYTES];

/* One connection, both ends. */
struct peer {
    struct iscsi_conn *conn;
    struct rx rx;
    struct tx tx;
    enum session_next next; /* what the last iscsi_next said */
    struct block_req *held[HELD_MAX];
    uint32_t held_count;
    uint32_t cmd_sn;
    uint32_t itt;
    uint64_t isid;
    uint16_t tsih;
    uint16_t cid;
    bool header_digest;
    bool data_digest;
    /* The answer taken last. */
    uint8_t bhs[PDU_BHS_BYTES];
    uint8_t data[ANSWER_BYTES_MAX];
    uint32_t data_bytes;
};

static struct peer one;
static struct peer two;

static inline void setup(void)
{
    exports_init(&exports, EXPORT_IQN_PREFIX_DEFAULT);
    buf_pool_init(&bufs, 256u << 20);
    export =
        (struct export){.name = "a", .size_bytes = DISK_BYTES, .block_bytes = 512, .unit = &unit};
    memset(export.uuid.bytes, 7, UUID_BYTES);
    list_append(&exports.list, &export.node);
    scsi_unit_init(&unit, &export);
    memset(disk, 0, sizeof(disk));
    ck_assert_int_eq(iscsi_node_init(&node, &exports, &bufs, TASKS), 0);
}

static inline void peer_open(struct peer *p)
{
    static const struct iscsi_arrival arrival = {.local = "127.0.0.1:3260",
                                                 .peer = "127.0.0.1:50000",
                                                 .random = {0x10, 0, 0, 0, 0x20, 0, 0, 0, 0x30}};
    memset(p, 0, sizeof(*p));
    p->conn = iscsi_conn_new(&node, &arrival);
    ck_assert_ptr_nonnull(p->conn);
    rx_init(&p->rx, &bufs);
    tx_init(&p->tx, &bufs);
    p->isid = 0x00023d000001;
    p->cid = 1;
    p->cmd_sn = 100;
    p->itt = 1;
}

static inline void peer_close(struct peer *p)
{
    if (!p->conn)
        return;
    for (uint32_t i = 0; i < p->held_count; i++)
        iscsi_drop(p->conn, p->held[i]);
    iscsi_conn_free(p->conn);
    rx_release(&p->rx);
    tx_release(&p->tx);
    p->conn = NULL;
}

/* Every buffer and task must be back, so each test ends with it. */
static inline void teardown(void)
{
    peer_close(&one);
    peer_close(&two);
    ck_assert_uint_eq(export.session_count, 0);
    while (iscsi_node_superseded(&node))
        ;
    iscsi_node_release(&node);
    buf_pool_release(&bufs);
}

/* Pulls until nothing comes; requests are held. */
static inline void peer_pull(struct peer *p)
{
    struct block_req *request;
    while ((p->next = iscsi_next(p->conn, &p->rx, &p->tx, &request)) == SESSION_REQUEST) {
        ck_assert_uint_lt(p->held_count, HELD_MAX);
        ck_assert_ptr_eq(iscsi_export_of(request), &export);
        p->held[p->held_count++] = request;
    }
}

static inline void disk_do(struct block_req *r)
{
    r->status = 0;
    ck_assert_uint_le(r->offset_bytes + r->length_bytes, DISK_BYTES);
    if (r->op == BLOCK_READ) {
        r->data = slice_get(&bufs, (uint32_t)r->length_bytes);
        memcpy(r->data.bytes, disk + r->offset_bytes, r->length_bytes);
    } else if (r->op == BLOCK_WRITE) {
        ck_assert_uint_eq(r->data.length_bytes, r->length_bytes);
        memcpy(disk + r->offset_bytes, r->data.bytes, r->length_bytes);
    } else {
        ck_assert_int_eq(r->op, BLOCK_FLUSH);
    }
}

/* The disk does the request held at `index`. */
static inline void peer_complete(struct peer *p, uint32_t index)
{
    ck_assert_uint_lt(index, p->held_count);
    struct block_req *request = p->held[index];
    memmove(&p->held[index], &p->held[index + 1], (p->held_count - index - 1) * sizeof(p->held[0]));
    p->held_count--;
    disk_do(request);
    iscsi_reply(p->conn, request, &p->tx);
    peer_pull(p);
}

static inline void peer_complete_all(struct peer *p)
{
    while (p->held_count)
        peer_complete(p, 0);
}

#endif
