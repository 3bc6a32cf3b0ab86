/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands, and the reading of a command line by it. */
#include "tools/ctl/ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int status_run(struct ctl *ctl)
{
    json_t *status = NULL;
    int result = ask(ctl, "GET", "/v1/status", NULL, &status);
    if (result)
        return result;
    if (ctl->json)
        print_json(status);
    else
        print_status(status);
    json_decref(status);
    return CTL_OK;
}

static int events_run(struct ctl *ctl)
{
    json_t *status = NULL;
    int result = ask(ctl, "GET", "/v1/status", NULL, &status);
    if (result)
        return result;
    if (ctl->json)
        print_json(json_object_get(status, "events"));
    else
        print_events(status);
    json_decref(status);
    return CTL_OK;
}

static int version_run(struct ctl *ctl)
{
    if (ctl->json)
        printf("{\"version\": \"%s\"}\n", STRAKE_VERSION);
    else
        printf("strake %s\n", STRAKE_VERSION);
    return CTL_OK;
}

static int help_run(struct ctl *ctl);

const struct ctl_command ctl_commands[] = {
    {.name = "status",
     .summary = "the target, its listeners, and the replicas it reaches",
     .help = "Example: strake --json status | jq '.replicas[] | select(.up | not)'",
     .run = status_run},
    {.name = "events",
     .summary = "what happened lately: replicas lost and back, volumes frozen and healed",
     .help = "The target remembers the last 64. Warnings are marked with an exclamation mark.\n\n"
             "Example: strake events",
     .run = events_run},
    {.name = "volume create",
     .args = {"NAME", "SIZE"},
     .options = {{"replicas", "N"}, {"block-size", "512|4096"}, {"wait", NULL}, {"no-wait", NULL}},
     .summary = "make a volume, and say how to attach it",
     .help = "NAME: lower-case letters, digits, '.' and '-'. SIZE: a whole number with K, M, G, T\n"
             "or P (of 1024). Without --replicas there are three, or as many as there are replica\n"
             "processes if those are fewer. --block-size is the block that clients see, 512 if\n"
             "it is not given. The command ends when the volume serves, with --no-wait before.\n\n"
             "Example: strake volume create scratch 10G",
     .run = volume_create_run},
    {.name = "volume list",
     .options = {{"deleted", NULL}},
     .summary = "all volumes; --deleted: with the records of deleted ones",
     .help = "Example: strake volume list",
     .run = volume_list_run},
    {.name = "volume show",
     .args = {"NAME"},
     .summary = "a volume: how to attach it, its state and why, its replicas",
     .help =
         "NAME may also be the volume's id, which is how the record of a deleted one is found.\n"
         "\nExample: strake volume show scratch",
     .run = volume_show_run},
    {.name = "volume delete",
     .args = {"NAME"},
     .options = {{"force", NULL}},
     .summary = "delete a volume's data; its record stays",
     .help =
         "Refused while clients use the volume, or while fewer than a majority of its replicas\n"
         "are up. --force: all the same; the clients lose it at once, and what is kept by\n"
         "replicas that are away goes when they come back.\n\n"
         "Example: strake volume delete scratch",
     .run = volume_delete_run},
    {.name = "attach",
     .args = {"VOLUME"},
     .options = {{"iscsi", NULL},
                 {"nbd", NULL},
                 {"fuse", NULL},
                 {"connections", "N"},
                 {"read-only", NULL},
                 {"timeout", "S"},
                 {"foreground", NULL}},
     .summary = "make a volume a block device of this machine, and print its path",
     .help =
         "VOLUME: a name that the target at the control socket knows, or, for a target elsewhere,\n"
         "nbd://HOST/NAME or iscsi://PORTAL/IQN. The way is the first of these that works here:\n"
         "--iscsi  the kernel's initiator, by open-iscsi; needs root\n"
         "--nbd    the kernel's NBD client; needs root. A small process connects it again when\n"
         "         the target was away. --connections: 2 if the target allows several; with one,\n"
         "         a request waits for as long as it takes, with more it is sent again on another\n"
         "         connection after 15 s\n"
         "--fuse   a file, by nbdfuse; without root. A target that was killed means errors: "
         "detach\n"
         "         and attach again\n"
         "Requests wait --timeout seconds (600) for a target that is away, then fail.\n"
         "--foreground (NBD): stay, connect again when needed, and detach on SIGTERM unless the\n"
         "device is in use; for a service manager.\n"
         "A volume that is attached already stays so, and its device is printed.\n\n"
         "Example: strake attach scratch",
     .run = attach_run},
    {.name = "detach",
     .args = {"VOLUME|DEVICE"},
     .summary = "undo attach",
     .help = "Refused while the device is in use. What was written to it is flushed first.\n\n"
             "Example: strake detach /dev/nbd0",
     .run = detach_run},
    {.name = "session list",
     .summary = "the clients' connections",
     .help = "Example: strake session list",
     .run = session_list_run},
    {.name = "session drop",
     .args = {"ID"},
     .summary = "close a client's connection; it may connect again",
     .help =
         "Its requests in flight stay unanswered: the client sends them again when it is back.\n"
         "To keep it out, change the access file first.\n\n"
         "Example: strake session drop 12",
     .run = session_drop_run},
    {.name = "version", .summary = "the version of this command", .help = "", .run = version_run},
    {.name = "help",
     .args = {"COMMAND"},
     .args_optional = 1,
     .summary = "this list, or all about one command",
     .help = "Example: strake help volume create",
     .run = help_run},
};
const uint32_t ctl_command_count = ARRAY_COUNT(ctl_commands);

