/* SPDX-License-Identifier: Apache-2.0 */
/* The commands on clients' connections. */
#include "tools/ctl/ctl.h"

#include <stdio.h>
#include <string.h>

int session_list_run(struct ctl *ctl)
{
    json_t *sessions = NULL;
    int status = ask(ctl, "GET", "/v1/sessions", NULL, &sessions);
    if (status)
        return status;
    if (ctl->json)
        print_json(sessions);
    else
        print_sessions(sessions);
    json_decref(sessions);
    return CTL_OK;
}

int session_drop_run(struct ctl *ctl)
{
    const char *id = ctl->args[0];
    char path[64];
    json_t *answer = NULL;
    if (!id[0] || strlen(id) > 20 || strspn(id, "0123456789") != strlen(id))
        return ctl_say(CTL_USAGE, "session \"%s\": not a number (see: strake session list)", id);
    snprintf(path, sizeof(path), "/v1/sessions/%s", id);
    int status = ask(ctl, "DELETE", path, NULL, &answer);
    if (status)
        return status;
    if (ctl->json)
        print_json(answer);
    else
        printf("session %s: dropped\n", id);
    json_decref(answer);
    return CTL_OK;
}
