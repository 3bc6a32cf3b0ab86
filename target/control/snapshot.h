/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Snapshots of a volume, and changes of its book, as the management room's files share them.
 *
 * A snapshot is a sealed generation and a row of the book, "snapshot/%016x" of its number:
 *
 *   {"name", "message", "labels": {...}, "created_s", "uuid", "size_bytes", "digest"?}
 *
 * Other rows: "owner" and "message" (text), "labels" (an object), "origin" (text, of a clone).
 *
 * Calls go down only: api_snapshot > {seal, relabel, diff, digest} > change > view > snapshot.
 */
#ifndef STRAKE_CONTROL_SNAPSHOT_H
#define STRAKE_CONTROL_SNAPSHOT_H

#include "target/control/answer.h"

#define SNAPSHOT_PREFIX "snapshot/"

enum {
    LABELS_MAX = 32,
    LABEL_KEY_BYTES_MAX = 63,
    LABEL_VALUE_BYTES_MAX = 255,
    MESSAGE_TEXT_BYTES_MAX = 4096,
    OWNER_BYTES_MAX = 255,
    SNAPSHOT_EXPORT_BYTES = 2 * VOLUME_NAME_BYTES,
};

struct snapshot {
    struct record *record;
    uint64_t generation;
    char name[VOLUME_NAME_BYTES];
    struct uuid uuid; /* of its own, as a disk that clients see */
    uint64_t size_bytes;
    json_t *row;           /* owned: its value */
    struct export *export; /* of the front; NULL: no client asked for it lately */
    bool hiding;           /* front_export_remove was called and is not done */
    bool idle;             /* nobody used the export when it was last looked at */
    bool leaving;          /* not shown any more: it is being deleted */
    bool gone;             /* its row is: goes as soon as the export has */
    struct list node;      /* in record.snapshots, by generation */
};

/* snapshot.c */
void snapshot_key(uint64_t generation, char key[BOOK_KEY_BYTES]);
/* By name, or "sha256:..."; NULL: there is none. */
struct snapshot *snapshot_find(struct record *record, const char *name, size_t length);
/* The book was read; the row of this key was changed. */
void snapshots_load(struct record *record); /* marks those that are not there any more as gone */
void snapshot_row_changed(struct record *record, const char *key);
/* All of them, their exports being gone. */
void snapshots_drop(struct record *record);
void snapshot_drop(struct snapshot *snapshot);
json_t *snapshot_json(const struct snapshot *snapshot, bool attach);
/* The functions of struct export_snapshots. */
uint64_t snapshot_generation(void *record, const char *name, size_t length);
void snapshot_names(void *record, void (*each)(void *arg, const char *name), void *arg);
/* True when it has every "KEY=VALUE" of the array. */
bool snapshot_labelled(const struct snapshot *snapshot, const json_t *labels);

/* label.c */
/*
 * Sets and removes (null) in `labels` what `changes` says. False, and *why in words, when that is
 * not allowed.
 */
MUST_USE bool labels_change(json_t *labels, json_t *changes, const char **why);
/* NULL, or why it cannot be one. */
const char *text_invalid(const json_t *text, size_t bytes_max);

/* view.c: clients read a snapshot as an export of its own, made when one asks for it by name. */
/* The hook of struct exports. */
struct export *view_wanted(void *control, const char *name, size_t length);
/* Takes it from the clients; then `export` is NULL, and the record's turn comes. */
void view_hide(struct snapshot *snapshot);
/* Snapshots that are gone go, at once or when their export has; those to be listed are shown. */
void views_show(struct record *record);
/* The volume and all its snapshots are taken from the clients; then control's `reap` runs. */
void record_conceal(struct record *record);
/* No client can have a request in the volume any more, and nobody else has. */
bool record_concealed(const struct record *record);
uint32_t views_sessions(const struct record *record);
/* Who uses the export, for people: "nbd 10.0.0.1:40000 (iqn...), 2 more". */
void view_users(const struct control *control, const char *export_name, char *text, size_t size);
void view_tick(struct loop_timer *timer);

/* change.c: changes of a volume's book, one after another. */
enum change_next {
    CHANGE_COMMAND, /* `command` is to be carried out */
    CHANGE_WAIT,    /* asked again at the record's next turn */
    CHANGE_OVER,    /* the request is answered */
};

struct change {
    struct record *record;
    struct http_request *request; /* NULL: answered, or nobody asked */
    char who[HTTP_WHO_BYTES];     /* asked; "": unknown */
    /* Its turn has come: what is to be done? Called again after each command that was done. */
    enum change_next (*step)(struct change *change);
    /* A command failed, or the volume goes away. May be NULL. */
    void (*failed)(struct change *change);
    uint32_t steps; /* commands done so far */
    struct volume_command command;
    bool commanded; /* it is under way */
    char *value;    /* owned: of the row that goes with it */
    char name[VOLUME_NAME_BYTES];
    json_t *fields; /* owned: what the request says, an object */
    uint64_t generation;
    struct loop_timer timer;
    struct list node; /* in record.changes, in their order */
};

/* Takes the request and `fields` over; answers when there is no memory. */
void change_add(struct record *record, struct http_request *request, const char *name,
                json_t *fields, enum change_next (*step)(struct change *change),
                void (*failed)(struct change *change));
/* The command, and the row (NULL: none; an empty object: removed) that goes with it. */
enum change_next change_command(struct change *change, enum command_kind kind, const char *key,
                                const json_t *row);
enum change_next change_text(struct change *change, const char *key, const char *text);
enum change_next change_refuse(struct change *change, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Goes on with the record's changes; the run of record.turn. */
void changes_turn(struct loop_task *turn);
/* The volume goes away: what is left is answered so. */
void changes_abort(struct record *record);
/* The volume stopped, or was fenced, if it was open at all: closes it, with all that hangs on it.
 */
void record_end(struct record *record);

/* describe.c: rows "owner", "message", "labels" and "origin"; takes `fields` over. */
void volume_describe(struct record *record, struct http_request *request, json_t *fields);

/* grow.c: to "size_bytes"; takes `fields` over. */
void volume_enlarge(struct record *record, struct http_request *request, json_t *fields);

/* api_snapshot.c: PATCH of a volume; and what is below it. */
void api_volume_change(struct record *record, struct http_request *request);
void api_volume_rest(struct record *record, struct http_request *request, const char *rest);

/* seal.c: steps of struct change. */
void snapshot_create(struct record *record, struct http_request *request, json_t *fields);
void snapshot_label(struct record *record, struct http_request *request, const char *name,
                    json_t *fields);
void snapshot_delete(struct record *record, struct http_request *request, const char *name);
void snapshot_revert(struct record *record, struct http_request *request, const char *name,
                     json_t *fields);

#endif
