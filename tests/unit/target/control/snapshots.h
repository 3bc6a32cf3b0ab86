/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of tests about snapshots. */
#ifndef STRAKE_TESTS_CONTROL_SNAPSHOTS_H
#define STRAKE_TESTS_CONTROL_SNAPSHOTS_H

#include "tests/unit/target/control/fixture.h"

/* The volume v1, its book known. */
static inline struct volume *serving_v1(void)
{
    create_v1();
    book_comes(volume_last);
    turns(2);
    return volume_last;
}

/* A snapshot of v1, made as clients ask for it. */
static inline void snapshot_v1(const char *name)
{
    char body[128];
    snprintf(body, sizeof(body), "{\"name\": \"%s\"}", name);
    ask(HTTP_POST, "/v1/volumes/v1/snapshots", "", body);
    turns(1);
    command_ends(volume_last, 0);
    ck_assert_uint_eq(answer_code, 201);
}

static inline struct export *view_of(const char *name)
{
    return exports_find(&exports, name, strlen(name));
}

#endif
