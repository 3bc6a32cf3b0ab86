/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door of the digest room: what a content is called. Anybody who has the bytes can compute it
 * again (strake-digest FILE); nothing of ours is in it, neither names nor sizes nor where it lies.
 *
 *   piece   1 MiB of the content, the last one filled up with zeros:  P = SHA-256(piece)
 *   group   1024 pieces, the last one filled up with zero pieces:     G = SHA-256(P0 P1 ... P1023)
 *   digest  SHA-256("strake digest 1\n" G0 G1 ... Gn), Gn the last group that is not all zeros
 *
 * Zeros at the end do not count: a content has one digest however large the volume around it is,
 * also after the volume has grown. Text: "sha256:" and 64 lower-case hexadecimal digits. Pure.
 */
#ifndef STRAKE_DIGEST_DIGEST_H
#define STRAKE_DIGEST_DIGEST_H

#include "common/base/assert.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    DIGEST_BYTES = 32,
    DIGEST_PIECE_BYTES = 1 << 20,
    DIGEST_GROUP_PIECES = 1024,
    DIGEST_TEXT_MAX = 7 + 2 * DIGEST_BYTES + 1,
};
#define DIGEST_GROUP_BYTES ((uint64_t)DIGEST_GROUP_PIECES * DIGEST_PIECE_BYTES)

/* The hashes of a group's pieces; `count` of them are not of zeros. */
struct digest_group {
    uint16_t count;
    bool some[DIGEST_GROUP_PIECES];
    uint8_t hashes[DIGEST_GROUP_PIECES][DIGEST_BYTES]; /* where `some`; else it is of zeros */
};

/* All pieces are zeros. */
void digest_group_clear(struct digest_group *group);
/* The content of a piece; what is missing up to 1 MiB are zeros. */
void digest_group_set(struct digest_group *group, uint32_t piece, const uint8_t *bytes,
                      uint32_t length_bytes);
void digest_group_set_zero(struct digest_group *group, uint32_t piece);
MUST_USE bool digest_group_same(const struct digest_group *a, const struct digest_group *b,
                                uint32_t piece);
void digest_group_hash(const struct digest_group *group, uint8_t hash[DIGEST_BYTES]);

/* The hashes of the groups that are not all zeros, in order; any may be left out that is. */
struct digest;
struct digest *digest_new(void);
void digest_free(struct digest *digest); /* NULL is allowed */
void digest_add(struct digest *digest, uint64_t group, const uint8_t hash[DIGEST_BYTES]);
/* Nothing is added after that. */
void digest_end(struct digest *digest, uint8_t sha256[DIGEST_BYTES]);

void digest_text(const uint8_t sha256[DIGEST_BYTES], char text[DIGEST_TEXT_MAX]);

#endif
