/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line's door: one table of commands, and what they share. A command asks the target's
 * management API and prints the answer, for people or (--json) as it came.
 */
#ifndef STRAKE_CTL_CTL_H
#define STRAKE_CTL_CTL_H

#include "common/base/assert.h"
#include "common/base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Exit statuses. */
enum {
    CTL_OK = 0,
    CTL_FAILED = 1,      /* the target refused; it said why */
    CTL_USAGE = 2,       /* the command line makes no sense */
    CTL_UNREACHABLE = 3, /* no target answers at the control socket */
};

enum {
    CTL_ARGS_MAX = 2,
    CTL_OPTIONS_MAX = 8,
    CTL_MANY_MAX = 32, /* values of what may be given several times */
    CTL_PATH_BYTES = 256,
    CTL_URL_BYTES = 1024,
    CTL_SIZE_TEXT_BYTES = 32,
};

struct ctl_option {
    const char *name;  /* without the dashes; NULL ends the list */
    const char *value; /* what it takes, for people; NULL: nothing */
    char letter;       /* "-m" is the same; 0: there is none */
    bool many;         /* may be given several times: ctl.many; one option of a command at most */
};

struct ctl_many {
    const char *list[CTL_MANY_MAX];
    uint32_t count;
};

/* What was given to a command. */
struct ctl {
    char control[CTL_PATH_BYTES]; /* path of the target's socket */
    bool json;
    const char *args[CTL_ARGS_MAX];
    const char *options[CTL_OPTIONS_MAX]; /* by index in the command's table; NULL: not given */
    struct ctl_many many;                 /* of the option that may be given several times */
    struct ctl_many rest;                 /* of the last argument, where it may be */
};

struct ctl_command {
    const char *name; /* one word or two */
    const char *args[CTL_ARGS_MAX];
    uint32_t args_optional; /* how many of the last may be left out */
    bool args_many;         /* the last one may be given several times: ctl.rest */
    struct ctl_option options[CTL_OPTIONS_MAX + 1];
    const char *summary;
    const char *help;
    int (*run)(struct ctl *ctl);
};

extern const struct ctl_command ctl_commands[];
extern const uint32_t ctl_command_count;

/* Runs a command line; returns the exit status. */
int ctl_main(int argc, char *const argv[]);
/* Says "strake: TEXT" on standard error. Returns `status`. */
int ctl_say(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* size.c */
/* "10G", "512MiB", "4096". 0, or -1 with the reason. */
MUST_USE int size_parse(const char *text, uint64_t *bytes, struct error *error);
/* "10 GiB", "1.5 TiB", "4096 bytes". */
void size_format(uint64_t bytes, char text[CTL_SIZE_TEXT_BYTES]);

/* ask.c */
/*
 * Asks the API. CTL_OK and the answer's JSON (the caller's); else it was said why, and this is the
 * exit status.
 */
MUST_USE int ask(const struct ctl *ctl, const char *method, const char *path, const json_t *body,
                 json_t **answer);

/* path.c */
/*
 * "/v1/volumes/VOLUME" and "/snapshots/NAME" of "VOLUME@NAME", or of a mere volume, and `tail`.
 * CTL_OK, or it was said why: also of names that as part of a path would mean something else.
 */
MUST_USE int path_volume(char path[CTL_URL_BYTES], const char *volume, const char *tail);
MUST_USE int path_snapshot(char path[CTL_URL_BYTES], const char *snapshot, const char *tail);
/* "/v1/volumes/VOLUME/members" and "/MEMBER", unless that is NULL. */
MUST_USE int path_member(char path[CTL_URL_BYTES], const char *volume, const char *member);
/* Appends "?KEY=VALUE", or "&KEY=VALUE" to what has a query. */
MUST_USE int path_query(char path[CTL_URL_BYTES], const char *key, const char *value);

/* label.c */
/*
 * The fields of what was given: "KEY=VALUE" sets a label, "KEY-" removes one (null). CTL_OK, or it
 * was said why.
 */
MUST_USE int labels_put(json_t *body, const struct ctl_many *many);
/* A text field, when `text` is given. */
MUST_USE int text_put(json_t *body, const char *key, const char *text);

/* print.c: answers for people. */
void print_json(const json_t *json);
void print_status(const json_t *status);
void print_events(const json_t *status);
void print_volumes(const json_t *volumes);
void print_volume(const json_t *volume);
/* The members of a volume, or of an answer about them. */
void print_members(const json_t *members);
/* Fields of an answer; "" and 0 when they are not there. */
const char *json_text_of(const json_t *object, const char *key);
uint64_t json_u64_of(const json_t *object, const char *key);
bool json_flag_of(const json_t *object, const char *key);
/* "LABEL2026-11-22 16:00:00 UTC", "LABELa, b\n" */
void print_time(const char *label, uint64_t seconds);
void print_texts(const char *label, const json_t *texts);
void print_sessions(const json_t *sessions);

/* attach.c */
int attach_run(struct ctl *ctl);
int detach_run(struct ctl *ctl);

/* print_snapshot.c */
void print_snapshots(const json_t *snapshots);
void print_snapshot(const json_t *snapshot);
void print_digest(const json_t *digest);
void print_ranges(const json_t *ranges);
/* "owner:", "labels:" and "message:" of a volume or a snapshot, where it has them. */
void print_description(const json_t *object);
void print_space(const json_t *space);

/* snapshot.c */
int snapshot_create_run(struct ctl *ctl);
int snapshot_list_run(struct ctl *ctl);
int snapshot_show_run(struct ctl *ctl);
int snapshot_label_run(struct ctl *ctl);
int snapshot_delete_run(struct ctl *ctl);
int snapshot_revert_run(struct ctl *ctl);
int snapshot_diff_run(struct ctl *ctl);
int snapshot_digest_run(struct ctl *ctl);
int snapshot_verify_run(struct ctl *ctl);

/* session.c */
int session_list_run(struct ctl *ctl);
int session_drop_run(struct ctl *ctl);

/* member.c */
int member_list_run(struct ctl *ctl);
int member_add_run(struct ctl *ctl);
int member_remove_run(struct ctl *ctl);
int member_replace_run(struct ctl *ctl);

/* volume.c */
/* A count given as an option: a whole number, small. CTL_OK, or it was said why not. */
MUST_USE int count_of(const char *option, const char *text, json_int_t *count);
int volume_create_run(struct ctl *ctl);
int volume_list_run(struct ctl *ctl);
int volume_show_run(struct ctl *ctl);
int volume_delete_run(struct ctl *ctl);
int volume_clone_run(struct ctl *ctl);
int volume_label_run(struct ctl *ctl);
int volume_grow_run(struct ctl *ctl);
int volume_limit_run(struct ctl *ctl);

/* scrub.c */
int volume_scrub_run(struct ctl *ctl);
void print_scrub(const json_t *scrub);

#endif
