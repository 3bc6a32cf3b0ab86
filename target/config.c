/* SPDX-License-Identifier: Apache-2.0 */
/* The target's settings: one table for the command line, the file and the help. */
#include "target/config.h"

#include "common/net/address.h"
#include "target/front/export/export.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum setting_kind { SETTING_TEXT, SETTING_LIST, SETTING_NUMBER, SETTING_FLAG, SETTING_FILE };

static const struct setting {
    const char *name;
    const char *value; /* what it takes, for people; NULL: nothing */
    enum setting_kind kind;
    size_t offset; /* in struct target_config */
    uint64_t min, max;
    const char *help;
} settings[] = {
    {"replica", "ADDR:PORT", SETTING_LIST, offsetof(struct target_config, replicas), 0, 0,
     "a replica process to keep volumes on; repeat it for each; NAME@ADDR:PORT: with TLS, only\n"
     "                         if its certificate names it so"},
    {"pool", "DIR", SETTING_TEXT, offsetof(struct target_config, pool), 0, 0,
     "keep volumes in DIR by this process itself, without a replica process"},
    {"engine", "NAME", SETTING_TEXT, offsetof(struct target_config, engine), 0, 0,
     "disk engine of --pool: auto (the default), io_uring or threads"},
    {"iscsi", "ADDR:PORT", SETTING_LIST, offsetof(struct target_config, iscsi), 0, 0,
     "speak iSCSI here (default 127.0.0.1:3260); repeatable; none: nowhere; port 0: any"},
    {"nbd", "ADDR:PORT", SETTING_LIST, offsetof(struct target_config, nbd), 0, 0,
     "speak NBD here (default 127.0.0.1:10809), or at unix:PATH; repeatable; none: nowhere"},
    {"control", "PATH", SETTING_TEXT, offsetof(struct target_config, control), 0, 0,
     "socket of the management API (default $XDG_RUNTIME_DIR/strake/target.sock)"},
    {"iqn-prefix", "IQN", SETTING_TEXT, offsetof(struct target_config, iqn_prefix), 0, 0,
     "iSCSI names are this, a colon and the volume's name"},
    {"portal", "ADDR:PORT", SETTING_LIST, offsetof(struct target_config, portals), 0, 0,
     "address told to initiators instead of that of --iscsi; repeat it for each, in order"},
    {"volumes", "NAMES", SETTING_TEXT, offsetof(struct target_config, volumes), 0, 0,
     "serve only these: names with * and ?, by commas (default *); others belong to other targets"},
    {"share", "I/N", SETTING_TEXT, offsetof(struct target_config, share), 0, 0,
     "serve the I-th of N shares of all volumes: N targets, one for each core, divide them"},
    {"list-snapshots", NULL, SETTING_FLAG, offsetof(struct target_config, list_snapshots), 0, 0,
     "show all snapshots in discovery too; without, clients ask for one by its name"},
    {"access", "FILE", SETTING_TEXT, offsetof(struct target_config, access), 0, 0,
     "who may use which volume (see below); read again when it changes, or on SIGHUP"},
    {"insecure", NULL, SETTING_FLAG, offsetof(struct target_config, insecure), 0, 0,
     "serve clients beyond this machine without access rules or TLS"},
    {"tls-dir", "DIR", SETTING_TEXT, offsetof(struct target_config, tls_dir), 0, 0,
     "speak to replicas within TLS only, with the files of DIR (see below)"},
    {"nbd-tls", "MODE", SETTING_TEXT, offsetof(struct target_config, nbd_tls), 0, 0,
     "TLS of NBD clients: off (the default), on (who asks for it) or require"},
    {"nbd-tls-dir", "DIR", SETTING_TEXT, offsetof(struct target_config, nbd_tls_dir), 0, 0,
     "files of --nbd-tls, if others than those of --tls-dir"},
    {"slow", "MS", SETTING_NUMBER, offsetof(struct target_config, slow_ms), 1, 600000,
     "the longest that a replica may take over an operation before it is left behind"},
    {"grace", "MS", SETTING_NUMBER, offsetof(struct target_config, grace_ms), 1, 600000,
     "how long a lost replica is waited for before it is left behind"},
    {"io-timeout", "MS", SETTING_NUMBER, offsetof(struct target_config, io_timeout_ms), 1, 86400000,
     "answer with an error what waited this long for replicas; without: wait"},
    {"fail-when-full", NULL, SETTING_FLAG, offsetof(struct target_config, fail_when_full), 0, 0,
     "answer writes for which too few replicas have space with an error; without: they wait"},
    {"resync-limit", "MIB", SETTING_NUMBER, offsetof(struct target_config, resync_mib_s), 1,
     1 << 20,
     "copy and scrub at no more than this many MiB a second, all volumes together, while\n"
     "                         clients are at work (default 256); at an eighth of it or 16,\n"
     "                         at more while writes take less than twice as long as without"},
    {"scrub-every", "TIME", SETTING_TEXT, offsetof(struct target_config, scrub_every), 0, 0,
     "read and compare each volume at its replicas once in so long: 7d (the default), 12h, 30m\n"
     "                         or 45s; 0: only when somebody asks"},
    {"replace-after", "S", SETTING_NUMBER, offsetof(struct target_config, replace_after_s), 1,
     31536000,
     "replace a replica that is away for so many seconds by one elsewhere (default: never)"},
    {"no-heal", NULL, SETTING_FLAG, offsetof(struct target_config, no_heal), 0, 0,
     "a replica that lost its data (a new pool) is not filled again by itself"},
    {"memory", "MIB", SETTING_NUMBER, offsetof(struct target_config, memory_mib), 16, 1 << 20,
     "for requests on their way, MiB (default 256)"},
    {"connections", "N", SETTING_NUMBER, offsetof(struct target_config, connections), 1, 10000,
     "clients at once (default 256)"},
    {"requests", "N", SETTING_NUMBER, offsetof(struct target_config, requests), 16, 65536,
     "requests at once of each protocol, all clients together (default 2048)"},
    {"no-busy-poll", NULL, SETTING_FLAG, offsetof(struct target_config, no_busy_poll), 0, 0,
     "sleep at once when there is nothing to do; without: look for up to 100 us for the next\n"
     "                         request, as long as that pays"},
    {"user", "NAME", SETTING_TEXT, offsetof(struct target_config, user), 0, 0,
     "become this user once the sockets are open (start as root); it must own the pool"},
    {"no-seccomp", NULL, SETTING_FLAG, offsetof(struct target_config, no_seccomp), 0, 0,
     "do without the kernel's filter of system calls"},
    {"config", "FILE", SETTING_FILE, 0, 0, 0,
     "read settings from FILE, lines of NAME = VALUE; options here win"},
    {"debug", NULL, SETTING_FLAG, offsetof(struct target_config, debug), 0, 0,
     "log more: connections that come and go"},
    {"help", NULL, SETTING_FLAG, offsetof(struct target_config, help), 0, 0, "print this"},
    {"version", NULL, SETTING_FLAG, offsetof(struct target_config, version), 0, 0,
     "print the version"},
};

