/* SPDX-License-Identifier: Apache-2.0 */
/* One effect that waits to go out, other than an operation's. */
#ifndef STRAKE_REPLICATION_CONTROL_H
#define STRAKE_REPLICATION_CONTROL_H

#include "target/replication/replication.h"

struct control {
    enum repl_effect_kind kind;
    uint8_t peers;
    bool warn;
    uint8_t type; /* SEND */
    uint16_t flags;
    uint64_t request;
    uint64_t offset_bytes;
    uint64_t length_bytes;
    uint64_t generation;
    struct slice payload; /* one reference */
    struct slice body;    /* likewise */
    const char *text;
};

#endif
