/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two connections to one target, and whatever two initiators send, the disk does and the front
 * decides: no assertion fails, and every task, buffer and session comes back.
 *
 * The input is a program of steps: a byte that says what to do and to which connection, and for
 * some an argument. With LOGIN a good login is sent at once, so that the fuzzer need not find one.
 */
#include "common/base/bytes.h"
#include "common/base/crc32c.h"
#include "target/front/iscsi/chap.h"
#include "target/front/iscsi/iscsi.h"
#include "target/front/iscsi/response.h"
#include "target/front/scsi/scsi.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum step {
    STEP_BYTES,    /* u8 length, then as many bytes, arrive */
    STEP_LOGIN,    /* a login of the kind of u8 arrives: enum login_kind */
    STEP_PDU,      /* a header of u8 opcode, flags, itt, kind and a few bytes of data arrives */
    STEP_COMPLETE, /* the disk does the held request of index u8 */
    STEP_FAIL,     /* the disk fails it */
    STEP_SENT,     /* everything in tx went out */
    STEP_TICK,     /* u8 seconds pass */
    STEP_CLOSE,    /* the connection is lost, another comes */
    STEP_COUNT
};

enum { DISK_BYTES = 1u << 20, HELD_MAX = 64, INPUT_BYTES_MAX = 64u << 10 };

enum login_kind {
    LOGIN_DISCOVERY = 1,
    LOGIN_OTHER_ISID = 2,
    LOGIN_DIGESTS = 4,
    LOGIN_RULES = 8,  /* from now on there are rules, which demand CHAP; without: none */
    LOGIN_CHAP = 16,  /* begins with CHAP */
    LOGIN_PROOF = 32, /* goes on with the proof instead */
};

struct peer {
    struct iscsi_conn *conn;
    struct rx rx;
    struct tx tx;
    struct block_req *held[HELD_MAX];
    uint32_t held_count;
    uint32_t cmd_sn;
    bool digests; /* negotiated by STEP_LOGIN */
    bool over;
};

static struct exports exports;
static struct access *access;
static struct export export;
static struct scsi_unit unit;
static struct buf_pool bufs;
static struct iscsi_node node;
static struct peer peers[2];
static uint64_t now_ns;

static void peer_open(struct peer *p)
{
    static const struct iscsi_arrival arrival = {
        .local = "127.0.0.1:3260",
        .peer = "127.0.0.1:50000",
        .random = {0xff, 0xff, 0xff, 0xf0, 0xff, 0xff, 0xff, 0xfe, 0}};
    *p = (struct peer){.conn = iscsi_conn_new(&node, &arrival), .cmd_sn = 1};
    ASSERT(p->conn);
    iscsi_set_user(p->conn, p);
    rx_init(&p->rx, &bufs);
    tx_init(&p->tx, &bufs);
}

static void peer_close(struct peer *p)
{
    for (uint32_t i = 0; i < p->held_count; i++) {
        p->held[i]->status = -ESHUTDOWN;
        iscsi_drop(p->conn, p->held[i]);
    }
    iscsi_conn_free(p->conn);
    rx_release(&p->rx);
    tx_release(&p->tx);
}

static void peer_pull(struct peer *p)
{
    while (!p->over && p->held_count < HELD_MAX) {
        struct block_req *request = NULL;
        enum session_next next = iscsi_next(p->conn, &p->rx, &p->tx, &request);
        if (next == SESSION_REQUEST) {
            ASSERT(iscsi_export_of(request) == &export);
            p->held[p->held_count++] = request;
            continue;
        }
        ASSERT(next != SESSION_MORE || p->rx.want_bytes <= BUF_BYTES_MAX);
        p->over = next == SESSION_CLOSE;
        ASSERT(!p->over || iscsi_why(p->conn)[0]);
        return;
    }
}

/* What the front does after each step. */
static void others_pull(void)
{
    struct iscsi_conn *conn;
    for (;;) {
        if ((conn = iscsi_node_ready(&node)))
            peer_pull(iscsi_user(conn));
        else if ((conn = iscsi_node_superseded(&node)))
            ((struct peer *)iscsi_user(conn))->over = true;
        else
            return;
    }
}

static void peer_feed(struct peer *p, const uint8_t *bytes, size_t length)
{
    while (length > 0 && !p->over) {
        uint32_t room;
        uint8_t *space = rx_space(&p->rx, &room);
        uint32_t step = length < room ? (uint32_t)length : room;
        memcpy(space, bytes, step);
        rx_filled(&p->rx, step);
        bytes += step;
        length -= step;
        peer_pull(p);
    }
}

