/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel alone costs for replicated writes: a client, a hub and replicas that do nothing
 * but move bytes by TCP and write them to sparse files, in lock step, so that each system call
 * carries a whole batch. No protocol, no checksums, no order, nothing kept: no server that
 * moves as much at once can be cheaper over sockets and buffered files. Prints one line of JSON:
 * writes, seconds, CPU seconds of all but the client.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HEADER_BYTES = 64, ANSWER_BYTES = 48, REPLICAS_MAX = 8, PIECE_BYTES = 32 << 10 };

#define FILE_BYTES ((uint64_t)256 << 20)

struct shape {
    size_t io_bytes;
    int depth;
    int replicas; /* 0: the hub writes itself */
    double seconds;
    const char *directory;
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Of the processes that have ended and were waited for. */
static double cpu_seconds(void)
{
    struct rusage usage;
    must(getrusage(RUSAGE_CHILDREN, &usage) == 0, "getrusage");
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* False at the end of the stream. */
static bool take(int fd, uint8_t *bytes, size_t length)
{
    ssize_t got = recv(fd, bytes, length, MSG_WAITALL);
    must(got == 0 || got == (ssize_t)length, "recv");
    return got > 0;
}

static void give(int fd, const uint8_t *bytes, size_t length)
{
    must(send(fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length, "send");
}

/* Both ends of one TCP connection. */
static void connection(int ends[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    must(bind(listener, (struct sockaddr *)&address, length) == 0, "bind");
    must(listen(listener, 1) == 0, "listen");
    must(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    must(connect(ends[0], (struct sockaddr *)&address, length) == 0, "connect");
    ends[1] = accept(listener, NULL, NULL);
    must(ends[1] >= 0, "accept");
    for (int i = 0; i < 2; i++)
        must(setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int)) == 0, "nodelay");
    close(listener);
}

static int file_open(const struct shape *shape)
{
    int fd = open(shape->directory, O_TMPFILE | O_RDWR, 0600);
    must(fd >= 0, shape->directory);
    uint8_t *bytes = calloc(1, PIECE_BYTES);
    must(bytes, "memory");
    for (uint64_t at = 0; at < FILE_BYTES; at += PIECE_BYTES)
        must(pwrite(fd, bytes, PIECE_BYTES, (off_t)at) == PIECE_BYTES, "pwrite");
    free(bytes);
    return fd;
}

static void write_batch(const struct shape *shape, int file, const uint8_t *batch)
{
    static uint64_t random = 1;
    for (int i = 0; i < shape->depth; i++) {
        const uint8_t *bytes = batch + (size_t)i * (HEADER_BYTES + shape->io_bytes) + HEADER_BYTES;
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t at = (random >> 20) % (FILE_BYTES / shape->io_bytes) * shape->io_bytes;
        for (size_t done = 0; done < shape->io_bytes; done += PIECE_BYTES) {
            size_t piece =
                shape->io_bytes - done < PIECE_BYTES ? shape->io_bytes - done : PIECE_BYTES;
            must(pwrite(file, bytes + done, piece, (off_t)(at + done)) == (ssize_t)piece, "pwrite");
        }
    }
}

/* Hands a batch to each replica, or writes it; answers it when all have answered. */
static _Noreturn void serve(const struct shape *shape, int up, const int *down, int count, int file)
{
    size_t depth = (size_t)shape->depth;
    size_t batch_bytes = depth * (HEADER_BYTES + shape->io_bytes);
    uint8_t *batch = malloc(batch_bytes);
    uint8_t *answers = calloc(depth, ANSWER_BYTES);
    must(batch && answers, "memory");
    while (take(up, batch, batch_bytes)) {
        for (int i = 0; i < count; i++)
            give(down[i], batch, batch_bytes);
        if (file >= 0)
            write_batch(shape, file, batch);
        for (int i = 0; i < count; i++)
            must(take(down[i], answers, depth * ANSWER_BYTES), "a replica ended");
        give(up, answers, depth * ANSWER_BYTES);
    }
    exit(0);
}

/* The processes that serve; the client's end of their connection. Files are written before. */
static int start(const struct shape *shape)
{
    int client[2], replica[2], down[REPLICAS_MAX];
    connection(client);
    for (int i = 0; i < shape->replicas; i++) {
        connection(replica);
        int file = file_open(shape);
        if (fork() == 0) {
            close(client[0]);
            close(replica[0]);
            for (int j = 0; j < i; j++)
                close(down[j]);
            serve(shape, replica[1], NULL, 0, file);
        }
        close(file);
        close(replica[1]);
        down[i] = replica[0];
    }
    int file = shape->replicas == 0 ? file_open(shape) : -1;
    if (fork() == 0) {
        close(client[0]);
        serve(shape, client[1], down, shape->replicas, file);
    }
    close(client[1]);
    for (int i = 0; i < shape->replicas; i++)
        close(down[i]);
    return client[0];
}

static void run(const struct shape *shape)
{
    int hub = start(shape);
    size_t depth = (size_t)shape->depth;
    size_t batch_bytes = depth * (HEADER_BYTES + shape->io_bytes);
    uint8_t *batch = calloc(1, batch_bytes);
    uint8_t *answers = calloc(depth, ANSWER_BYTES);
    must(batch && answers, "memory");
    uint64_t ios = 0;
    double began = seconds_now();
    while (seconds_now() - began < shape->seconds) {
        give(hub, batch, batch_bytes);
        must(take(hub, answers, depth * ANSWER_BYTES), "the hub ended");
        ios += depth;
    }
    double seconds = seconds_now() - began;
    close(hub);
    while (wait(NULL) > 0)
        continue;
    printf("{\"ios\": %llu, \"seconds\": %.3f, \"cpu_seconds\": %.3f}\n", (unsigned long long)ios,
           seconds, cpu_seconds());
    free(batch);
    free(answers);
}

int main(int argc, char **argv)
{
    struct shape shape = {.io_bytes = 4096, .depth = 32, .seconds = 2, .directory = "."};
    int option;
    while ((option = getopt(argc, argv, "b:q:r:t:d:")) != -1) {
        if (option == 'b')
            shape.io_bytes = strtoul(optarg, NULL, 10);
        else if (option == 'q')
            shape.depth = (int)strtol(optarg, NULL, 10);
        else if (option == 'r')
            shape.replicas = (int)strtol(optarg, NULL, 10);
        else if (option == 't')
            shape.seconds = strtod(optarg, NULL);
        else if (option == 'd')
            shape.directory = optarg;
        else
            return 2;
    }
    bool ok = shape.io_bytes > 0 && shape.io_bytes <= FILE_BYTES && shape.depth > 0 &&
              shape.depth <= 256 && shape.replicas >= 0 && shape.replicas <= REPLICAS_MAX;
    if (!ok || optind != argc) {
        fprintf(stderr, "usage: floor [-b BYTES] [-q DEPTH] [-r REPLICAS] [-t SECONDS] [-d DIR]\n");
        return 2;
    }
    run(&shape);
    return 0;
}
