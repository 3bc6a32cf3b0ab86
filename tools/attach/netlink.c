/* SPDX-License-Identifier: Apache-2.0 */
/* Generic netlink: messages of attributes, each { u16 length, u16 type, value } aligned to 4. */
#include "tools/attach/netlink.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/nbd-netlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    MESSAGE_BYTES = 4096,
    BODY_AT = sizeof(struct nlmsghdr),
    ATTRIBUTES_AT = BODY_AT + sizeof(struct genlmsghdr),
    VALUE_AT = sizeof(struct nlattr),
    TYPE_MASK = 0x3fff, /* without NLA_F_NESTED and NLA_F_NET_BYTEORDER */
};

/* In the machine's own byte order. */
struct message {
    uint8_t bytes[MESSAGE_BYTES] __attribute__((aligned(8)));
    uint32_t length;
};

static uint32_t aligned(uint32_t length)
{
    return (length + 3) & ~UINT32_C(3);
}

/* ---- attributes ---- */

static void attribute_put(struct message *m, uint16_t type, const void *value, size_t length)
{
    struct nlattr head = {.nla_len = (uint16_t)(VALUE_AT + length), .nla_type = type};
    ASSERT(m->length + aligned(head.nla_len) <= MESSAGE_BYTES);
    memcpy(m->bytes + m->length, &head, sizeof(head));
    if (length)
        memcpy(m->bytes + m->length + VALUE_AT, value, length);
    m->length += aligned(head.nla_len);
}

static void attribute_put_u64(struct message *m, uint16_t type, uint64_t value)
{
    attribute_put(m, type, &value, sizeof(value));
}

/* An attribute of attributes: those put until nest_end. Returns where it begins. */
static uint32_t nest_begin(struct message *m, uint16_t type)
{
    uint32_t at = m->length;
    attribute_put(m, (uint16_t)(type | NLA_F_NESTED), NULL, 0);
    return at;
}

static void nest_end(struct message *m, uint32_t at)
{
    uint16_t length = (uint16_t)(m->length - at);
    memcpy(m->bytes + at, &length, sizeof(length));
}

/* The attributes of some bytes, one after another. */
struct attribute {
    const uint8_t *value;
    uint32_t length;
    uint16_t type;
};

static bool attribute_next(const uint8_t **at, uint32_t *left, struct attribute *a)
{
    struct nlattr head;
    if (*left < sizeof(head))
        return false;
    memcpy(&head, *at, sizeof(head));
    if (head.nla_len < sizeof(head) || head.nla_len > *left)
        return false;
    *a = (struct attribute){*at + VALUE_AT, head.nla_len - (uint32_t)VALUE_AT,
                            (uint16_t)(head.nla_type & TYPE_MASK)};
    uint32_t step = aligned(head.nla_len) < *left ? aligned(head.nla_len) : *left;
    *at += step;
    *left -= step;
    return true;
}

static bool attribute_find(const uint8_t *bytes, uint32_t length, uint16_t type,
                           struct attribute *a)
{
    while (attribute_next(&bytes, &length, a)) {
        if (a->type == type)
            return true;
    }
    return false;
}

static uint32_t attribute_u32(const struct attribute *a)
{
    uint32_t value = 0;
    if (a->length >= sizeof(value))
        memcpy(&value, a->value, sizeof(value));
    return value;
}

/* ---- messages ---- */

static void message_begin(struct message *m, uint16_t family, uint8_t command)
{
    struct nlmsghdr head = {.nlmsg_type = family, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK};
    struct genlmsghdr body = {.cmd = command, .version = 1};
    *m = (struct message){.length = ATTRIBUTES_AT};
    memcpy(m->bytes, &head, sizeof(head));
    memcpy(m->bytes + BODY_AT, &body, sizeof(body));
}

static int acknowledgement(const uint8_t *bytes, uint32_t length)
{
    int32_t status = -EPROTO;
    if (length >= sizeof(status))
        memcpy(&status, bytes, sizeof(status));
    return status;
}

/* Sends it and reads up to the acknowledgement; an answer before that is left in `m`. 0 or -errno.
 */
static int message_exchange(int fd, struct message *m)
{
    memcpy(m->bytes, &m->length, sizeof(m->length)); /* nlmsg_len is the first field */
    if (send(fd, m->bytes, m->length, 0) < 0)
        return -errno;
    m->length = 0;
    for (;;) {
        struct message in;
        ssize_t got = recv(fd, in.bytes, sizeof(in.bytes), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        uint32_t left = (uint32_t)got;
        for (const uint8_t *at = in.bytes; left >= sizeof(struct nlmsghdr);) {
            struct nlmsghdr head;
            memcpy(&head, at, sizeof(head));
            if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > left)
                return -EPROTO;
            if (head.nlmsg_type == NLMSG_ERROR)
                return acknowledgement(at + BODY_AT, head.nlmsg_len - BODY_AT);
            memcpy(m->bytes, at, head.nlmsg_len);
            m->length = head.nlmsg_len;
            uint32_t step = aligned(head.nlmsg_len) < left ? aligned(head.nlmsg_len) : left;
            at += step;
            left -= step;
        }
    }
}

static bool answer_find(const struct message *m, uint16_t type, struct attribute *a)
{
    return m->length > ATTRIBUTES_AT &&
           attribute_find(m->bytes + ATTRIBUTES_AT, m->length - ATTRIBUTES_AT, type, a);
}

/* ---- the family ---- */

