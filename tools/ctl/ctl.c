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
     .options = {{.name = "replicas", .value = "N"},
                 {.name = "block-size", .value = "512|4096"},
                 {.name = "witness"},
                 {.name = "wait"},
                 {.name = "no-wait"},
                 {.name = "owner", .value = "NAME"},
                 {.name = "message", .value = "TEXT", .letter = 'm'},
                 {.name = "label", .value = "KEY=VALUE", .many = true}},
     .summary = "make a volume, and say how to attach it",
     .help =
         "NAME: lower-case letters, digits, '.' and '-'. SIZE: a whole number with K, M, G, T\n"
         "or P (of 1024). Without --replicas there are three, or as many as there are replica\n"
         "processes if those are fewer. --witness: two (or --replicas) with data, and one more\n"
         "that keeps none and only votes, so that any one may be lost. --block-size is the block\n"
         "that clients see, 512 if it is not given. The command ends when the volume serves "
         "(--wait, the\n"
         "default), with --no-wait before.\n\n"
         "--owner, --message (-m) and --label are kept with the volume and shown with it.\n\n"
         "Example: strake volume create scratch 10G --label team=vision -m 'run 7'",
     .run = volume_create_run},
    {.name = "volume list",
     .options = {{.name = "deleted"}},
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
     .options = {{.name = "force"}},
     .summary = "delete a volume's data; its record stays",
     .help =
         "Refused while clients use the volume, or while fewer than a majority of its replicas\n"
         "are up. --force: all the same; the clients lose it at once, and what is kept by\n"
         "replicas that are away goes when they come back.\n\n"
         "Example: strake volume delete scratch",
     .run = volume_delete_run},
    {.name = "attach",
     .args = {"VOLUME"},
     .options = {{.name = "iscsi"},
                 {.name = "nbd"},
                 {.name = "fuse"},
                 {.name = "connections", .value = "N"},
                 {.name = "read-only"},
                 {.name = "timeout", .value = "S"},
                 {.name = "foreground"}},
     .summary = "make a volume a block device of this machine, and print its path",
     .help =
         "VOLUME: a name that the target at the control socket knows, also VOLUME@SNAPSHOT, which\n"
         "is read-only; or, for a target elsewhere,\n"
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
    {.name = "volume clone",
     .args = {"VOLUME@SNAPSHOT", "NEW"},
     .options = {{.name = "replicas", .value = "N"},
                 {.name = "no-wait"},
                 {.name = "owner", .value = "NAME"},
                 {.name = "message", .value = "TEXT", .letter = 'm'},
                 {.name = "label", .value = "KEY=VALUE", .many = true}},
     .summary = "a new volume that begins as a snapshot is; made at once, then independent",
     .help = "No data is copied: the new volume lies at the replicas that have the snapshot and\n"
             "shares its blocks until one of the two changes them. Either may be deleted first.\n\n"
             "Example: strake volume clone photos@2026-11-22 scratch-ann --owner ann",
     .run = volume_clone_run},
    {.name = "volume label",
     .args = {"NAME", "KEY=VALUE"},
     .args_optional = 1,
     .args_many = true,
     .options = {{.name = "owner", .value = "NAME"},
                 {.name = "message", .value = "TEXT", .letter = 'm'}},
     .summary = "set labels (KEY=VALUE) or remove them (KEY-), the owner, the message",
     .help = "Example: strake volume label scratch team=vision draft- --owner ann",
     .run = volume_label_run},
    {.name = "volume grow",
     .args = {"NAME", "SIZE"},
     .summary = "make a volume larger, while clients use it",
     .help =
         "SIZE is what it has then, as for volume create; what is new reads as zeros. Volumes do\n"
         "not shrink. iSCSI initiators are told (Linux: echo 1 > /sys/block/sdX/device/rescan);\n"
         "NBD clients see it when they connect again. Snapshots keep the size they have.\n\n"
         "Example: strake volume grow scratch 20G",
     .run = volume_grow_run},
    {.name = "volume limit",
     .args = {"NAME"},
     .options = {{.name = "iops", .value = "N|none"},
                 {.name = "bandwidth", .value = "SIZE|none"},
                 {.name = "burst", .value = "SECONDS"}},
     .summary = "how fast a volume and its snapshots may be used; at once, kept with the volume",
     .help = "Reads and writes a second, and their bytes (SIZE as for volume create); what is not\n"
             "given stays as it is. After SECONDS (0) without use as many seconds' worth may be\n"
             "used at full speed. Clients wait; nothing fails.\n\n"
             "Example: strake volume limit scratch --iops 2000 --bandwidth 100M --burst 30",
     .run = volume_limit_run},
    {.name = "volume scrub",
     .args = {"NAME"},
     .options = {{.name = "wait"}},
     .summary = "read and compare all that a volume's replicas hold, and repair what is damaged",
     .help =
         "Targets do this by themselves (--scrub-every).\n"
         "Goes on in the background, snapshots first. What a replica cannot read, or holds other\n"
         "than most others, is copied from them; where nobody can tell who is right it is only\n"
         "reported: strake status, volume show. --wait: until it ended; fails if damage is "
         "left.\n\n"
         "Example: strake volume scrub scratch --wait",
     .run = volume_scrub_run},
    {.name = "member list",
     .args = {"VOLUME"},
     .summary = "the replicas that keep a volume, how far each is, and why one is not in sync",
     .help = "Example: strake member list scratch",
     .run = member_list_run},
    {.name = "member add",
     .args = {"VOLUME"},
     .options = {{.name = "replica", .value = "ADDR"}, {.name = "witness"}},
     .summary = "keep a volume at one replica more; it is filled in the background",
     .help =
         "--replica: the address of one that the target knows (strake status); without, the one\n"
         "with the most space. --witness: it keeps no data and only votes. Writes are answered\n"
         "by at least two replicas once there are three with data.\n\n"
         "Example: strake member add scratch --replica 10.0.0.4:10900",
     .run = member_add_run},
    {.name = "member remove",
     .args = {"VOLUME", "MEMBER"},
     .summary = "keep a volume at one replica less; it goes when the others have everything",
     .help =
         "MEMBER: a replica's address, or an id of member list, its first 8 characters or more.\n"
         "Its data is deleted, also of a replica that is away, once that comes back.\n\n"
         "Example: strake member remove scratch 10.0.0.4:10900",
     .run = member_remove_run},
    {.name = "member replace",
     .args = {"VOLUME", "MEMBER"},
     .options = {{.name = "replica", .value = "ADDR"}},
     .summary =
         "another replica takes a member's place; the old one goes when the new one is filled",
     .help = "MEMBER is as for member remove, --replica as for member add. One whose replica came\n"
             "back without its data is replaced by itself, unless the target has --no-heal.\n\n"
             "Example: strake member replace scratch 10.0.0.3:10900 --replica 10.0.0.4:10900",
     .run = member_replace_run},
    {.name = "snapshot create",
     .args = {"VOLUME", "NAME"},
     .args_optional = 1,
     .options = {{.name = "message", .value = "TEXT", .letter = 'm'},
                 {.name = "label", .value = "KEY=VALUE", .many = true}},
     .summary = "keep a volume's present content, under a name",
     .help =
         "At once, at any size, while clients write: it has everything that was answered\n"
         "before. NAME: lower-case letters, digits, '.' and '-'; the time (UTC) if not given.\n\n"
         "Example: strake snapshot create photos -m 'download complete' --label source=s3",
     .run = snapshot_create_run},
    {.name = "snapshot list",
     .args = {"VOLUME"},
     .options = {{.name = "label", .value = "KEY=VALUE", .many = true}},
     .summary = "a volume's snapshots, oldest first; --label: those that have it",
     .help = "Example: strake snapshot list photos --label source=s3",
     .run = snapshot_list_run},
    {.name = "snapshot show",
     .args = {"VOLUME@NAME"},
     .summary = "a snapshot, and how to attach it, read-only",
     .help = "Example: strake snapshot show photos@2026-11-22",
     .run = snapshot_show_run},
    {.name = "snapshot label",
     .args = {"VOLUME@NAME", "KEY=VALUE"},
     .args_optional = 1,
     .args_many = true,
     .options = {{.name = "message", .value = "TEXT", .letter = 'm'}},
     .summary = "set labels (KEY=VALUE) or remove them (KEY-), or the message",
     .help = "Example: strake snapshot label photos@2026-11-22 checked=yes draft-",
     .run = snapshot_label_run},
    {.name = "snapshot delete",
     .args = {"VOLUME@NAME"},
     .summary = "delete a snapshot; space comes back in the background",
     .help = "In any order. Refused while a client uses it.\n\n"
             "Example: strake snapshot delete photos@2026-11-22",
     .run = snapshot_delete_run},
    {.name = "snapshot diff",
     .args = {"VOLUME@NAME", "VOLUME[@NAME]"},
     .args_optional = 1,
     .options = {{.name = "totals"}},
     .summary = "the ranges that changed since a snapshot, until another one or now",
     .help = "Each line: offset, length, and \"data\" or \"zero\". --totals: only the sums.\n\n"
             "Example: strake snapshot diff photos@monday photos@tuesday",
     .run = snapshot_diff_run},
    {.name = "snapshot revert",
     .args = {"VOLUME@NAME"},
     .options = {{.name = "keep", .value = "NAME"}},
     .summary = "give a volume the content of a snapshot again",
     .help =
         "What the volume had is kept as a snapshot, named --keep or by the time. Refused while\n"
         "clients use the volume.\n\n"
         "Example: strake snapshot revert photos@monday --keep before-revert",
     .run = snapshot_revert_run},
    {.name = "snapshot digest",
     .args = {"VOLUME@NAME"},
     .summary = "the SHA-256 of a snapshot's content, the same wherever the content is",
     .help = "Computed by the replicas the first time, then kept: equal content has an equal\n"
             "digest, and NBD clients may open VOLUME@sha256:... by it.\n\n"
             "Example: strake snapshot digest photos@2026-11-22",
     .run = snapshot_digest_run},
    {.name = "snapshot verify",
     .args = {"VOLUME@NAME"},
     .summary = "read a snapshot anew at every replica, and compare with its digest",
     .help = "Example: strake snapshot verify photos@2026-11-22",
     .run = snapshot_verify_run},
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
        if (command->args_many && i + 1 == count && used < (int)size)
            used += snprintf(text + used, size - (size_t)used, " ...");
    }
    for (const struct ctl_option *o = command->options; o->name && used < (int)size; o++)
        used += snprintf(text + used, size - (size_t)used, " [--%s%s%s]%s", o->name,
                         o->value ? " " : "", o->value ? o->value : "", o->many ? "..." : "");
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
    const char *list[CTL_MANY_MAX + 8];
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

