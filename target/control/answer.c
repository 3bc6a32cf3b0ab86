/* SPDX-License-Identifier: Apache-2.0 */
/* What tools are told: the catalogue, its volumes and the target's status as JSON, and errors. */
#include "target/control/limit.h"
#include "target/control/member.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

json_t *json_uuid(const struct uuid *uuid)
{
    char text[UUID_TEXT_BYTES];
    uuid_format(uuid, text);
    return json_string(text);
}

json_t *json_u64(uint64_t value)
{
    return json_integer((json_int_t)value);
}

json_t *json_text(const char *text)
{
    json_t *json = json_string(text ? text : "");
    return json ? json : json_string("?");
}

/* ---- ends of requests ---- */

void answer_json(struct http_request *request, unsigned status, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_PRESERVE_ORDER) : NULL;
    json_decref(json);
    http_answer(request, text ? status : 500, text ? text : strdup("{\"error\": \"no memory\"}"));
}

void answer_error(struct http_request *request, unsigned status, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    json_t *said = json_string(text);
    if (!said) { /* what was asked for is not UTF-8, or was cut within a character */
        for (char *c = text; *c; c++)
            *c = *c & 0x80 ? '?' : *c;
        said = json_text(text);
    }
    answer_json(request, status, json_pack("{s:o}", "error", said));
}

/* ---- one volume ---- */

static const char *record_state_name(const struct record *record, const struct repl_status *status)
{
    switch (record->state) {
    case RECORD_CREATING:
        return "creating";
    case RECORD_REMOVING:
        return "deleting";
    case RECORD_DELETED:
        return "deleted";
    case RECORD_LIVE:
        break;
    }
    if (record->fenced)
        return "fenced";
    return record->volume ? repl_state_name(status->state) : "opening";
}

static const char *record_why(const struct record *record, const struct repl_status *status)
{
    if (record->state != RECORD_LIVE)
        return "";
    if (record->fenced)
        return "another target serves it";
    if (record->why)
        return record->why;
    if (!record->volume)
        return "no replica of it is up";
    return status->why ? status->why : "";
}

/* "ADDR:PORT" or "unix:PATH" -> the URI by which NBD clients reach the export. */
static json_t *json_nbd_uri(const char *address, const char *name)
{
    static const char unix_prefix[] = "unix:";
    size_t prefix_bytes = sizeof(unix_prefix) - 1;
    if (strncmp(address, unix_prefix, prefix_bytes) == 0)
        return json_sprintf("nbd+unix:///%s?socket=%s", name, address + prefix_bytes);
    return json_sprintf("nbd://%s/%s", address, name);
}

void answer_attach(json_t *json, const struct control *control, const char *name)
{
    const char *address;
    char iqn[IQN_BYTES];
    export_iqn(front_exports(control->front), name, iqn);
    json_t *portals = json_array();
    for (uint32_t i = 0; (address = front_portal(control->front, i)); i++)
        json_array_append_new(portals, json_text(address));
    json_t *uris = json_array();
    for (uint32_t i = 0; (address = front_address(control->front, false, i)); i++)
        json_array_append_new(uris, json_nbd_uri(address, name));
    json_object_set_new(json, "iscsi", json_pack("{s:s, s:o}", "iqn", iqn, "portals", portals));
    json_object_set_new(json, "nbd", json_pack("{s:o}", "uris", uris));
}

/* What people say of the volume, as far as its book is known. */
void answer_description(json_t *json, const struct record *record)
{
    static const char *const texts[] = {"origin", "owner", "message"};
    struct volume_row row;
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        if (volume_row(record->volume, texts[i], &row))
            json_object_set_new(json, texts[i],
                                json_stringn((const char *)row.value, row.value_bytes));
    }
    json_t *labels = NULL;
    if (volume_row(record->volume, "labels", &row))
        labels = json_loadb((const char *)row.value, row.value_bytes, 0, NULL);
    json_object_set_new(json, "labels", labels ? labels : json_object());
    json_object_set_new(json, "limits", limits_now(record));
    json_object_set_new(json, "snapshots", json_integer(record->snapshot_count));
}

