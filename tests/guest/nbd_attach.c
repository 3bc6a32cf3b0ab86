/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nbd_attach HOST PORT EXPORT N [TIMEOUT_S]: attaches /dev/nbdN and stays, as a process in the
 * background (its number is printed), to replace the connection whenever it dies. SIGTERM detaches.
 *
 * nbd-client does not do this: with it, a restarted server means EIO to the file system. The kernel
 * can (netlink, linux/nbd-netlink.h): with a time-out and a dead_conn_timeout set, requests that
 * were under way are sent again TIMEOUT_S after they were first sent, and new ones wait up to
 * dead_conn_timeout, on the socket handed over by NBD_CMD_RECONFIGURE.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/nbd-netlink.h>
#include <linux/netlink.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    DEAD_CONNECTION_S = 600, /* how long requests wait for a new connection */
    HANDSHAKE_S = 3,
    RETRY_MS = 200,
    HEAD_BYTES = sizeof(struct nlattr),
};

struct server {
    const char *host, *port, *name;
    uint64_t size_bytes;
    uint64_t flags;
    uint64_t block_bytes;
};

struct message {
    struct nlmsghdr head;
    struct genlmsghdr command;
    char attributes[512];
};

static volatile sig_atomic_t told_to_end;

static void end_note(int signal_number)
{
    (void)signal_number;
    told_to_end = 1;
}

static void die(const char *why)
{
    fprintf(stderr, "nbd_attach: %s: %s\n", why, strerror(errno));
    exit(1);
}

/* Netlink. */

static void attribute_add(struct message *m, int type, const void *value, size_t length_bytes)
{
    struct nlattr *a = (struct nlattr *)((char *)m + NLMSG_ALIGN(m->head.nlmsg_len));
    a->nla_type = (uint16_t)type;
    a->nla_len = (uint16_t)(HEAD_BYTES + length_bytes);
    memcpy((char *)a + HEAD_BYTES, value, length_bytes);
    m->head.nlmsg_len = NLMSG_ALIGN(m->head.nlmsg_len) + (uint32_t)NLA_ALIGN(a->nla_len);
}

static void attribute_add_u64(struct message *m, int type, uint64_t value)
{
    attribute_add(m, type, &value, sizeof(value));
}

static struct message message_make(uint16_t family, uint8_t command)
{
    struct message m = {0};
    m.head.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN);
    m.head.nlmsg_type = family;
    m.head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    m.command.cmd = command;
    m.command.version = 1;
    return m;
}

/* Sends m and reads answers up to the acknowledgement; the first that is data is left in m. */
static int message_exchange(struct message *m)
{
    int s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
    if (s < 0 || send(s, m, m->head.nlmsg_len, 0) < 0)
        die("netlink");
    for (;;) {
        char in[8192] __attribute__((aligned(8)));
        ssize_t got = recv(s, in, sizeof(in), 0);
        struct nlmsghdr *h = (struct nlmsghdr *)in;
        if (got < 0)
            die("netlink");
        for (; NLMSG_OK(h, got); h = NLMSG_NEXT(h, got)) {
            if (h->nlmsg_type == NLMSG_ERROR) {
                close(s);
                return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
            }
            memcpy(m, h, h->nlmsg_len < sizeof(*m) ? h->nlmsg_len : sizeof(*m));
        }
    }
}