static const struct setting *setting_find(const char *name, size_t length)
{
    for (size_t i = 0; i < ARRAY_COUNT(settings); i++) {
        if (strlen(settings[i].name) == length && memcmp(settings[i].name, name, length) == 0)
            return &settings[i];
    }
    return NULL;
}

static int text_set(char text[CONFIG_TEXT_BYTES], const char *name, const char *value,
                    struct error *error)
{
    if (!value[0])
        return error_set(error, "%s: the value is empty", name);
    if (strlen(value) >= CONFIG_TEXT_BYTES)
        return error_set(error, "%s: longer than %d characters", name, CONFIG_TEXT_BYTES - 1);
    memcpy(text, value, strlen(value) + 1);
    return 0;
}

static int list_add(struct config_list *list, const char *name, const char *value,
                    struct error *error)
{
    if (list->count == CONFIG_LIST_MAX)
        return error_set(error, "%s: more than %d of them", name, CONFIG_LIST_MAX);
    if (text_set(list->items[list->count], name, value, error))
        return -1;
    list->count++;
    return 0;
}

static int number_set(uint64_t *number, const struct setting *setting, const char *value,
                      struct error *error)
{
    char *end = NULL;
    bool digits = value[0] && strspn(value, "0123456789") == strlen(value);
    errno = 0;
    unsigned long long parsed = digits ? strtoull(value, &end, 10) : 0;
    if (!digits || errno)
        return error_set(error, "%s: \"%s\" is not a number", setting->name, value);
    if (parsed < setting->min || parsed > setting->max)
        return error_set(error, "%s: %s is not within %llu and %llu", setting->name, value,
                         (unsigned long long)setting->min, (unsigned long long)setting->max);
    *number = parsed;
    return 0;
}