static json_t *json_counters(const struct volume_counters *counters)
{
    json_t *json = json_object();
    json_object_set_new(json, "reads", json_u64(counters->reads));
    json_object_set_new(json, "writes", json_u64(counters->writes));
    json_object_set_new(json, "zeroes", json_u64(counters->zeroes));
    json_object_set_new(json, "flushes", json_u64(counters->flushes));
    json_object_set_new(json, "errors", json_u64(counters->errors));
    json_object_set_new(json, "read_bytes", json_u64(counters->read_bytes));
    json_object_set_new(json, "written_bytes", json_u64(counters->written_bytes));
    return json;
}

json_t *answer_volume(const struct record *record)
{
    const struct config *config = record->volume ? volume_config(record->volume) : &record->config;
    struct repl_status status = {.state = REPL_OPENING, .since_ns = UINT64_MAX};
    if (record->volume)
        volume_status(record->volume, &status);
    json_t *json = json_object();
    uint64_t now_ns = loop_now_ns(record->control->loop);
    json_object_set_new(json, "name", json_text(config->name));
    json_object_set_new(json, "id", json_uuid(&config->volume));
    json_object_set_new(json, "state", json_string(record_state_name(record, &status)));
    json_object_set_new(json, "why", json_text(record_why(record, &status)));
    if (status.since_ns <= now_ns)
        json_object_set_new(json, "waits_ms", json_u64((now_ns - status.since_ns) / 1000000));
    json_object_set_new(json, "size_bytes", json_u64(config->size_bytes));
    json_object_set_new(json, "block_bytes", json_integer(config->block_bytes));
    json_object_set_new(json, "created_s", json_u64(config->created_s));
    json_object_set_new(json, "epoch", json_u64(config->epoch));
    json_object_set_new(json, "min_in_sync", json_integer(config->min_in_sync));
    json_object_set_new(json, "members", json_members(record));
    if (record->export && !record->export->gone) {
        answer_attach(json, record->control, config->name);
        json_object_set_new(json, "sessions", json_integer(record->export->session_count));
    }
    if (record->volume) {
        json_object_set_new(json, "counters", json_counters(volume_counters(record->volume)));
        json_object_set_new(json, "scrub", json_scrub(record));
        answer_description(json, record);
    }
    if (record->state == RECORD_DELETED && record->epitaph)
        json_object_set(json, "was", record->epitaph);
    return json;
}

void answer_record(struct http_request *request, unsigned status, const struct record *record)
{
    answer_json(request, status, answer_volume(record));
}

json_t *answer_records(const struct control *control, bool deleted)
{
    json_t *volumes = json_array();
    LIST_FOR_EACH (node, &control->records) {
        const struct record *record = CONTAINER_OF(node, struct record, node);
        if (deleted || record->state != RECORD_DELETED)
            json_array_append_new(volumes, answer_volume(record));
    }
    return json_pack("{s:o}", "volumes", volumes);
}

/* ---- the target ---- */

static json_t *json_replicas(const struct control *control)
{
    json_t *replicas = json_array();
    for (uint32_t i = 0; i < peers_count(control->peers); i++) {
        struct peer_status status;
        peer_status(peers_at(control->peers, i), &status);
        json_t *json = json_object();
        json_object_set_new(json, "address", json_text(status.address));
        json_object_set_new(json, "up", json_boolean(status.up));
        json_object_set_new(json, "why", json_text(status.why));
        bool known = !uuid_is_zero(&status.pool);
        json_object_set_new(json, "pool", known ? json_uuid(&status.pool) : json_null());
        json_object_set_new(json, "free_bytes", json_u64(status.free_bytes));
        json_object_set_new(json, "total_bytes", json_u64(status.total_bytes));
        json_array_append_new(replicas, json);
    }
    return replicas;
}

static json_t *json_listeners(const struct control *control, bool iscsi)
{
    json_t *listeners = json_array();
    const char *address;
    for (uint32_t i = 0; (address = front_address(control->front, iscsi, i)); i++)
        json_array_append_new(listeners, json_text(address));
    return listeners;
}

