/* SPDX-License-Identifier: Apache-2.0 */
/* Access rules: any text is refused with a reason or gives rules by which any client is judged. */
#include "target/front/export/access.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int secret_file(void *arg, const char *path, uint8_t *bytes, uint32_t size, uint32_t *length,
                       struct error *error)
{
    (void)arg;
    (void)error;
    *length = (uint32_t)strlen(path) < size ? (uint32_t)strlen(path) : size;
    memcpy(bytes, path, *length);
    return 0;
}

static void judge(const struct access *access, const char *volume, const char *name,
                  const char *from)
{
    struct access_client client = {.initiator = name, .address = access_address_of(from)};
    const struct access_rule *rule = NULL;
    if (!access_ways(access, volume, &client))
        ASSERT(!access_next(access, volume, &client, NULL) &&
               access_why(access, volume, &client)[0]);
    while ((rule = access_next(access, volume, &client, rule)) != NULL)
        ASSERT(!rule->theirs.user[0] || rule->theirs.length_bytes >= ACCESS_SECRET_BYTES_MIN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = {.text = ""};
    char *text = malloc(size + 1);
    char *name = malloc(size + 1);
    ASSERT(text && name);
    memcpy(text, data, size);
    text[size] = '\0';
    memcpy(name, text, size + 1);
    struct access *access = access_new(text, secret_file, NULL, &error);
    ASSERT(access || error.text[0]);
    judge(access, "a", name, name);
    judge(access, "a", "iqn.h", "10.0.0.1:1");
    judge(access, "", "iqn.h", "[2001:db8::1]:1");
    judge(access, "b", NULL, "unix:");
    access_free(access);
    free(name);
    free(text);
    return 0;
}
