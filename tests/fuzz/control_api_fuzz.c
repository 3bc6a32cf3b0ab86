/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The management API behind HTTP: a script of requests and of what happens meanwhile, a line each,
 * to the room between fakes of replicas, volumes, front and HTTP. "POST PATH?QUERY BODY" asks; a
 * small letter is an event (see happen). Every request is answered once, with JSON, at the latest
 * when the room stops.
 */
#include "common/base/log.h"
#include "tests/unit/target/control/snapshots.h"

#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { LINE_BYTES = 1024, LINES_MAX = 64 };

static bool asked;

/* The fakes' checks without Check, which knows them only within its tests. */
void _mark_point(const char *file, int line)
{
    (void)file, (void)line;
}

void _ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...)
{
    fprintf(stderr, "%s:%d: %s %s\n", file, line, expr, msg ? msg : "");
    abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    log_init("fuzz", LOG_LEVEL_WARN);
    return 0;
}

/* What waits at volumes and in the front ends so. */
static void volumes_end(int status)
{
    LIST_FOR_EACH (node, &control->records) {
        struct volume *volume = CONTAINER_OF(node, struct record, node)->volume;
        if (volume && volume->command)
            command_ends(volume, status);
        if (volume && volume->req) {
            struct block_req *req = volume->req;
            volume->req = NULL;
            req->status = status;
            req->done(req);
        }
    }
    questions_end(status, status ? DIGEST_BAD : DIGEST_KNOWN, 7);
    if (removing)
        export_goes();
}

static void volumes_stop(void)
{
    LIST_FOR_EACH_SAFE (node, &control->records) {
        struct volume *volume = CONTAINER_OF(node, struct record, node)->volume;
        if (!volume || !volume->stopped)
            continue;
        void (*stopped_by)(void *arg) = volume->stopped;
        volume->stopped = NULL;
        stopped_by(volume->stopped_arg);
    }
}

/* The target's own volumes hear of a configuration, one member less or more or as large as asked.
 */
static void configs_come(void)
{
    LIST_FOR_EACH_SAFE (node, &control->records) {
        struct volume *volume = CONTAINER_OF(node, struct record, node)->volume;
        if (!volume)
            continue;
        struct config config = volume->config;
        config.version++;
        if (grow_asked > config.size_bytes)
            config.size_bytes = grow_asked;
        grow_waits = false;
        config_comes(volume, &config);
    }
}

static void books_come(void)
{
    LIST_FOR_EACH_SAFE (node, &control->records) {
        struct volume *volume = CONTAINER_OF(node, struct record, node)->volume;
        if (volume && !volume->book_known)
            book_comes(volume);
    }
}

static void happen(char event)
{
    uint32_t idx = (uint32_t)event % PEERS;
    if (event == 'o' || event == 'n')
        all_answer(event == 'o' ? FRAME_OK : FRAME_FAILED);
    else if (event == 'c' || event == 'e')
        volumes_end(event == 'c' ? 0 : -EIO);
    else if (event == 's')
        volumes_stop();
    else if (event == 'g')
        configs_come();
    else if (event == 'b')
        books_come();
    else if (event == 'r')
        change_why = change_why ? NULL : "no change now";
    else if (event >= '0' && event <= '9' && peer_list[idx].up)
        peer_goes(idx);
    else if (event >= '0' && event <= '9')
        peer_comes(idx);
    turns(1);
}

static void settle(void)
{
    static const char events_in_turn[] = "ocsgb";
    for (int i = 0; i < 3; i++) {
        for (const char *event = events_in_turn; *event; event++)
            happen(*event);
    }
}

static void say(char *line)
{
    static const char *const methods[] = {
        [HTTP_GET] = "GET", [HTTP_POST] = "POST", [HTTP_DELETE] = "DELETE", [HTTP_PATCH] = "PATCH"};
    char *path = strchr(line, ' ');
    if (!path || strlen(line) < 3) {
        happen(line[0]);
        return;
    }
    *path++ = '\0';
    char *body = strchr(path, ' ');
    if (body)
        *body++ = '\0';
    char *query = strchr(path, '?');
    if (query)
        *query++ = '\0';
    enum http_method method = HTTP_GET;
    while (method < HTTP_OTHER && strcmp(line, methods[method]) != 0)
        method++;
    if (strlen(path) >= HTTP_PATH_BYTES || (query && strlen(query) >= HTTP_QUERY_BYTES))
        return;
    if (asked && answer_code == 0)
        settle();
    if (asked && answer_code == 0)
        return;
    asked = true;
    ask(method, path, query ? query : "", body ? body : "");
}

static void begin(void)
{
    removing = NULL;
    call_count = question_count = changes_asked = exports_held = 0;
    change_why = NULL;
    grow_asked = 0;
    grow_waits = session_dropped = asked = false;
    volume_last = NULL;
    setup();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char line[LINE_BYTES];
    begin();
    for (size_t at = 0, lines = 0; at < size && lines < LINES_MAX; lines++) {
        size_t length = 0;
        for (; at < size && data[at] != '\n' && length + 1 < sizeof(line); at++)
            line[length++] = (char)data[at];
        line[length] = '\0';
        at++;
        say(line);
    }
    settle();
    teardown();
    ASSERT(!asked || answer_code >= 200);
    answer = NULL;
    return 0;
}
