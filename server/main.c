/* coloand: options, signals, and the loop that keeps the server company. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libcoloan/log.h"
#include "server/backup.h"
#include "server/coloand.h"
#include "server/operate.h"
#include "server/ops/notify.h"
#include "server/restore.h"
#include "server/vault/vault.h"

enum { EXIT_NOT_WHOLE = 1, EXIT_USAGE = 2, EXIT_CONFIG = 3, EXIT_STORE = 4 };

/* The store's failure has to end the process from whatever thread it shows on. */
#define SIGNAL_STORE_FAILED SIGUSR1

static void print_help(FILE *out)
{
    (void)fprintf(
        out,
        "coloand - the fund centre's server for joint approval of combined housing loans\n"
        "\n"
        "usage: coloand --config FILE            serve until SIGTERM; SIGHUP reloads certificates and keys\n"
        "       coloand --config FILE --check    check the configuration and everything it names\n"
        "       coloand --make-master-key FILE   write a new key for the vault, mode 0600\n"
        "       coloand --config FILE --export-rotations FOLDER   key changes that wait for the next directory\n"
        "       coloand --config FILE --erase APPLICATION         destroy its personal values, for good\n"
        "       coloand --config FILE --rekey-vault NEWKEY        change the master key; again after a failure\n"
        "       coloand --config FILE --backup FOLDER             copy the database, beside the running server\n"
        "       coloand --config FILE --restore BACKUP [--archive FOLDER [--to MOMENT]] [--json]\n"
        "                                        make a database of a backup, and of the archive up to that moment\n"
        "       coloand --config FILE --verify [--json]           is the database whole, and what was signed?\n"
        "       coloand --config FILE --move-to ADDRESS           everything into an empty cluster, and the proof\n"
        "       coloand --help-config            what a configuration file may hold\n"
        "       coloand --help | --version\n"
        "\n"
        "examples:\n"
        "  coloand --make-master-key /etc/coloan/master.key\n"
        "  coloand --config /etc/coloan/coloand.yaml --check\n"
        "  coloand --config /etc/coloan/coloand.yaml\n"
        "  coloand --config /etc/coloan/coloand.yaml --backup /var/backups/coloan\n"
        "  coloand --config /etc/coloan/coloand.yaml --restore /var/backups/coloan/coloan-20261130T020000000Z \\\n"
        "          --archive /var/lib/coloan/archive/log --to 2026-11-30T12:00:00Z\n"
        "\n"
        "exit status: 0 stopped in good order or done, 1 --restore or --verify: not whole, or refused,\n"
        "             2 wrong usage, 3 wrong configuration, 4 the store failed or cannot be reached\n");
}

struct options {
    const char *config, *master_key, *rotations, *erase, *rekey, *move_to, *backup;
    struct restore_options restore;
    bool check, verify, help, help_config, version;
};

/* Commands that do not serve. */
static int count_commands(const struct options *options)
{
    const char *const named[] = {options->rotations, options->erase,          options->rekey,
                                 options->backup,    options->restore.backup, options->move_to};
    int commands = (options->check ? 1 : 0) + (options->verify ? 1 : 0);
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        commands += named[i] != NULL ? 1 : 0;
    }
    return commands;
}

static bool belong_together(const struct options *options)
{
    bool restore = options->restore.backup != NULL;
    bool restores_only = options->restore.archive != NULL || options->restore.to != NULL;
    return count_commands(options) <= 1 && (restore || !restores_only) &&
           (restore || options->verify || !options->restore.json);
}

