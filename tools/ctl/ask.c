/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the target: HTTP over its control socket, by libcurl. */
#include "tools/ctl/ctl.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ASK_ANSWER_BYTES_MAX = 64 << 20,
    ASK_CONNECT_S = 5,
    ASK_ANSWER_S = 60, /* making and deleting volumes wait for replicas */
};

struct text {
    char *bytes; /* owned */
    size_t length;
};

static size_t on_answer(char *bytes, size_t size, size_t count, void *arg)
{
    struct text *text = arg;
    size_t length = size * count;
    if (text->length + length > ASK_ANSWER_BYTES_MAX)
        return 0;
    char *grown = realloc(text->bytes, text->length + length);
    if (!grown)
        return 0;
    memcpy(grown + text->length, bytes, length);
    text->bytes = grown;
    text->length += length;
    return length;
}

static int ask_failed(const struct ctl *ctl, CURL *curl, CURLcode code, const char *detail)
{
    long errnum = 0;
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &errnum);
    if (code == CURLE_COULDNT_CONNECT)
        return ctl_say(CTL_UNREACHABLE, "control socket %s: %s (is strake-target running?)",
                       ctl->control, errnum ? strerror((int)errnum) : "no connection");
    if (code == CURLE_OPERATION_TIMEDOUT)
        return ctl_say(CTL_UNREACHABLE, "control socket %s: the target does not answer",
                       ctl->control);
    return ctl_say(CTL_UNREACHABLE, "control socket %s: %s", ctl->control,
                   detail[0] ? detail : curl_easy_strerror(code));
}

/* The answer's JSON, or what it says against us. */
static int ask_judge(const struct ctl *ctl, long status, const struct text *text, json_t **answer)
{
    json_error_t why;
    json_t *json = json_loadb(text->length ? text->bytes : "", text->length, 0, &why);
    if (!json)
        return ctl_say(CTL_UNREACHABLE, "control socket %s: what answers is no strake-target",
                       ctl->control);
    if (status >= 200 && status < 300) {
        *answer = json;
        return CTL_OK;
    }
    const char *error = json_text_of(json, "error");
    int result = ctl_say(CTL_FAILED, "%s", error[0] ? error : "the target refused");
    json_decref(json);
    return result;
}

static void ask_options(const struct ctl *ctl, CURL *curl, const char *method, const char *url,
                        struct text *text, char *detail)
{
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, ctl->control);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)ASK_CONNECT_S);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)ASK_ANSWER_S);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, text);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
}

int ask(const struct ctl *ctl, const char *method, const char *path, const json_t *body,
        json_t **answer)
{
    char url[1024];
    char detail[CURL_ERROR_SIZE] = "";
    struct text text = {NULL, 0};
    CURL *curl = curl_easy_init();
    char *sent = body ? json_dumps(body, JSON_COMPACT) : NULL;
    if (!curl || (body && !sent)) {
        curl_easy_cleanup(curl);
        free(sent);
        return ctl_say(CTL_FAILED, "out of memory");
    }
    snprintf(url, sizeof(url), "http://strake%s", path);
    ask_options(ctl, curl, method, url, &text, detail);
    if (sent)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, sent);
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    int result = code == CURLE_OK ? ask_judge(ctl, status, &text, answer)
                                  : ask_failed(ctl, curl, code, detail);
    curl_easy_cleanup(curl);
    free(sent);
    free(text.bytes);
    return result;
}