static int flag_set(bool *flag, const char *name, const char *value, struct error *error)
{
    *flag = strcmp(value, "yes") == 0;
    if (!*flag && strcmp(value, "no") != 0)
        return error_set(error, "%s: \"%s\" is neither yes nor no", name, value);
    return 0;
}

static int setting_apply(struct target_config *config, const struct setting *setting,
                         const char *value, struct error *error)
{
    void *field = (char *)config + setting->offset;
    switch (setting->kind) {
    case SETTING_TEXT:
        return text_set(field, setting->name, value, error);
    case SETTING_LIST:
        return list_add(field, setting->name, value, error);
    case SETTING_NUMBER:
        return number_set(field, setting, value, error);
    case SETTING_FLAG:
        return flag_set(field, setting->name, value, error);
    case SETTING_FILE:
        return error_set(error, "%s: only on the command line", setting->name);
    }
    UNREACHABLE();
}

int config_set(struct target_config *config, const char *name, const char *value,
               struct error *error)
{
    const struct setting *setting = setting_find(name, strlen(name));
    if (!setting)
        return error_set(error, "%s: there is no such setting", name);
    return setting_apply(config, setting, value, error);
}

/* ---- the file ---- */

/* The text without blanks at both ends. */
static char *trim(char *text)
{
    text += strspn(text, " \t\r");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \t\r", text[length - 1]))
        text[--length] = '\0';
    return text;
}

int config_read(struct target_config *config, const char *path, char *text, struct error *error)
{
    int number = 0;
    while (text) {
        char *line = strsep(&text, "\n");
        number++;
        line = trim(line);
        if (!line[0] || line[0] == '#')
            continue;
        char *equals = strchr(line, '=');
        if (!equals)
            return error_set(error, "%s:%d: not NAME = VALUE", path, number);
        *equals = '\0';
        if (config_set(config, trim(line), trim(equals + 1), error))
            return error_prefix(error, "%s:%d", path, number);
    }
    return 0;
}

static int config_file(struct target_config *config, const char *path, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, errno, "config %s", path);
    char *text = malloc(CONFIG_FILE_BYTES_MAX + 1);
    ASSERT(text);
    ssize_t length = 0;
    ssize_t got;
    while ((got = read(fd, text + length, CONFIG_FILE_BYTES_MAX + 1 - (size_t)length)) > 0)
        length += got;
    int status = 0;
    if (got < 0)
        status = error_set_errno(error, errno, "config %s", path);
    else if (length > CONFIG_FILE_BYTES_MAX)
        status = error_set(error, "config %s: longer than 64 KiB", path);
    else if (memchr(text, '\0', (size_t)length))
        status = error_set(error, "config %s: not a text file", path);
    close(fd);
    text[status ? 0 : length] = '\0';
    if (!status)
        status = config_read(config, path, text, error);
    free(text);
    return status;
}

/* ---- the command line ---- */

/*
 * The option at argv[*idx], "--name value" or "--name=value". Steps over what it took. NULL with
 * the reason.
 */
static const struct setting *option_take(int argc, char *const argv[], int *idx, const char **value,
                                         struct error *error)
{
    const char *option = argv[(*idx)++];
    if (strncmp(option, "--", 2) != 0) {
        error_set(error, "%s: not an option (see --help)", option);
        return NULL;
    }
    const char *equals = strchr(option, '=');
    size_t length = equals ? (size_t)(equals - option) - 2 : strlen(option) - 2;
    const struct setting *setting = setting_find(option + 2, length);
    *value = equals ? equals + 1 : "yes";
    if (!setting)
        error_set(error, "%s: there is no such option (see --help)", option);
    else if (setting->kind == SETTING_FLAG || equals)
        return setting;
    else if (*idx == argc)
        error_set(error, "%s: needs a value, %s", option, setting->value);
    else {
        *value = argv[(*idx)++];
        return setting;
    }
    return NULL;
}

static void config_defaults(struct target_config *config)
{
    const char *run = getenv("XDG_RUNTIME_DIR");
    *config = (struct target_config){.memory_mib = 256,
                                     .connections = 256,
                                     .requests = 2048,
                                     .engine = "auto",
                                     .scrub_every = "7d",
                                     .nbd_tls = "off"};
    snprintf(config->control, sizeof(config->control), "%s/strake/target.sock",
             run && run[0] ? run : "/run");
    snprintf(config->iqn_prefix, sizeof(config->iqn_prefix), "%s", EXPORT_IQN_PREFIX_DEFAULT);
}

