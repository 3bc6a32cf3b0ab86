/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about a volume that its replicas answer. Private to the control room. */
#ifndef STRAKE_CONTROL_QUESTION_H
#define STRAKE_CONTROL_QUESTION_H

#include "target/control/body.h"
#include "target/control/snapshot.h"

/* The volume answered: it may be closed, if it was to be. */
static inline void question_over(struct record *record)
{
    record->questions--;
    loop_defer(record->control->loop, &record->control->reap);
}

/* diff.c: ?from=A&to=B&offset=N. The record serves. */
void diff_ask(struct record *record, struct http_request *request);
/* digest.c: has every replica in sync tell it; `verify`: after reading all of it again. */
void digest_ask(struct record *record, struct http_request *request,
                const struct snapshot *snapshot, bool verify);
/* space.c: answers with the volume, and the space it takes when that is known. */
void space_show(struct record *record, struct http_request *request);

#endif