static void digest_write(struct writer *w, const uint8_t *from)
{
    uint32_t crc = crc32c(0, from, (size_t)(w->next - from));
    for (int i = 0; i < 4; i++)
        write_u8(w, (uint8_t)(crc >> (8 * i)));
}

/* A login request with this text. */
static void login_pdu_send(struct peer *p, uint8_t flags, uint32_t isid, const void *text,
                           uint32_t length)
{
    uint8_t pdu[48 + 512];
    struct writer w = writer_of(pdu, sizeof(pdu));
    write_u8(&w, 0x43);
    write_u8(&w, flags);
    write_u24(&w, 0);
    write_u24(&w, length);
    write_u32(&w, isid);
    write_zeros(&w, 12);
    write_u32(&w, p->cmd_sn);
    write_zeros(&w, 20);
    write_bytes(&w, text, length);
    write_zeros(&w, pdu_padding(length));
    ASSERT(!w.bad);
    peer_feed(p, pdu, writer_length(&w));
}

/* The user's and, if wanted, a challenge of the initiator's: the random bytes are known here. */
static void proof_send(struct peer *p, uint8_t kind)
{
    static const uint8_t challenge[CHAP_CHALLENGE_BYTES];
    static const char mutual[] = "CHAP_I=7\0CHAP_C=0x0102";
    uint8_t response[CHAP_DIGEST_BYTES_MAX];
    char hex[CHAP_TEXT_BYTES];
    uint8_t text[512];
    struct writer w = writer_of(text, sizeof(text));
    uint32_t length = chap_response(CHAP_MD5, 0, (const uint8_t *)"123456789012", 12, challenge,
                                    sizeof(challenge), response);
    chap_binary_encode(response, length, hex);
    write_bytes(&w, "CHAP_N=u\0CHAP_R=", 16);
    write_bytes(&w, hex, strlen(hex) + 1);
    if (kind & LOGIN_DIGESTS)
        write_bytes(&w, mutual, sizeof(mutual));
    login_pdu_send(p, 0x83, kind & LOGIN_OTHER_ISID ? 1 : 0, text, (uint32_t)writer_length(&w));
}

static void login_send(struct peer *p, uint8_t kind)
{
    static const char digests[] = "HeaderDigest=CRC32C\0DataDigest=CRC32C";
    static const char chap[] = "AuthMethod=CHAP,None\0CHAP_A=5,7";
    static const char normal[] = "InitiatorName=iqn.h\0TargetName=iqn.2026-11.io.strake:a\0"
                                 "InitialR2T=No\0FirstBurstLength=512\0MaxBurstLength=1024\0"
                                 "MaxOutstandingR2T=2\0MaxRecvDataSegmentLength=512";
    static const char discovery[] = "InitiatorName=iqn.h\0SessionType=Discovery\0"
                                    "MaxRecvDataSegmentLength=512";
    uint8_t text[512];
    struct writer w = writer_of(text, sizeof(text));
    exports.access = kind & LOGIN_RULES ? access : NULL;
    if (kind & LOGIN_PROOF) {
        proof_send(p, kind);
        return;
    }
    write_bytes(&w, kind & LOGIN_DISCOVERY ? discovery : normal,
                kind & LOGIN_DISCOVERY ? sizeof(discovery) : sizeof(normal));
    if (kind & LOGIN_CHAP)
        write_bytes(&w, chap, sizeof(chap));
    else if (kind & LOGIN_DIGESTS)
        write_bytes(&w, digests, sizeof(digests));
    p->digests |= kind & LOGIN_DIGESTS && !(kind & LOGIN_CHAP);
    login_pdu_send(p, kind & LOGIN_CHAP ? 0x00 : 0x87, kind & LOGIN_OTHER_ISID ? 1 : 0, text,
                   (uint32_t)writer_length(&w));
}

/* No rule names a file. */
static int no_file(void *arg, const char *path, uint8_t *bytes, uint32_t size, uint32_t *length,
                   struct error *error)
{
    (void)arg;
    (void)bytes;
    (void)size;
    (void)length;
    return error_set(error, "%s", path);
}

static void rules_make(void)
{
    struct error error;
    char text[] = "[volume a]\nuser = u\nsecret = 123456789012\nmutual-user = m\n"
                  "mutual-secret = 210987654321\n[discovery]\ninitiators = iqn.x*\n";
    access = access_new(text, no_file, NULL, &error);
    ASSERT(access);
}

