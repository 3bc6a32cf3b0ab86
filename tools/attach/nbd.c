/* SPDX-License-Identifier: Apache-2.0 */
/* By the kernel's NBD client. */
#include "tools/attach/nbd.h"

#include "tools/attach/command.h"
#include "tools/attach/ways.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECTIONS_DEFAULT = 2, /* where the target allows several */
    /*
     * How often the kernel looks whether the connection that a request went out on still is there,
     * to send it again if not. With several connections it does not look: it gives one up whose
     * request was not answered for so long.
     */
    RESEND_ONE_MS = 3000,
    RESEND_SEVERAL_MS = 15000,
};

int nbd_open(struct nbd *nbd, const struct attachment *a, struct error *error)
{
    *nbd = (struct nbd){.connections = a->connections ? a->connections : 1};
    nbd->device.identifier = a->source;
    if (client_source_parse(a->source, &nbd->source, error))
        return -1;
    return netlink_open(&nbd->netlink, error);
}

void nbd_close(struct nbd *nbd)
{
    netlink_close(&nbd->netlink);
}

int nbd_connect(struct nbd *nbd, bool read_only, struct error *error)
{
    struct client_export export;
    int fd = client_connect(&nbd->source, &export, error);
    if (fd < 0)
        return -1;
    nbd->device.size_bytes = export.size_bytes;
    nbd->device.block_bytes = export.block_bytes;
    nbd->device.flags = export.flags | (read_only ? CLIENT_READ_ONLY : 0u);
    return fd;
}

bool nbd_idx_of(const char *device, uint32_t *idx)
{
    static const char prefix[] = "/dev/nbd";
    const char *digits = device + strlen(prefix);
    if (strncmp(device, prefix, strlen(prefix)) != 0 || strlen(digits) > 6 || !digits[0] ||
        strspn(digits, "0123456789") != strlen(digits))
        return false;
    *idx = (uint32_t)strtoul(digits, NULL, 10);
    return true;
}

bool nbd_is_attached(uint32_t idx)
{
    char path[64];
    snprintf(path, sizeof(path), "/sys/block/nbd%u/pid", idx);
    return access(path, F_OK) == 0;
}

/* ---- the way ---- */

static const char *nbd_missing(void)
{
    struct netlink netlink;
    struct error error;
    char output[256];
    const char *const load[] = {"modprobe", "-q", "nbd", NULL};
    if (geteuid() != 0)
        return "needs root";
    if (netlink_open(&netlink, &error)) {
        (void)command_run(load, output, sizeof(output));
        if (netlink_open(&netlink, &error))
            return "the kernel has no nbd";
    }
    netlink_close(&netlink);
    return NULL;
}

static void resend_set(const struct nbd *nbd)
{
    char path[64];
    char text[16];
    snprintf(path, sizeof(path), "/sys/block/nbd%u/queue/io_timeout", nbd->device.idx);
    int length = snprintf(text, sizeof(text), "%d",
                          nbd->connections > 1 ? RESEND_SEVERAL_MS : RESEND_ONE_MS);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* then it is the kernel's own 30 s */
    (void)!write(fd, text, (size_t)length);
    close(fd);
}

/* The connections past the first, of which there may be several if the target says so. */
static int connections_make(struct nbd *nbd, const struct attach_wish *wish, int *fds,
                            struct error *error)
{
    bool several = nbd->device.flags & CLIENT_MULTI_CONN;
    uint32_t wanted = wish->connections ? wish->connections : several ? CONNECTIONS_DEFAULT : 1;
    if (wanted > 1 && !several)
        return error_set(error, "the target does not allow several connections to this export");
    for (nbd->connections = 1; nbd->connections < wanted; nbd->connections++) {
        fds[nbd->connections] = nbd_connect(nbd, wish->read_only, error);
        if (fds[nbd->connections] < 0)
            return -1;
    }
    return 0;
}

static int nbd_make(const struct attach_wish *wish, struct attachment *a, struct error *error)
{
    struct nbd nbd;
    int fds[ATTACH_CONNECTIONS_MAX];
    if (nbd_open(&nbd, a, error))
        return -1;
    nbd.connections = 0;
    nbd.device.dead_timeout_s = wish->timeout_s;
    int status = -1;
    fds[0] = nbd_connect(&nbd, wish->read_only, error);
    if (fds[0] >= 0) {
        nbd.connections = 1;
        if (connections_make(&nbd, wish, fds, error) == 0)
            status = netlink_attach(&nbd.netlink, &nbd.device, fds, nbd.connections, error);
    }
    for (uint32_t i = 0; i < nbd.connections; i++)
        close(fds[i]); /* the kernel holds them by itself */
    if (!status) {
        snprintf(a->device, sizeof(a->device), "/dev/nbd%u", nbd.device.idx);
        a->connections = nbd.connections;
        a->timeout_s = wish->timeout_s;
        resend_set(&nbd);
    }
    nbd_close(&nbd);
    return status;
}

static bool nbd_there(const struct attachment *a)
{
    uint32_t idx;
    return nbd_idx_of(a->device, &idx) && nbd_is_attached(idx);
}

static int nbd_undo(const struct attachment *a, struct error *error)
{
    struct nbd nbd;
    uint32_t idx;
    if (!nbd_idx_of(a->device, &idx))
        return error_set(error, "%s: not a device of NBD", a->device);
    if (device_let_go(a->device, error))
        return -1;
    if (keeper_end(a))
        return nbd_is_attached(idx) ? error_set(error, "its keeper did not detach it") : 0;
    if (nbd_open(&nbd, a, error))
        return -1;
    int status = netlink_detach(&nbd.netlink, idx, error);
    nbd_close(&nbd);
    return status;
}

const struct way way_nbd = {nbd_missing, nbd_make, nbd_undo, nbd_there};
