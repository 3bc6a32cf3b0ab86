/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of contents: SHA-256 in three levels. */
#include "common/digest/digest.h"

#include "common/base/bytes.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

static const char head[] = "strake digest 1\n";

struct digest {
    EVP_MD_CTX *context; /* owned */
    uint64_t next;       /* group */
};

static void update(EVP_MD_CTX *context, const void *bytes, size_t length)
{
    int ok = EVP_DigestUpdate(context, bytes, length);
    ASSERT(ok == 1);
}

static EVP_MD_CTX *begin(void)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    ASSERT(context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1);
    return context;
}

static void end(EVP_MD_CTX *context, uint8_t hash[DIGEST_BYTES])
{
    int ok = EVP_DigestFinal_ex(context, hash, NULL);
    ASSERT(ok == 1);
    EVP_MD_CTX_free(context);
}

/* SHA-256 of 1 MiB of zeros. */
static const uint8_t zero_piece[DIGEST_BYTES] = {
    0x30, 0xe1, 0x49, 0x55, 0xeb, 0xf1, 0x35, 0x22, 0x66, 0xdc, 0x2f, 0xf8, 0x06, 0x7e, 0x68, 0x10,
    0x46, 0x07, 0xe7, 0x50, 0xab, 0xb9, 0xd3, 0xb3, 0x65, 0x82, 0xb8, 0xaf, 0x90, 0x9f, 0xcb, 0x58,
};

void digest_group_clear(struct digest_group *group)
{
    group->count = 0;
    memset(group->some, 0, sizeof(group->some));
}

void digest_group_set(struct digest_group *group, uint32_t piece, const uint8_t *bytes,
                      uint32_t length_bytes)
{
    static const uint8_t zeros[4096];
    ASSERT(piece < DIGEST_GROUP_PIECES && length_bytes <= DIGEST_PIECE_BYTES);
    digest_group_set_zero(group, piece);
    if (bytes_are_zero(bytes, length_bytes))
        return;
    EVP_MD_CTX *context = begin();
    update(context, bytes, length_bytes);
    for (uint32_t at = length_bytes; at < DIGEST_PIECE_BYTES;) {
        uint32_t left = DIGEST_PIECE_BYTES - at;
        uint32_t length = left < sizeof(zeros) ? left : (uint32_t)sizeof(zeros);
        update(context, zeros, length);
        at += length;
    }
    end(context, group->hashes[piece]);
    group->some[piece] = true;
    group->count++;
}

void digest_group_set_zero(struct digest_group *group, uint32_t piece)
{
    ASSERT(piece < DIGEST_GROUP_PIECES);
    group->count = (uint16_t)(group->count - group->some[piece]);
    group->some[piece] = false;
}

bool digest_group_same(const struct digest_group *a, const struct digest_group *b, uint32_t piece)
{
    return a->some[piece] == b->some[piece] &&
           (!a->some[piece] || memcmp(a->hashes[piece], b->hashes[piece], DIGEST_BYTES) == 0);
}

void digest_group_hash(const struct digest_group *group, uint8_t hash[DIGEST_BYTES])
{
    EVP_MD_CTX *context = begin();
    for (uint32_t i = 0; i < DIGEST_GROUP_PIECES; i++)
        update(context, group->some[i] ? group->hashes[i] : zero_piece, DIGEST_BYTES);
    end(context, hash);
}

struct digest *digest_new(void)
{
    struct digest *digest = calloc(1, sizeof(*digest));
    ASSERT(digest);
    digest->context = begin();
    update(digest->context, head, sizeof(head) - 1);
    return digest;
}

void digest_free(struct digest *digest)
{
    if (!digest)
        return;
    EVP_MD_CTX_free(digest->context);
    free(digest);
}

void digest_add(struct digest *digest, uint64_t group, const uint8_t hash[DIGEST_BYTES])
{
    ASSERT(digest->context && group >= digest->next);
    uint8_t zeros[DIGEST_BYTES];
    if (digest->next < group) {
        struct digest_group none;
        digest_group_clear(&none);
        digest_group_hash(&none, zeros);
    }
    for (; digest->next < group; digest->next++)
        update(digest->context, zeros, DIGEST_BYTES);
    update(digest->context, hash, DIGEST_BYTES);
    digest->next++;
}

void digest_end(struct digest *digest, uint8_t sha256[DIGEST_BYTES])
{
    ASSERT(digest->context);
    end(digest->context, sha256);
    digest->context = NULL;
}

void digest_text(const uint8_t sha256[DIGEST_BYTES], char text[DIGEST_TEXT_MAX])
{
    int used = snprintf(text, DIGEST_TEXT_MAX, "sha256:");
    for (int i = 0; i < DIGEST_BYTES; i++)
        used += snprintf(text + used, DIGEST_TEXT_MAX - (size_t)used, "%02x", sha256[i]);
}
