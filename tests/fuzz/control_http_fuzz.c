/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The management API from its socket on: any bytes, in pieces as the first byte says, to a target
 * without replicas. What is answered is HTTP, whose bodies are JSON.
 */
#include "common/base/log.h"
#include "target/control/control.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { ANSWER_BYTES = 1 << 20, TURNS = 6 };

static struct loop loop;
static struct stream_sender sender;
static struct buf_pool bufs;
static struct sockaddr_un where = {.sun_family = AF_UNIX};
static char answer[ANSWER_BYTES + 1];

static void leave(void)
{
    (void)unlink(where.sun_path);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct error error;
    struct uuid process = {{1}};
    struct front_settings front_settings = {
        .iqn_prefix = EXPORT_IQN_PREFIX_DEFAULT, .requests_max = 16, .connections_max = 16};
    struct control_settings settings = {
        .socket_path = where.sun_path, .repl = repl_settings_default(), .ops_max = 32};
    (void)argc;
    (void)argv;
    snprintf(where.sun_path, sizeof(where.sun_path), "/tmp/strake-fuzz-%d.sock", (int)getpid());
    log_init("fuzz", LOG_LEVEL_WARN);
    ASSERT(loop_init(&loop) == 0);
    stream_sender_init(&sender, &loop);
    buf_pool_init(&bufs, 64u << 20);
    struct front *front = front_new(&front_settings, &loop, &sender, &bufs, &error);
    ASSERT(front);
    ASSERT(control_new(&settings, &loop, &sender, &bufs, front, &process, &error));
    atexit(leave);
    return 0;
}

static size_t answers_take(int fd, size_t length)
{
    for (int i = 0; i < TURNS; i++) {
        ev_run(loop.ev, EVRUN_NOWAIT);
        ssize_t got = recv(fd, answer + length, ANSWER_BYTES - length, MSG_DONTWAIT);
        length += got > 0 ? (size_t)got : 0;
    }
    return length;
}

/* The first answer: a status line, and a body that is JSON if it is said to be. */
static void judge(size_t length)
{
    answer[length] = '\0';
    if (length == 0)
        return;
    ASSERT(strncmp(answer, "HTTP/1.", 7) == 0);
    const char *type = strstr(answer, "content-type: application/json");
    const char *body = strstr(answer, "\r\n\r\n");
    const char *bytes = strstr(answer, "content-length: ");
    if (!type || !body || type > body || !bytes || bytes > body)
        return;
    size_t body_bytes = strtoul(bytes + strlen("content-length: "), NULL, 10);
    body += 4;
    ASSERT(body_bytes <= length - (size_t)(body - answer));
    json_t *json = json_loadb(body, body_bytes, 0, NULL);
    ASSERT(json_is_object(json));
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t piece = data[0] ? data[0] * 16u : size;
    size_t length = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT(connect(fd, (const struct sockaddr *)&where, sizeof(where)) == 0);
    for (size_t at = 1; at < size; at += piece) {
        size_t step = size - at < piece ? size - at : piece;
        if (send(fd, data + at, step, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
            break;
        length = answers_take(fd, length);
    }
    length = answers_take(fd, length);
    judge(length);
    close(fd);
    for (int i = 0; i < TURNS; i++)
        ev_run(loop.ev, EVRUN_NOWAIT);
    return 0;
}