int ctl_say(int status, const char *format, ...)
{
    char text[ERROR_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    fprintf(stderr, "strake: %s\n", text);
    return status;
}

/* ---- help ---- */

/* "volume create NAME SIZE [--replicas N]". */
static void usage_format(const struct ctl_command *command, char *text, size_t size)
{
    int used = snprintf(text, size, "%s", command->name);
    uint32_t count = 0;
    while (count < CTL_ARGS_MAX && command->args[count])
        count++;
    for (uint32_t i = 0; i < count && used < (int)size; i++) {
        bool optional = i >= count - command->args_optional;
        used += snprintf(text + used, size - (size_t)used, optional ? " [%s]" : " %s",
                         command->args[i]);
    }
    for (const struct ctl_option *o = command->options; o->name && used < (int)size; o++)
        used += snprintf(text + used, size - (size_t)used, " [--%s%s%s]", o->name,
                         o->value ? " " : "", o->value ? o->value : "");
}

static void help_all(void)
{
    printf("usage: strake [--control PATH] [--json] COMMAND\n\n");
    for (uint32_t i = 0; i < ctl_command_count; i++)
        printf("  %-16s %s\n", ctl_commands[i].name, ctl_commands[i].summary);
    printf("\n--control PATH is the target's socket ($STRAKE_CONTROL, else\n"
           "$XDG_RUNTIME_DIR/strake/target.sock); --json prints the answer as JSON.\n"
           "Exit status: 0 done, 1 refused by the target, 2 wrong usage, 3 no target there.\n"
           "More about a command: strake help COMMAND\n");
}

static void help_one(const struct ctl_command *command)
{
    char usage[256];
    usage_format(command, usage, sizeof(usage));
    printf("usage: strake %s\n\n%s.\n", usage, command->summary);
    if (command->help[0])
        printf("\n%s\n", command->help);
}

/* The commands that begin with the word, or are it. */
static int help_run(struct ctl *ctl)
{
    const char *word = ctl->args[0];
    bool found = false;
    if (!word) {
        help_all();
        return CTL_OK;
    }
    size_t length = strlen(word);
    for (uint32_t i = 0; i < ctl_command_count; i++) {
        const char *name = ctl_commands[i].name;
        if (strncmp(name, word, length) != 0 || (name[length] && name[length] != ' '))
            continue;
        if (found)
            printf("\n");
        help_one(&ctl_commands[i]);
        found = true;
    }
    return found ? CTL_OK : ctl_say(CTL_USAGE, "%s: no such command (see strake help)", word);
}

/* ---- the command line ---- */

struct words {
    const char *list[16];
    uint32_t count;
};

/* The command whose words come first; *used is how many they are. */
static const struct ctl_command *command_find(const struct words *words, uint32_t *used)
{
    for (uint32_t i = 0; i < ctl_command_count; i++) {
        const struct ctl_command *command = &ctl_commands[i];
        const char *space = strchr(command->name, ' ');
        size_t length = space ? (size_t)(space - command->name) : strlen(command->name);
        const char *first = words->list[0];
        if (strlen(first) != length || memcmp(first, command->name, length) != 0)
            continue;
        *used = space ? 2 : 1;
        if (!space || (words->count > 1 && strcmp(space + 1, words->list[1]) == 0))
            return command;
    }
    return NULL;
}

static int args_take(struct ctl *ctl, const struct ctl_command *command, const struct words *words,
                     uint32_t first)
{
    char usage[256];
    uint32_t count = 0;
    usage_format(command, usage, sizeof(usage));
    while (count < CTL_ARGS_MAX && command->args[count])
        count++;
    for (uint32_t i = 0; i < count; i++) {
        if (first + i < words->count)
            ctl->args[i] = words->list[first + i];
        else if (i < count - command->args_optional)
            return ctl_say(CTL_USAGE, "%s: %s is missing (usage: strake %s)", command->name,
                           command->args[i], usage);
    }
    if (words->count > first + count)
        return ctl_say(CTL_USAGE, "%s: \"%s\" is too much (usage: strake %s)", command->name,
                       words->list[first + count], usage);
    return CTL_OK;
}

/* An option of the command, whose value may be the next word. */
static int option_take(struct ctl *ctl, const struct ctl_command *command, int argc,
                       char *const argv[], int *idx)
{
    const char *name = argv[(*idx)++] + 2;
    const char *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    for (uint32_t i = 0; command->options[i].name; i++) {
        const struct ctl_option *option = &command->options[i];
        if (strlen(option->name) != length || memcmp(option->name, name, length) != 0)
            continue;
        if (!option->value && equals)
            return ctl_say(CTL_USAGE, "--%s: takes no value", option->name);
        if (option->value && !equals && *idx == argc)
            return ctl_say(CTL_USAGE, "--%s: needs a value, %s", option->name, option->value);
        ctl->options[i] = !option->value ? "yes" : equals ? equals + 1 : argv[(*idx)++];
        return CTL_OK;
    }
    return ctl_say(CTL_USAGE, "%s: there is no option --%.*s (see strake help %s)", command->name,
                   (int)length, name, command->name);
}

static int control_set(struct ctl *ctl, const char *path)
{
    if (!path[0] || strlen(path) >= sizeof(ctl->control))
        return ctl_say(CTL_USAGE, "--control: \"%.80s\" is empty or too long", path);
    memcpy(ctl->control, path, strlen(path) + 1);
    return CTL_OK;
}

static int control_default(struct ctl *ctl)
{
    const char *path = getenv("STRAKE_CONTROL");
    const char *run = getenv("XDG_RUNTIME_DIR");
    if (path && path[0])
        return control_set(ctl, path);
    snprintf(ctl->control, sizeof(ctl->control), "%s/strake/target.sock",
             run && run[0] ? run : "/run");
    return CTL_OK;
}

/*
 * Options of all commands, wherever they stand. 1: not one of them; else CTL_OK, or the exit status
 * after it was said why.
 */
enum { NOT_COMMON = -1 };
static int common_take(struct ctl *ctl, int argc, char *const argv[], int *idx)
{
    static const char control[] = "--control";
    const char *option = argv[*idx];
    size_t length = sizeof(control) - 1;
    if (strcmp(option, "--json") == 0) {
        ctl->json = true;
        (*idx)++;
        return CTL_OK;
    }
    if (strncmp(option, control, length) != 0 || (option[length] && option[length] != '='))
        return NOT_COMMON;
    (*idx)++;
    if (option[length] == '=')
        return control_set(ctl, option + length + 1);
    if (*idx == argc)
        return ctl_say(CTL_USAGE, "--control: needs a value, PATH");
    return control_set(ctl, argv[(*idx)++]);
}

/* Words first: they name the command, which knows its options. */
static int words_take(struct ctl *ctl, int argc, char *const argv[], struct words *words)
{
    for (int i = 1; i < argc;) {
        int status = common_take(ctl, argc, argv, &i);
        if (status == CTL_OK)
            continue;
        if (status != NOT_COMMON)
            return status;
        if (words->count == 0 &&
            (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "--version") == 0)) {
            words->list[0] = argv[i] + 2;
            words->count = 1;
            return CTL_OK;
        }
        if (argv[i][0] == '-' || words->count == 2)
            return CTL_OK;
        words->list[words->count++] = argv[i++];
    }
    return CTL_OK;
}

