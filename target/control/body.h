/* SPDX-License-Identifier: Apache-2.0 */
/* What requests say: their bodies and queries, checked strictly. Private to the control room. */
#ifndef STRAKE_CONTROL_BODY_H
#define STRAKE_CONTROL_BODY_H

#include "target/control/answer.h"

/*
 * The body as an object (none at all: an empty one) with no fields but these ("a b c"), whose
 * values are what fields of that name may be. NULL when the request was answered.
 */
json_t *body_take(struct http_request *request, const char *allowed);
/* The query's values of `key`, an array of texts; owned by the caller. */
json_t *query_values(const struct http_request *request, const char *key);
/* False when the request was answered: there are others than these ("a b c"). */
MUST_USE bool query_only(struct http_request *request, const char *allowed);

#endif
