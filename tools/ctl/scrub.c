/* SPDX-License-Identifier: Apache-2.0 */
/* `strake volume scrub`. */
#include "tools/ctl/ctl.h"

#include <stdio.h>
#include <time.h>

enum { SCRUB_WAIT };
enum { SCRUB_STEP_MS = 200 };

static void print_found(const json_t *scrub)
{
    char size[CTL_SIZE_TEXT_BYTES];
    unsigned long long found = json_u64_of(scrub, "found");
    size_format(json_u64_of(scrub, "done_bytes"), size);
    printf("%s, %llu damaged, %llu not repaired\n", size, found,
           (unsigned long long)json_u64_of(scrub, "unrepaired"));
}

void print_scrub(const json_t *scrub)
{
    const json_t *now = json_object_get(scrub, "now");
    if (now) {
        print_time("scrub:     since ", json_u64_of(now, "began_s"));
        printf(", so far ");
        print_found(now);
    }
    if (json_object_get(scrub, "ended_s")) {
        print_time("scrubbed:  ", json_u64_of(scrub, "ended_s"));
        printf(", ");
        print_found(scrub);
    }
    if (json_object_get(scrub, "due_s") && !now) {
        print_time("scrub due: ", json_u64_of(scrub, "due_s"));
        printf("\n");
    }
}

static int scrub_wait(const struct ctl *ctl, const char *path, json_t **scrub)
{
    const struct timespec step = {.tv_nsec = SCRUB_STEP_MS * 1000 * 1000};
    uint64_t began_s = json_u64_of(json_object_get(*scrub, "now"), "began_s");
    while (json_flag_of(*scrub, "running")) {
        nanosleep(&step, NULL);
        json_t *again = NULL;
        int status = ask(ctl, "GET", path, NULL, &again);
        if (status)
            return status;
        json_decref(*scrub);
        *scrub = again;
    }
    if (json_u64_of(*scrub, "ended_s") < began_s)
        return ctl_say(CTL_FAILED, "volume %s: the scrub was given up", ctl->args[0]);
    return CTL_OK;
}

int volume_scrub_run(struct ctl *ctl)
{
    char path[CTL_URL_BYTES];
    json_t *scrub = NULL;
    json_t *body = json_object();
    int status = path_volume(path, ctl->args[0], "/scrub");
    if (!status)
        status = ask(ctl, "POST", path, body, &scrub);
    json_decref(body);
    if (!status && ctl->options[SCRUB_WAIT])
        status = scrub_wait(ctl, path, &scrub);
    if (!status && ctl->json)
        print_json(scrub);
    else if (!status)
        print_scrub(scrub);
    if (!status && ctl->options[SCRUB_WAIT] && json_u64_of(scrub, "unrepaired") > 0)
        status =
            ctl_say(CTL_FAILED, "volume %s: there is damage that was not repaired", ctl->args[0]);
    json_decref(scrub);
    return status;
}