static bool read_options(struct options *out, int argc, char **argv)
{
    enum {
        CONFIG = 1,
        CHECK,
        MAKE_MASTER_KEY,
        EXPORT_ROTATIONS,
        ERASE,
        REKEY_VAULT,
        BACKUP,
        RESTORE,
        ARCHIVE,
        TO,
        VERIFY,
        JSON,
        MOVE_TO,
        HELP,
        HELP_CONFIG,
        VERSION
    };
    static const struct option names[] = {
        {"config", required_argument, NULL, CONFIG},
        {"check", no_argument, NULL, CHECK},
        {"make-master-key", required_argument, NULL, MAKE_MASTER_KEY},
        {"export-rotations", required_argument, NULL, EXPORT_ROTATIONS},
        {"erase", required_argument, NULL, ERASE},
        {"rekey-vault", required_argument, NULL, REKEY_VAULT},
        {"backup", required_argument, NULL, BACKUP},
        {"restore", required_argument, NULL, RESTORE},
        {"archive", required_argument, NULL, ARCHIVE},
        {"to", required_argument, NULL, TO},
        {"verify", no_argument, NULL, VERIFY},
        {"json", no_argument, NULL, JSON},
        {"move-to", required_argument, NULL, MOVE_TO},
        {"help", no_argument, NULL, HELP},
        {"help-config", no_argument, NULL, HELP_CONFIG},
        {"version", no_argument, NULL, VERSION},
        {NULL, 0, NULL, 0},
    };
    *out = (struct options){0};
    for (int found; (found = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        out->config = found == CONFIG ? optarg : out->config;
        out->master_key = found == MAKE_MASTER_KEY ? optarg : out->master_key;
        out->rotations = found == EXPORT_ROTATIONS ? optarg : out->rotations;
        out->erase = found == ERASE ? optarg : out->erase;
        out->rekey = found == REKEY_VAULT ? optarg : out->rekey;
        out->backup = found == BACKUP ? optarg : out->backup;
        out->restore.backup = found == RESTORE ? optarg : out->restore.backup;
        out->restore.archive = found == ARCHIVE ? optarg : out->restore.archive;
        out->restore.to = found == TO ? optarg : out->restore.to;
        out->restore.json = out->restore.json || found == JSON;
        out->verify = out->verify || found == VERIFY;
        out->move_to = found == MOVE_TO ? optarg : out->move_to;
        out->check = out->check || found == CHECK;
        out->help = out->help || found == HELP;
        out->help_config = out->help_config || found == HELP_CONFIG;
        out->version = out->version || found == VERSION;
        if (found == '?') {
            return false;
        }
    }
    return optind == argc && belong_together(out);
}

static int make_master_key(const char *path)
{
    struct cl_status status = vault_key_generate(path);
    if (cl_failed(status)) {
        (void)fprintf(stderr,
                      "coloand: %s: cannot be written: %s. Name a file that does not exist in a folder of yours.\n",
                      path, strerror(errno));
        return EXIT_CONFIG;
    }
    (void)printf(
        "%s written. Keep a copy apart from the database and its backups: without it personal values are lost.\n",
        path);
    return EXIT_SUCCESS;
}

/* No core dump and no debugger of the same user may read keys. */
static void harden(void)
{
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a failed write, which whoever wrote answers for */
}

static sigset_t block_signals(void)
{
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGNAL_STORE_FAILED);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL); /* threads made later inherit it */
    (void)signal(SIGPIPE, SIG_IGN);
    return signals;
}

static void store_failed_now(void *user)
{
    atomic_store((atomic_bool *)user, true);
    (void)kill(getpid(), SIGNAL_STORE_FAILED);
}

static void reload(struct coloand *server, const struct ops_notify *notify)
{
    (void)cl_is_ok(ops_notify_send(notify, OPS_NOTIFY_RELOADING));
    struct cl_setting_error error = {""};
    struct cl_status status = coloand_reload(server, &error);
    if (cl_failed(status)) {
        (void)fprintf(stderr, "coloand: reload: %s\n", error.text);
        cl_log(CL_LOG_ERROR, "coloand.reload_failed", cl_log_text("reason", cl_status_name(status)));
    } else {
        cl_log(CL_LOG_INFO, "coloand.reloaded", cl_log_number("pid", getpid()));
    }
    (void)cl_is_ok(ops_notify_send(notify, OPS_NOTIFY_READY));
}

/* Until a signal ends it. */
static void keep_company(struct coloand *server, const sigset_t *signals, const struct ops_notify *notify)
{
    const struct timespec second = {.tv_sec = 1};
    for (;;) {
        int signal = sigtimedwait(signals, NULL, &second);
        if (signal == SIGHUP) {
            reload(server, notify);
        } else if (signal > 0) {
            return;
        }
        coloand_tick(server);
        if (notify->watchdog_ms > 0) {
            (void)cl_is_ok(ops_notify_send(notify, OPS_NOTIFY_ALIVE));
        }
    }
}

/* A database that fails or cannot be reached is another matter than a mistake of the configuration: starting again helps. */
static int exit_for(struct cl_status status)
{
    return status.reason == CL_STORE_FAILED || status.reason == CL_STORE_UNREACHABLE ? EXIT_STORE : EXIT_CONFIG;
}

