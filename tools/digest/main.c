/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strake-digest [FILE...]: the digest of a file's or device's content, or of what comes in, by
 * reading it: what `strake snapshot digest` says of a snapshot with this content. Needs nothing but
 * the bytes. Exit status: 0, or 2 when something cannot be read.
 */
#include "common/digest/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct reading {
    struct digest_group group;
    uint8_t bytes[DIGEST_PIECE_BYTES];
};

/* Up to a whole piece; less only at the end. -errno. */
static int read_piece(int fd, uint8_t *bytes)
{
    uint32_t length = 0;
    while (length < DIGEST_PIECE_BYTES) {
        ssize_t got = read(fd, bytes + length, DIGEST_PIECE_BYTES - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        length += (uint32_t)got;
    }
    return (int)length;
}

static int read_all(int fd, struct reading *reading, struct digest *digest)
{
    int length = DIGEST_PIECE_BYTES;
    for (uint64_t number = 0; length == DIGEST_PIECE_BYTES; number++) {
        digest_group_clear(&reading->group);
        for (uint32_t i = 0; i < DIGEST_GROUP_PIECES && length == DIGEST_PIECE_BYTES; i++) {
            length = read_piece(fd, reading->bytes);
            if (length > 0)
                digest_group_set(&reading->group, i, reading->bytes, (uint32_t)length);
        }
        if (length < 0)
            return length;
        uint8_t hash[DIGEST_BYTES];
        digest_group_hash(&reading->group, hash);
        if (reading->group.count > 0)
            digest_add(digest, number, hash);
    }
    return 0;
}

static int print_digest(const char *name)
{
    bool is_stdin = strcmp(name, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 ? -errno : 0;
    struct reading *reading = malloc(sizeof(*reading));
    struct digest *digest = digest_new();
    if (rc == 0)
        rc = reading ? read_all(fd, reading, digest) : -ENOMEM;
    if (rc == 0) {
        uint8_t sha256[DIGEST_BYTES];
        char text[DIGEST_TEXT_MAX];
        digest_end(digest, sha256);
        digest_text(sha256, text);
        printf("%s  %s\n", text, name);
    } else {
        fprintf(stderr, "strake-digest: %s: %s\n", name, strerror(-rc));
    }
    digest_free(digest);
    free(reading);
    if (fd >= 0 && !is_stdin)
        close(fd);
    return rc;
}

int main(int argc, char **argv)
{
    int status = 0;
    if (argc > 1 && argv[1][0] == '-' && argv[1][1]) {
        fprintf(stderr, "usage: strake-digest [FILE...]\n");
        return 2;
    }
    for (int i = 1; i < argc; i++)
        status = print_digest(argv[i]) ? 2 : status;
    if (argc == 1)
        status = print_digest("-") ? 2 : 0;
    return fflush(stdout) == 0 ? status : 2;
}