/* Fields that a fuzzer would hardly hit are made to fit; the rest is its own. */
static void pdu_send(struct peer *p, struct reader *r)
{
    uint8_t pdu[48 + 4 + 4 * 256 + 4];
    struct writer w = writer_of(pdu, sizeof(pdu));
    uint8_t opcode = read_u8(r);
    uint32_t length = (uint32_t)read_u8(r) * 4;
    write_u8(&w, opcode);
    write_u8(&w, read_u8(r));
    write_u24(&w, 0);
    write_u24(&w, length);
    write_zeros(&w, 8);
    write_u32(&w, read_u8(r) % 16); /* ITT */
    uint8_t word = read_u8(r);      /* expected length, or a tag */
    write_u32(&w, word == 0xff ? UINT32_MAX : word * 256u);
    write_u32(&w, p->cmd_sn);
    write_zeros(&w, 4);
    uint8_t tail[16];
    read_copy(r, tail, sizeof(tail));
    write_bytes(&w, tail, sizeof(tail));
    if (p->digests)
        digest_write(&w, pdu);
    const uint8_t *body = w.next;
    write_zeros(&w, length);
    if (p->digests && length)
        digest_write(&w, body);
    ASSERT(!w.bad);
    if (!(opcode & 0x40) && (opcode & 0x3f) != 0x05)
        p->cmd_sn++;
    peer_feed(p, pdu, writer_length(&w));
}

static void disk_do(struct block_req *request, bool fails)
{
    request->status = fails ? -EIO : 0;
    if (fails)
        return;
    ASSERT(request->op == BLOCK_FLUSH || request->op == BLOCK_SET_ROW ||
           request->offset_bytes + request->length_bytes <= DISK_BYTES);
    if (request->op == BLOCK_READ) {
        request->data = slice_get(&bufs, (uint32_t)request->length_bytes);
        memset(request->data.bytes, 0, request->length_bytes);
    } else if (request->op == BLOCK_COMPARE_WRITE) {
        request->status = -EILSEQ;
        request->mismatch_bytes = 1;
    }
}

static void complete(struct peer *p, uint8_t index, bool fails)
{
    if (p->held_count == 0)
        return;
    uint32_t at = index % p->held_count;
    struct block_req *request = p->held[at];
    p->held[at] = p->held[--p->held_count];
    disk_do(request, fails);
    if (p->over)
        iscsi_drop(p->conn, request);
    else
        iscsi_reply(p->conn, request, &p->tx);
    peer_pull(p);
}

static void step_run(struct peer *p, enum step step, struct reader *r)
{
    switch (step) {
    case STEP_BYTES: {
        struct reader bytes = read_sub(r, read_u8(r));
        peer_feed(p, bytes.next, reader_left(&bytes));
        break;
    }
    case STEP_LOGIN:
        login_send(p, read_u8(r));
        break;
    case STEP_PDU:
        pdu_send(p, r);
        break;
    case STEP_COMPLETE:
    case STEP_FAIL:
        complete(p, read_u8(r), step == STEP_FAIL);
        break;
    case STEP_SENT:
        tx_sent(&p->tx, p->tx.pending_bytes);
        peer_pull(p);
        break;
    case STEP_TICK:
        now_ns += (uint64_t)read_u8(r) * 1000000000;
        if (!iscsi_tick(p->conn, now_ns, &p->tx))
            p->over = true;
        break;
    case STEP_CLOSE:
        peer_close(p);
        others_pull();
        peer_open(p);
        break;
    case STEP_COUNT:
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_BYTES_MAX)
        return 0;
    exports_init(&exports, EXPORT_IQN_PREFIX_DEFAULT);
    if (!access)
        rules_make();
    buf_pool_init(&bufs, 8u << 20);
    export =
        (struct export){.name = "a", .size_bytes = DISK_BYTES, .block_bytes = 512, .unit = &unit};
    list_append(&exports.list, &export.node);
    scsi_unit_init(&unit, &export);
    ASSERT(iscsi_node_init(&node, &exports, &bufs, 24) == 0);
    now_ns = 1;
    peer_open(&peers[0]);
    peer_open(&peers[1]);
    struct reader r = reader_of(data, size);
    while (reader_left(&r) > 0 && !r.bad) {
        uint8_t what = read_u8(&r);
        step_run(&peers[what >> 7], (enum step)(what % STEP_COUNT), &r);
        others_pull();
    }
    peer_close(&peers[0]);
    peer_close(&peers[1]);
    others_pull();
    ASSERT(export.session_count == 0);
    iscsi_node_release(&node);
    buf_pool_release(&bufs);
    return 0;
}