static bool many_add(struct ctl_many *many, const char *text)
{
    if (many->count == CTL_MANY_MAX)
        return false;
    many->list[many->count++] = text;
    return true;
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
    if (words->count > first + count && !command->args_many)
        return ctl_say(CTL_USAGE, "%s: \"%s\" is too much (usage: strake %s)", command->name,
                       words->list[first + count], usage);
    for (uint32_t i = first + count - 1; command->args_many && i < words->count; i++) {
        if (!many_add(&ctl->rest, words->list[i]))
            return ctl_say(CTL_USAGE, "%s: too many words", command->name);
    }
    return CTL_OK;
}

static bool option_is(const struct ctl_option *option, const char *text, size_t length)
{
    if (text[1] != '-')
        return option->letter && length == 2 && text[1] == option->letter;
    return strlen(option->name) == length - 2 && memcmp(option->name, text + 2, length - 2) == 0;
}

/* An option of the command, whose value may be the next word. */
static int option_take(struct ctl *ctl, const struct ctl_command *command, int argc,
                       char *const argv[], int *idx)
{
    const char *text = argv[(*idx)++];
    size_t length = strcspn(text, "=");
    bool equals = text[length] == '=';
    for (uint32_t i = 0; command->options[i].name; i++) {
        const struct ctl_option *option = &command->options[i];
        if (!option_is(option, text, length))
            continue;
        if (!option->value && equals)
            return ctl_say(CTL_USAGE, "--%s: takes no value", option->name);
        if (option->value && !equals && *idx == argc)
            return ctl_say(CTL_USAGE, "--%s: needs a value, %s", option->name, option->value);
        ctl->options[i] = !option->value ? "yes" : equals ? text + length + 1 : argv[(*idx)++];
        if (option->many && !many_add(&ctl->many, ctl->options[i]))
            return ctl_say(CTL_USAGE, "--%s: more than %d", option->name, CTL_MANY_MAX);
        return CTL_OK;
    }
    return ctl_say(CTL_USAGE, "%s: there is no option %.*s (see strake help %s)", command->name,
                   (int)length, text, command->name);
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
        if (argv[i][0] == '-' && argv[i][1]) {
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

/* Half an answer is none: the disk it goes to may be full. */
static int output_whole(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    (void)ctl_say(CTL_FAILED, "standard output: not everything could be written");
    return status ? status : CTL_FAILED;
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
    return output_whole(command->run(&ctl));
}