static uint32_t group_find(const struct attribute *groups)
{
    struct attribute group, name, id;
    const uint8_t *at = groups->value;
    uint32_t left = groups->length;
    while (attribute_next(&at, &left, &group)) {
        if (attribute_find(group.value, group.length, CTRL_ATTR_MCAST_GRP_NAME, &name) &&
            name.length == sizeof(NBD_GENL_MCAST_GROUP_NAME) &&
            memcmp(name.value, NBD_GENL_MCAST_GROUP_NAME, name.length) == 0 &&
            attribute_find(group.value, group.length, CTRL_ATTR_MCAST_GRP_ID, &id))
            return attribute_u32(&id);
    }
    return 0;
}

int netlink_open(struct netlink *netlink, struct error *error)
{
    struct message m;
    struct attribute id, groups;
    netlink->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
    if (netlink->fd < 0)
        return error_set_errno(error, errno, "netlink");
    message_begin(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
    attribute_put(&m, CTRL_ATTR_FAMILY_NAME, NBD_GENL_FAMILY_NAME, sizeof(NBD_GENL_FAMILY_NAME));
    int status = message_exchange(netlink->fd, &m);
    if (status || !answer_find(&m, CTRL_ATTR_FAMILY_ID, &id) || id.length < sizeof(uint16_t) ||
        !answer_find(&m, CTRL_ATTR_MCAST_GROUPS, &groups)) {
        netlink_close(netlink);
        return error_set(error, "the kernel has no nbd (modprobe nbd)");
    }
    memcpy(&netlink->family, id.value, sizeof(netlink->family));
    netlink->group = group_find(&groups);
    return 0;
}

void netlink_close(struct netlink *netlink)
{
    close(netlink->fd);
    netlink->fd = -1;
}

/* ---- commands ---- */

static void device_put(struct message *m, const struct netlink_device *d, const int *fds,
                       uint32_t count)
{
    attribute_put_u64(m, NBD_ATTR_SIZE_BYTES, d->size_bytes);
    attribute_put_u64(m, NBD_ATTR_BLOCK_SIZE_BYTES, d->block_bytes);
    attribute_put_u64(m, NBD_ATTR_SERVER_FLAGS, d->flags);
    attribute_put_u64(m, NBD_ATTR_DEAD_CONN_TIMEOUT, d->dead_timeout_s);
    attribute_put(m, NBD_ATTR_BACKEND_IDENTIFIER, d->identifier, strlen(d->identifier) + 1);
    uint32_t list = nest_begin(m, NBD_ATTR_SOCKETS);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t fd = (uint32_t)fds[i];
        uint32_t item = nest_begin(m, NBD_SOCK_ITEM);
        attribute_put(m, NBD_SOCK_FD, &fd, sizeof(fd));
        nest_end(m, item);
    }
    nest_end(m, list);
}

int netlink_attach(struct netlink *netlink, struct netlink_device *device, const int *fds,
                   uint32_t count, struct error *error)
{
    struct message m;
    struct attribute idx;
    message_begin(&m, netlink->family, NBD_CMD_CONNECT);
    device_put(&m, device, fds, count);
    int status = message_exchange(netlink->fd, &m);
    if (status)
        return error_set_errno(error, status, "the kernel's NBD client refuses to attach");
    if (!answer_find(&m, NBD_ATTR_INDEX, &idx))
        return error_set(error, "the kernel's NBD client does not say which device it is");
    device->idx = attribute_u32(&idx);
    return 0;
}

int netlink_replace(struct netlink *netlink, const struct netlink_device *device, int fd,
                    struct error *error)
{
    struct message m;
    message_begin(&m, netlink->family, NBD_CMD_RECONFIGURE);
    attribute_put(&m, NBD_ATTR_INDEX, &device->idx, sizeof(device->idx));
    device_put(&m, device, &fd, 1);
    int status = message_exchange(netlink->fd, &m);
    return status ? error_set_errno(error, status, "the kernel's NBD client takes no connection")
                  : 0;
}

int netlink_detach(struct netlink *netlink, uint32_t idx, struct error *error)
{
    struct message m;
    message_begin(&m, netlink->family, NBD_CMD_DISCONNECT);
    attribute_put(&m, NBD_ATTR_INDEX, &idx, sizeof(idx));
    int status = message_exchange(netlink->fd, &m);
    return status ? error_set_errno(error, status, "the kernel's NBD client does not detach") : 0;
}

/* ---- news ---- */

int netlink_listen(const struct netlink *netlink, struct error *error)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_GENERIC);
    if (fd < 0)
        return error_set_errno(error, errno, "netlink");
    /* Bound: without a number of its own it would be skipped like a sender of its own news. */
    struct sockaddr_nl own = {.nl_family = AF_NETLINK};
    if (bind(fd, (const struct sockaddr *)&own, sizeof(own)) ||
        setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &netlink->group,
                   sizeof(netlink->group))) {
        error_set_errno(error, errno, "netlink: news of nbd");
        close(fd);
        return -1;
    }
    return fd;
}

bool netlink_heard(int fd, uint32_t idx)
{
    bool heard = false;
    for (;;) {
        struct message in;
        struct attribute a;
        ssize_t got = recv(fd, in.bytes, sizeof(in.bytes), 0);
        if (got < 0 && errno == ENOBUFS)
            heard = true;
        else if (got < 0 && errno != EINTR)
            return heard;
        if (got < 0)
            continue;
        in.length = (uint32_t)got;
        /* Its command is the byte behind the first header. */
        if (in.length > ATTRIBUTES_AT && in.bytes[BODY_AT] == NBD_CMD_LINK_DEAD &&
            answer_find(&in, NBD_ATTR_INDEX, &a) && attribute_u32(&a) == idx)
            heard = true;
    }
}