/* First the file, then the options, whose lists replace those of the file. */
static int config_gather(struct target_config *config, int argc, char *const argv[],
                         struct error *error)
{
    const char *value;
    for (int i = 1; i < argc;) {
        const struct setting *setting = option_take(argc, argv, &i, &value, error);
        if (!setting)
            return -1;
        if (setting->kind == SETTING_FILE && config_file(config, value, error))
            return -1;
    }
    bool begun[ARRAY_COUNT(settings)] = {false};
    for (int i = 1; i < argc;) {
        const struct setting *setting = option_take(argc, argv, &i, &value, error);
        ASSERT(setting);
        if (setting->kind == SETTING_FILE)
            continue;
        if (setting->kind == SETTING_LIST && !begun[setting - settings])
            ((struct config_list *)(void *)((char *)config + setting->offset))->count = 0;
        begun[setting - settings] = true;
        if (setting_apply(config, setting, value, error))
            return -1;
    }
    return 0;
}

/* Addresses as they will be used: the default when there is none, nothing for "none". */
static int config_listeners(struct config_list *list, const char *name, const char *otherwise,
                            struct error *error)
{
    if (list->count == 0)
        return list_add(list, name, otherwise, error);
    for (uint32_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i], "none") != 0)
            continue;
        if (list->count > 1)
            return error_set(error, "%s: none, and others beside it", name);
        list->count = 0;
    }
    return 0;
}

/* The directory of NBD clients' TLS is that of the replicas' unless it is named. */
static int config_tls(struct target_config *config, struct error *error)
{
    bool off = strcmp(config->nbd_tls, "off") == 0;
    if (!off && strcmp(config->nbd_tls, "on") != 0 && strcmp(config->nbd_tls, "require") != 0)
        return error_set(error, "nbd-tls: \"%s\" is neither off, on nor require", config->nbd_tls);
    if (off && config->nbd_tls_dir[0])
        return error_set(error, "nbd-tls-dir without nbd-tls: say on or require");
    if (!config->nbd_tls_dir[0])
        memcpy(config->nbd_tls_dir, config->tls_dir, sizeof(config->nbd_tls_dir));
    if (!off && !config->nbd_tls_dir[0])
        return error_set(error, "nbd-tls: needs nbd-tls-dir or tls-dir");
    return 0;
}

static int config_share(struct target_config *config, struct error *error)
{
    int end = 0;
    if (!config->share[0])
        return 0;
    bool ok = strspn(config->share, "0123456789/") == strlen(config->share) &&
              sscanf(config->share, "%4" SCNu32 "/%4" SCNu32 "%n", &config->share_number,
                     &config->share_count, &end) == 2 &&
              (size_t)end == strlen(config->share);
    if (!ok || config->share_number < 1 || config->share_number > config->share_count)
        return error_set(error, "share: \"%s\" is not I/N, with I from 1 to N", config->share);
    return 0;
}

static int config_scrub(struct target_config *config, struct error *error)
{
    static const char units[] = "smhd";
    static const uint32_t seconds[] = {1, 60, 3600, 86400};
    const char *text = config->scrub_every;
    size_t digits = strspn(text, "0123456789");
    const char *unit = text[digits] ? strchr(units, text[digits]) : NULL;
    if (strcmp(text, "0") == 0)
        return 0;
    if (digits < 1 || digits > 4 || !unit || text[digits + 1] || strtoul(text, NULL, 10) == 0)
        return error_set(error, "scrub-every: \"%s\" is not a time like 7d, 12h, 30m or 45s, or 0",
                         text);
    config->scrub_every_s = strtoul(text, NULL, 10) * seconds[unit - units];
    return 0;
}