static uint16_t family_find(void)
{
    struct message m = message_make(GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
    attribute_add(&m, CTRL_ATTR_FAMILY_NAME, NBD_GENL_FAMILY_NAME, sizeof(NBD_GENL_FAMILY_NAME));
    errno = -message_exchange(&m);
    if (errno != 0)
        die("the kernel has no nbd, or no netlink for it");
    for (char *at = m.attributes; at < m.attributes + sizeof(m.attributes) - HEAD_BYTES;) {
        struct nlattr *a = (struct nlattr *)at;
        if (a->nla_type == CTRL_ATTR_FAMILY_ID)
            return *(uint16_t *)(at + HEAD_BYTES);
        at += NLA_ALIGN(a->nla_len > 0 ? a->nla_len : HEAD_BYTES);
    }
    die("netlink: no family in the answer");
    return 0;
}

static int device_tell(uint16_t family, uint8_t command, uint32_t device, const struct server *e,
                       int socket, uint64_t timeout_s)
{
    struct message m = message_make(family, command);
    attribute_add(&m, NBD_ATTR_INDEX, &device, sizeof(device));
    if (e != NULL) {
        struct {
            struct nlattr item, fd;
            uint32_t socket;
        } list = {{HEAD_BYTES + HEAD_BYTES + 4, NBD_SOCK_ITEM | NLA_F_NESTED},
                  {HEAD_BYTES + 4, NBD_SOCK_FD},
                  (uint32_t)socket};
        attribute_add_u64(&m, NBD_ATTR_SIZE_BYTES, e->size_bytes);
        attribute_add_u64(&m, NBD_ATTR_BLOCK_SIZE_BYTES, e->block_bytes);
        attribute_add_u64(&m, NBD_ATTR_SERVER_FLAGS, e->flags);
        attribute_add_u64(&m, NBD_ATTR_TIMEOUT, timeout_s);
        attribute_add_u64(&m, NBD_ATTR_DEAD_CONN_TIMEOUT, DEAD_CONNECTION_S);
        attribute_add(&m, NBD_ATTR_SOCKETS | NLA_F_NESTED, &list, sizeof(list));
    }
    return message_exchange(&m);
}

/* The server. */

static bool all_read(int s, void *to, size_t length_bytes)
{
    return recv(s, to, length_bytes, MSG_WAITALL) == (ssize_t)length_bytes;
}

static bool all_written(int s, const void *from, size_t length_bytes)
{
    return send(s, from, length_bytes, MSG_NOSIGNAL) == (ssize_t)length_bytes;
}

static uint64_t number_at(const unsigned char *at, int length_bytes)
{
    uint64_t n = 0;
    for (int i = 0; i < length_bytes; i++)
        n = n << 8 | at[i];
    return n;
}

static void information_note(struct server *e, const unsigned char *in, uint32_t length_bytes)
{
    uint64_t type = length_bytes >= 2 ? number_at(in, 2) : UINT64_MAX;
    if (type == 0 && length_bytes == 12) { /* NBD_INFO_EXPORT */
        e->size_bytes = number_at(in + 2, 8);
        e->flags = number_at(in + 10, 2);
    } else if (type == 3 && length_bytes == 14) { /* NBD_INFO_BLOCK_SIZE: the minimum */
        uint64_t minimum_bytes = number_at(in + 2, 4);
        e->block_bytes = minimum_bytes > 512 ? minimum_bytes : 512;
    }
}

/* Fixed newstyle handshake and NBD_OPT_GO. */
static bool handshake(int s, struct server *e)
{
    unsigned char hello[18], in[4096];
    uint32_t name_bytes = (uint32_t)strlen(e->name);
    uint32_t data_bytes = 4 + name_bytes + 2 + 2;
    struct __attribute__((packed)) {
        uint32_t client_flags;
        uint64_t magic;
        uint32_t option, length, name_length;
    } go = {htobe32(3), htobe64(0x49484156454F5054), htobe32(7), htobe32(data_bytes),
            htobe32(name_bytes)};
    const unsigned char wanted[4] = {0, 1, 0, 3}; /* one: NBD_INFO_BLOCK_SIZE */
    if (!all_read(s, hello, sizeof(hello)) || memcmp(hello, "NBDMAGICIHAVEOPT", 16) != 0 ||
        !all_written(s, &go, sizeof(go)) || !all_written(s, e->name, name_bytes) ||
        !all_written(s, wanted, sizeof(wanted)))
        return false;
    e->size_bytes = 0;
    e->block_bytes = 512;
    for (;;) {
        if (!all_read(s, in, 20))
            return false;
        uint32_t type = (uint32_t)number_at(in + 12, 4), length = (uint32_t)number_at(in + 16, 4);
        if (length > sizeof(in) || (length > 0 && !all_read(s, in, length)))
            return false;
        if (type == 1) /* NBD_REP_ACK */
            return e->size_bytes > 0;
        if (type != 3) /* NBD_REP_INFO */
            return false;
        information_note(e, in, length);
    }
}

static void timeouts_set(int s, time_t seconds)
{
    struct timeval t = {seconds, 0};
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

/* A connection past the handshake, or -1. */
static int server_connect(struct server *e)
{
    struct addrinfo hint = {.ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(e->host, e->port, &hint, &found) != 0)
        return -1;
    int s = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    timeouts_set(s, HANDSHAKE_S);
    bool good = connect(s, found->ai_addr, found->ai_addrlen) == 0 && handshake(s, e);
    freeaddrinfo(found);
    if (!good) {
        close(s);
        return -1;
    }
    timeouts_set(s, 0);
    return s;
}

/*
 * The kernel silently ignores a new socket while it has not yet noticed that the old one is dead.
 * One that it takes gets the send time-out of the device.
 */
static bool socket_taken(int s)
{
    struct timeval t = {0, 0};
    socklen_t length = sizeof(t);
    return getsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, &length) == 0 && t.tv_sec != 0;
}

static int server_reconnect(uint16_t family, uint32_t device, struct server *e, uint64_t timeout_s)
{
    uint64_t size_bytes = e->size_bytes;
    while (!told_to_end) {
        int s = server_connect(e);
        if (s >= 0 && e->size_bytes == size_bytes &&
            device_tell(family, NBD_CMD_RECONFIGURE, device, e, s, timeout_s) == 0 &&
            socket_taken(s))
            return s;
        if (s >= 0)
            close(s);
        e->size_bytes = size_bytes;
        usleep(RETRY_MS * 1000);
    }
    return -1;
}

static void device_keep(uint16_t family, uint32_t device, struct server *e, int s,
                        uint64_t timeout_s)
{
    while (!told_to_end) {
        struct pollfd watched = {s, POLLRDHUP, 0}; /* the kernel reads the data */
        if (poll(&watched, 1, -1) <= 0)
            continue;
        fprintf(stderr, "nbd_attach: connection lost\n");
        shutdown(s, SHUT_RDWR);
        close(s);
        s = server_reconnect(family, device, e, timeout_s);
        if (s >= 0)
            fprintf(stderr, "nbd_attach: connected again\n");
    }
    device_tell(family, NBD_CMD_DISCONNECT, device, NULL, -1, 0);
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: nbd_attach HOST PORT EXPORT N [TIMEOUT_S]\n");
        return 2;
    }
    struct server e = {.host = argv[1], .port = argv[2], .name = argv[3]};
    uint32_t device = (uint32_t)strtoul(argv[4], NULL, 10);
    uint64_t timeout_s = argc > 5 ? strtoul(argv[5], NULL, 10) : 10;
    uint16_t family = family_find();
    int s = server_connect(&e);
    if (s < 0)
        die("no such server or export");
    errno = -device_tell(family, NBD_CMD_CONNECT, device, &e, s, timeout_s);
    if (errno != 0)
        die("NBD_CMD_CONNECT");
    struct sigaction end = {.sa_handler = end_note}; /* no SA_RESTART: poll must return */
    sigaction(SIGTERM, &end, NULL);
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child > 0) {
        printf("%d\n", child);
        return 0;
    }
    if (freopen("/dev/null", "w", stdout) == NULL)
        die("/dev/null");
    device_keep(family, device, &e, s, timeout_s);
    return 0;
}
