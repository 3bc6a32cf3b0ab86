/* SPDX-License-Identifier: Apache-2.0 */
/* `strake volume scrub`. */
#include "tools/ctl/ctl.h"

#include <stdio.h>
#include <time.h>

enum { SCRUB_WAIT };
enum { SCRUB_STEP_MS = 200 };

void print_scrub(const json_t *scrub)
{
    char size[CTL_SIZE_TEXT_BYTES];
    bool running = json_flag_of(scrub, "running");
    unsigned long long found = json_u64_of(scrub, "found");
    size_format(json_u64_of(scrub, "done_bytes"), size);
    if (running)
        printf("scrub:     %s so far", size);
    else if (json_object_get(scrub, "ended_s"))
        print_time("scrubbed:  ", json_u64_of(scrub, "ended_s"));
    else
        return;
    if (!running)
        printf(", %s", size);
    printf(", %llu damaged, %llu not repaired\n", found,
           (unsigned long long)json_u64_of(scrub, "unrepaired"));
}

static int scrub_wait(const struct ctl *ctl, const char *path, json_t **scrub)
{
    const struct timespec step = {.tv_nsec = SCRUB_STEP_MS * 1000 * 1000};
    while (json_flag_of(*scrub, "running")) {
        nanosleep(&step, NULL);
        json_t *again = NULL;
        int status = ask(ctl, "GET", path, NULL, &again);
        if (status)
            return status;
        json_decref(*scrub);
        *scrub = again;
    }
    if (!json_object_get(*scrub, "ended_s"))
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
    if (!status && json_u64_of(scrub, "unrepaired") > 0)
        status =
            ctl_say(CTL_FAILED, "volume %s: there is damage that was not repaired", ctl->args[0]);
    json_decref(scrub);
    return status;
}