static int config_check(struct target_config *config, struct error *error)
{
    struct exports *exports = NULL;
    if (config->replicas.count == 0 && !config->pool[0])
        return error_set(error, "no --replica and no --pool: there is nowhere to keep volumes");
    if (strcmp(config->engine, "auto") != 0 && strcmp(config->engine, "io_uring") != 0 &&
        strcmp(config->engine, "threads") != 0)
        return error_set(error, "engine: \"%s\" is neither auto, io_uring nor threads",
                         config->engine);
    if (strncmp(config->iqn_prefix, "iqn.", 4) != 0)
        return error_set(error, "iqn-prefix: \"%s\" does not begin with \"iqn.\"",
                         config->iqn_prefix);
    if (strlen(config->iqn_prefix) >= sizeof(exports->iqn_prefix))
        return error_set(error, "iqn-prefix: longer than %zu characters",
                         sizeof(exports->iqn_prefix) - 1);
    if (config_tls(config, error) || config_share(config, error) || config_scrub(config, error))
        return -1;
    if (config_listeners(&config->iscsi, "iscsi", "127.0.0.1:3260", error))
        return -1;
    if (config->portals.count > config->iscsi.count)
        return error_set(error, "portal: %u of them, and %u of iscsi", config->portals.count,
                         config->iscsi.count);
    return config_listeners(&config->nbd, "nbd", "127.0.0.1:10809", error);
}

int config_parse(struct target_config *config, int argc, char *const argv[], struct error *error)
{
    config_defaults(config);
    for (int i = 1; i < argc; i++) {
        config->help = config->help || strcmp(argv[i], "--help") == 0;
        config->version = config->version || strcmp(argv[i], "--version") == 0;
    }
    if (config->help || config->version)
        return 0;
    if (config_gather(config, argc, argv, error))
        return -1;
    return config_check(config, error);
}

static int listeners_exposed(const struct config_list *list, const char *name, uint16_t port,
                             const char *remedy, struct error *error)
{
    for (uint32_t i = 0; i < list->count; i++) {
        struct address address;
        if (address_parse(&address, list->items[i], port, error))
            return error_prefix(error, "%s", name);
        if (!address_is_local(&address))
            return error_set(error,
                             "%s %s: whoever reaches this address could use every volume: give "
                             "%s, or say --insecure",
                             name, list->items[i], remedy);
    }
    return 0;
}

int config_exposure(const struct target_config *config, struct error *error)
{
    if (config->insecure || config->access[0])
        return 0;
    if (listeners_exposed(&config->iscsi, "iscsi", 3260, "--access FILE", error))
        return -1;
    if (strcmp(config->nbd_tls, "require") == 0)
        return 0;
    return listeners_exposed(&config->nbd, "nbd", 10809, "--access FILE or --nbd-tls require",
                             error);
}

void config_help(void)
{
    printf("usage: strake-target --replica ADDR:PORT... | --pool DIR [options]\n\n"
           "Serves replicated block volumes over iSCSI and NBD.\n\n");
    for (size_t i = 0; i < ARRAY_COUNT(settings); i++) {
        char left[64];
        snprintf(left, sizeof(left), "--%s %s", settings[i].name,
                 settings[i].value ? settings[i].value : "");
        printf("  %-22s %s\n", left, settings[i].help);
    }
    printf(
        "\nFiles of a TLS directory, each as far as it is needed:\n"
        "  ca.pem                 authorities; the other end must show a certificate of theirs\n"
        "  cert.pem, key.pem      what this end shows, and its private key\n"
        "  keys.psk               NBD only: keys shared with clients, lines of NAME:HEX\n"
        "Replicas and targets need the first three. For NBD, keys.psk or cert.pem and key.pem\n"
        "are enough; with ca.pem clients must show a certificate too. Who has a certificate of\n"
        "the replicas' ca.pem may act as a target: give NBD clients an authority of their own.\n");
    printf("\nThe access file, mode 600 (or 640), has rules like these:\n"
           "  [volume scratch]                     or *: volumes without rules of their own\n"
           "  initiators = iqn.1994-05.com.x:*     patterns, by commas; none: any\n"
           "  addresses = 10.1.0.0/16, fd00::/8    and \"unix\"; none: anywhere\n"
           "  user = alice                         CHAP\n"
           "  secret = 12 to 128 characters        or secret-file = FILE\n"
           "  mutual-user, mutual-secret           how the target proves itself by CHAP\n"
           "  nbd = yes                            NBD too, by address alone\n"
           "  tls = alice, backup-*                NBD, by the name proved by TLS\n"
           "  redirect = ADDR:PORT                 send iSCSI initiators there\n"
           "  [discovery]                          the same for iSCSI discovery\n"
           "Rules of one volume are alternatives. A volume without any is open to all.\n");
    printf("\nExample, one machine:   strake-target --pool /srv/strake\n"
           "Example, three:         strake-target --replica 10.0.0.1:10900 \\\n"
           "                            --replica 10.0.0.2:10900 --replica 10.0.0.3:10900\n"
           "Volumes are made by: strake volume create NAME SIZE\n");
}