static int command_line(struct ctl *ctl, const struct ctl_command *command, uint32_t skip, int argc,
                        char *const argv[])
{
    struct words words = {.count = 0};
    for (int i = 1; i < argc;) {
        int status = common_take(ctl, argc, argv, &i);
        if (status == CTL_OK)
            continue;
        if (status != NOT_COMMON)
            return status;
        if (strncmp(argv[i], "--", 2) == 0) {
            status = option_take(ctl, command, argc, argv, &i);
            if (status)
                return status;
        } else if (words.count == ARRAY_COUNT(words.list)) {
            return ctl_say(CTL_USAGE, "%s: too many words", command->name);
        } else {
            words.list[words.count++] = argv[i++];
        }
    }
    return args_take(ctl, command, &words, skip);
}

int ctl_main(int argc, char *const argv[])
{
    struct ctl ctl = {.json = false};
    struct words words = {.count = 0};
    uint32_t skip = 0;
    int status = control_default(&ctl);
    if (!status)
        status = words_take(&ctl, argc, argv, &words);
    if (status)
        return status;
    if (words.count == 0)
        return ctl_say(CTL_USAGE, "no command (see strake help)");
    const struct ctl_command *command = command_find(&words, &skip);
    if (!command)
        return ctl_say(CTL_USAGE, "%s%s%s: no such command (see strake help)", words.list[0],
                       words.count > 1 ? " " : "", words.count > 1 ? words.list[1] : "");
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 && command->run != help_run) {
            help_one(command);
            return CTL_OK;
        }
    }
    if (command->run != help_run && command->run != version_run) {
        status = command_line(&ctl, command, skip, argc, argv);
        if (status)
            return status;
    } else if (words.count > 1) {
        ctl.args[0] = words.list[1];
    }
    return command->run(&ctl);
}