static json_t *json_events(const struct control *control)
{
    json_t *events = json_array();
    uint64_t count = control->event_count;
    uint64_t first = count > CONTROL_EVENTS_MAX ? count - CONTROL_EVENTS_MAX : 0;
    for (uint64_t i = first; i < count; i++) {
        const struct event *event = &control->events[i % CONTROL_EVENTS_MAX];
        json_t *json = json_object();
        json_object_set_new(json, "time_ms", json_u64(event->time_ms));
        json_object_set_new(json, "warn", json_boolean(event->warn));
        json_object_set_new(json, "subject", json_text(event->subject));
        json_object_set_new(json, "text", json_text(event->text));
        json_array_append_new(events, json);
    }
    return events;
}

/* How many volumes there are, and how many of them serve. */
static json_t *json_volume_counts(const struct control *control)
{
    uint32_t live = 0;
    uint32_t serving = 0;
    uint32_t deleted = 0;
    LIST_FOR_EACH (node, &control->records) {
        const struct record *record = CONTAINER_OF(node, struct record, node);
        struct repl_status status;
        live += record->state != RECORD_DELETED;
        deleted += record->state == RECORD_DELETED;
        if (record->state != RECORD_LIVE || !record->volume)
            continue;
        volume_status(record->volume, &status);
        serving += status.state == REPL_SERVING;
    }
    return json_pack("{s:i, s:i, s:i}", "total", (int)live, "serving", (int)serving, "deleted",
                     (int)deleted);
}

json_t *answer_status(const struct control *control)
{
    struct front_counters counters = front_counters(control->front);
    json_t *json = json_object();
    json_object_set_new(json, "version", json_string(STRAKE_VERSION));
    json_object_set_new(json, "process", json_uuid(&control->process));
    json_object_set_new(json, "pid", json_integer(getpid()));
    json_object_set_new(
        json, "uptime_s",
        json_u64((loop_now_ns(control->loop) - control->started_ns) / (uint64_t)1000000000));
    json_object_set_new(json, "listeners",
                        json_pack("{s:o, s:o}", "iscsi", json_listeners(control, true), "nbd",
                                  json_listeners(control, false)));
    json_object_set_new(json, "connections",
                        json_pack("{s:i, s:i}", "iscsi", (int)counters.iscsi_connections, "nbd",
                                  (int)counters.nbd_connections));
    json_object_set_new(json, "replicas", json_replicas(control));
    json_object_set_new(json, "volumes", json_volume_counts(control));
    json_object_set_new(json, "resync_limit_bytes_per_s",
                        json_u64(control->env.settings.resync_bytes_per_s));
    json_object_set_new(json, "events", json_events(control));
    return json;
}

/* ---- the clients ---- */

struct sessions_walk {
    json_t *sessions;
    uint64_t now_ns;
    uint64_t now_s; /* since 1970 */
};

static void session_append(void *arg, const struct front_session *session)
{
    static const uint64_t ns_per_s = 1000000000;
    struct sessions_walk *walk = arg;
    json_t *json = json_object();
    json_object_set_new(json, "id", json_u64(session->id));
    json_object_set_new(json, "protocol", json_text(session->protocol));
    json_object_set_new(json, "peer", json_text(session->peer));
    json_object_set_new(json, "client", json_text(session->who));
    json_object_set_new(json, "volume", json_text(session->export));
    json_object_set_new(json, "in_flight", json_integer(session->in_flight));
    json_object_set_new(json, "since_s",
                        json_u64(walk->now_s - (walk->now_ns - session->since_ns) / ns_per_s));
    json_array_append_new(walk->sessions, json);
}

json_t *answer_sessions(const struct control *control)
{
    struct sessions_walk walk = {.sessions = json_array(),
                                 .now_ns = loop_now_ns(control->loop),
                                 .now_s = (uint64_t)time(NULL)};
    front_sessions(control->front, session_append, &walk);
    return json_pack("{s:o}", "sessions", walk.sessions);
}
