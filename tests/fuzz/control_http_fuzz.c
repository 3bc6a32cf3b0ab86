/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The management API from its socket on: any bytes, in pieces as the first byte says, to a target
 * without replicas. A byte 1Eh begins another connection beside those that are there, 1Fh ends the
 * oldest. What is answered is HTTP, whose bodies are JSON.
 */
#include "common/base/log.h"
#include "target/control/control.h"
#include "target/control/http.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { ANSWER_BYTES = 1 << 16, TURNS = 6, CLIENTS_MAX = HTTP_CONNECTIONS_MAX + 2 };
enum { CLIENT_COMES = 0x1e, CLIENT_GOES = 0x1f }; /* bytes that are no part of what is sent */

struct client {
    int fd;
    size_t length; /* of what was answered */
    char *answer;  /* ANSWER_BYTES and a zero */
};

static struct loop loop;
static struct stream_sender sender;
static struct buf_pool bufs;
static struct sockaddr_un where = {.sun_family = AF_UNIX};
static struct client clients[CLIENTS_MAX];
static size_t client_count;

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

static void answers_take(void)
{
    for (int i = 0; i < TURNS; i++) {
        ev_run(loop.ev, EVRUN_NOWAIT);
        for (size_t c = 0; c < client_count; c++) {
            struct client *client = &clients[c];
            ssize_t got = recv(client->fd, client->answer + client->length,
                               ANSWER_BYTES - client->length, MSG_DONTWAIT);
            client->length += got > 0 ? (size_t)got : 0;
        }
    }
}

/* The first answer: a status line, and a body that is JSON if it is said to be. */
static void judge(char *answer, size_t length)
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

static void client_comes(void)
{
    if (client_count == CLIENTS_MAX)
        return;
    struct client *client = &clients[client_count++];
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    client->length = 0;
    client->answer = malloc(ANSWER_BYTES + 1);
    ASSERT(client->answer);
    ASSERT(connect(client->fd, (const struct sockaddr *)&where, sizeof(where)) == 0);
}

/* The oldest. */
static void client_goes(void)
{
    if (client_count == 0)
        return;
    judge(clients[0].answer, clients[0].length);
    close(clients[0].fd);
    free(clients[0].answer);
    memmove(clients, clients + 1, --client_count * sizeof(clients[0]));
}

static bool is_event(uint8_t byte)
{
    return byte == CLIENT_COMES || byte == CLIENT_GOES;
}

static void happen(uint8_t byte)
{
    if (byte == CLIENT_COMES)
        client_comes();
    else
        client_goes();
    answers_take();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    size_t piece = data[0] ? data[0] * 16u : size;
    client_comes();
    for (size_t at = 1; at < size;) {
        size_t step = 0;
        while (step < piece && at + step < size && !is_event(data[at + step]))
            step++;
        /* Who was sent away, or whose connection is over, has nothing more to say. */
        if (step > 0 && client_count > 0)
            (void)!send(clients[client_count - 1].fd, data + at, step, MSG_NOSIGNAL | MSG_DONTWAIT);
        answers_take();
        at += step;
        if (at < size && is_event(data[at]))
            happen(data[at++]);
    }
    answers_take();
    while (client_count > 0)
        client_goes();
    answers_take();
    return 0;
}