static int serve(const struct config *config)
{
    harden();
    sigset_t signals = block_signals();
    atomic_bool store_failed = false;
    struct coloand_options options = {.config = config, .failed = store_failed_now, .user = &store_failed};
    struct coloand *server = NULL;
    struct cl_setting_error error;
    struct cl_status status = coloand_start(&server, &options, &error);
    if (cl_failed(status)) {
        (void)fprintf(stderr, "coloand: %s\n", error.text);
        return exit_for(status);
    }
    struct ops_notify_environment environment = ops_notify_environment();
    struct ops_notify notify = {.fd = -1};
    if (cl_failed(ops_notify_init(&notify, &environment))) {
        cl_log(CL_LOG_WARNING, "coloand.no_notify", cl_log_text("reason", "the manager's socket is not usable"));
    }
    (void)printf("coloand serves %s (%s) on port %u", config->party, config->environment, coloand_port(server));
    if (coloand_metrics_port(server) != 0) {
        (void)printf(", metrics on port %u", coloand_metrics_port(server));
    }
    (void)printf("\n");
    (void)fflush(stdout);
    (void)cl_is_ok(ops_notify_send(&notify, OPS_NOTIFY_READY));
    keep_company(server, &signals, &notify);
    (void)cl_is_ok(ops_notify_send(&notify, OPS_NOTIFY_STOPPING));
    coloand_stop(server);
    ops_notify_close(&notify);
    return atomic_load(&store_failed) ? EXIT_STORE : EXIT_SUCCESS; /* also when it failed while it stopped */
}

/* The operator's commands, which do not serve. */
static int operate(const struct config *config, const struct options *options)
{
    const struct operate operate = {.config = config, .clock = cl_clock_system(), .out = stdout, .err = stderr};
    harden();
    struct cl_status status = cl_ok();
    if (options->rotations != NULL) {
        status = operate_export_rotations(&operate, options->rotations);
    } else if (options->erase != NULL) {
        status = operate_erase(&operate, options->erase);
    } else if (options->backup != NULL) {
        status = backup_make(&operate, options->backup);
    } else if (options->restore.backup != NULL) {
        status = restore_make(&operate, &options->restore);
    } else if (options->verify) {
        status = restore_verify(&operate, options->restore.json);
    } else if (options->rekey != NULL) {
        status = operate_rekey_vault(&operate, options->rekey);
    } else {
        status = operate_move(&operate, options->move_to);
    }
    if (cl_is_ok(status)) {
        return EXIT_SUCCESS;
    }
    bool looked = options->restore.backup != NULL || options->verify;
    return looked && exit_for(status) != EXIT_STORE ? EXIT_NOT_WHOLE : exit_for(status);
}

static int run(const struct options *options)
{
    struct config config;
    struct cl_setting_error error;
    struct cl_status status = config_load(&config, options->config, &error);
    if (cl_failed(status)) {
        (void)fprintf(stderr, "coloand: %s\n", error.text);
        return EXIT_CONFIG;
    }
    cl_log_set_level((enum cl_log_level)config.log_level);
    int result = EXIT_SUCCESS;
    if (options->check) {
        status = coloand_check(&config, &error);
        result = cl_failed(status) ? EXIT_CONFIG : EXIT_SUCCESS;
        (void)fprintf(cl_failed(status) ? stderr : stdout, "coloand: %s\n",
                      cl_failed(status) ? error.text : "the configuration is good");
    } else if (count_commands(options) > 0) {
        result = operate(&config, options);
    } else {
        result = serve(&config);
    }
    config_free(&config);
    return result;
}

int main(int argc, char **argv)
{
    struct options options;
    bool understood = read_options(&options, argc, argv);
    if (options.help || !understood) {
        print_help(understood ? stdout : stderr);
        return understood ? EXIT_SUCCESS : EXIT_USAGE;
    }
    if (options.version) {
        (void)printf("coloand %s\n", COLOAN_VERSION);
        return EXIT_SUCCESS;
    }
    if (options.help_config) {
        config_print_fields(stdout);
        return EXIT_SUCCESS;
    }
    if (options.master_key != NULL) {
        return make_master_key(options.master_key);
    }
    if (options.config == NULL) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    return run(&options);
}
