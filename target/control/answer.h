/* SPDX-License-Identifier: Apache-2.0 */
/* What tools are told, and the ends of their requests. Private to the control room. */
#ifndef STRAKE_CONTROL_ANSWER_H
#define STRAKE_CONTROL_ANSWER_H

#include "target/control/state.h"

json_t *json_uuid(const struct uuid *uuid);
json_t *json_u64(uint64_t value);
/* Replicas and clients may send any bytes; what is no UTF-8 is not told. */
json_t *json_text(const char *text);

json_t *answer_records(const struct control *control, bool deleted);
json_t *answer_status(const struct control *control);
json_t *answer_sessions(const struct control *control);
json_t *answer_volume(const struct record *record);
json_t *json_scrub(const struct record *record);
/* .../scrub */
void api_scrub(struct record *record, struct http_request *request);
/* How clients reach the export of this name. */
void answer_attach(json_t *json, const struct control *control, const char *name);
/* What people say of an open volume. */
void answer_description(json_t *json, const struct record *record);
/* These end the request. `json` is given up. */
void answer_json(struct http_request *request, unsigned status, json_t *json);
void answer_record(struct http_request *request, unsigned status, const struct record *record);
void answer_error(struct http_request *request, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
