/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of strake-replica, and the text that explains it. */
#include "replica/config.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
    MEMORY_MIB_DEFAULT = 256,
    MEMORY_MIB_MIN = 16,
    MEMORY_MIB_MAX = 1 << 20,
};

const char replica_config_help[] =
    "usage: strake-replica --pool DIR [OPTION...]\n"
    "\n"
    "Keeps replicas of volumes in the directory DIR and serves them to strake-target over TCP.\n"
    "Run one on each machine (or disk) that is to hold a copy, then tell the target:\n"
    "\n"
    "  mkdir -p /srv/strake\n"
    "  strake-replica --pool /srv/strake --listen 10.0.0.1:10900\n"
    "  strake-target --replica 10.0.0.1:10900 --replica 10.0.0.2:10900 ...\n"
    "\n"
    "  --pool DIR            the pool: an existing directory, best on a file system of its own.\n"
    "                        An empty one is made into a pool; one process serves it at a time\n"
    "  --expect-pool UUID    refuse any other pool, and make none: what should be mounted at DIR\n"
    "                        may not be (the pool's UUID is in the log, and in the file DIR/pool)\n"
    "  --listen ADDRESS      where targets connect: HOST:PORT, [IPV6]:PORT or unix:PATH\n"
    "                        (default 127.0.0.1:10900). Port 0: any free one, see --address-file.\n"
    "                        Without --tls-dir use a network that only targets reach\n"
    "  --tls-dir DIR         speak TLS only, with targets that show a certificate issued by an\n"
    "                        authority in DIR/ca.pem; DIR/cert.pem and DIR/key.pem are this end's\n"
    "                        (read again when they change, or on SIGHUP)\n"
    "  --target NAME         let only targets in whose certificate names them so; repeatable\n"
    "  --engine NAME         how the disk is spoken to: auto, uring or threads (default auto:\n"
    "                        io_uring if the kernel allows it, else threads; the log says which)\n"
    "  --memory MIB          for requests on their way (default 256)\n"
    "  --address-file PATH   write the address that is listened on to PATH when ready\n"
    "  --user NAME           become this user before the pool is opened (start as root); it must "
    "own\n"
    "                        DIR and what is in it\n"
    "  --no-seccomp          do without the kernel's filter of system calls\n"
    "  --log-level LEVEL     warn, info or debug (default info); the log goes to standard error\n"
    "  --help, --version\n"
    "\n"
    "SIGTERM and SIGINT end it cleanly. It may be killed at any time: nothing that was\n"
    "acknowledged is lost. Exit status: 0 after a clean end, 1 when it cannot run or failed,\n"
    "2 when the command line is wrong.\n";

struct word {
    const char *text;
    int value;
};

static const struct word engines[] = {{"auto", STORE_ENGINE_AUTO},
                                      {"uring", STORE_ENGINE_URING},
                                      {"io_uring", STORE_ENGINE_URING},
                                      {"threads", STORE_ENGINE_THREADS},
                                      {NULL, 0}};
static const struct word levels[] = {
    {"warn", LOG_LEVEL_WARN}, {"info", LOG_LEVEL_INFO}, {"debug", LOG_LEVEL_DEBUG}, {NULL, 0}};

static const struct word *word_find(const struct word *words, const char *text)
{
    while (words->text && strcmp(words->text, text) != 0)
        words++;
    return words->text ? words : NULL;
}

static int memory_set(struct replica_config *config, const char *text, struct error *error)
{
    char *end = NULL;
    errno = 0;
    unsigned long mib = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno)
        return error_set(error, "--memory: '%s' is not a number", text);
    if (mib < MEMORY_MIB_MIN || mib > MEMORY_MIB_MAX)
        return error_set(error, "--memory: %s is not within %d and %d", text, MEMORY_MIB_MIN,
                         MEMORY_MIB_MAX);
    config->memory_bytes = (uint64_t)mib << 20;
    return 0;
}

static int option_set(struct replica_config *config, int option, const char *value,
                      struct error *error)
{
    const struct word *word;
    switch (option) {
    case 'p':
        config->pool = value;
        return 0;
    case 'x':
        if (uuid_parse(value, &config->expected) && !uuid_is_zero(&config->expected))
            return 0;
        return error_set(error, "--expect-pool: '%s' is not a UUID", value);
    case 'l':
        config->listen = value;
        return 0;
    case 'a':
        config->address_file = value;
        return 0;
    case 't':
        config->tls_dir = value;
        return 0;
    case 'T':
        if (config->target_count == REPLICA_TARGETS_MAX)
            return error_set(error, "--target: more than %d", REPLICA_TARGETS_MAX);
        config->targets[config->target_count++] = value;
        return 0;
    case 'u':
        config->user = value;
        return 0;
    case 's':
        config->no_seccomp = true;
        return 0;
    case 'm':
        return memory_set(config, value, error);
    case 'e':
        word = word_find(engines, value);
        if (!word)
            return error_set(error, "--engine: '%s' is none of auto, uring, threads", value);
        config->engine = (enum store_engine)word->value;
        return 0;
    case 'v':
        word = word_find(levels, value);
        if (!word)
            return error_set(error, "--log-level: '%s' is none of warn, info, debug", value);
        config->log_level = (enum log_level)word->value;
        return 0;
    case 'h':
        config->help = true;
        return 0;
    default:
        ASSERT(option == 'V');
        config->version = true;
        return 0;
    }
}

int replica_config_parse(struct replica_config *config, int argc, char *const argv[],
                         struct error *error)
{
    static const struct option options[] = {
        {"pool", required_argument, NULL, 'p'},      {"expect-pool", required_argument, NULL, 'x'},
        {"listen", required_argument, NULL, 'l'},    {"engine", required_argument, NULL, 'e'},
        {"memory", required_argument, NULL, 'm'},    {"address-file", required_argument, NULL, 'a'},
        {"tls-dir", required_argument, NULL, 't'},   {"target", required_argument, NULL, 'T'},
        {"user", required_argument, NULL, 'u'},      {"no-seccomp", no_argument, NULL, 's'},
        {"log-level", required_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},         {NULL, 0, NULL, 0},
    };
    *config = (struct replica_config){.listen = "127.0.0.1:10900",
                                      .engine = STORE_ENGINE_AUTO,
                                      .log_level = LOG_LEVEL_INFO,
                                      .memory_bytes = (uint64_t)MEMORY_MIB_DEFAULT << 20};
    opterr = 0;
    optind = 1;
    int option;
    while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
        if (option == ':')
            return error_set(error, "%s: its value is missing", argv[optind - 1]);
        if (option == '?')
            return error_set(error, "%s: there is no such option, or it takes no value",
                             argv[optind - 1]);
        if (option_set(config, option, optarg, error))
            return -1;
    }
    if (optind < argc)
        return error_set(error, "'%s': an argument that belongs to no option", argv[optind]);
    if (!config->help && !config->version && !config->pool)
        return error_set(error, "--pool DIR is missing");
    if (config->target_count > 0 && !config->tls_dir)
        return error_set(error, "--target: needs --tls-dir, by which targets prove their names");
    return 0;
}
