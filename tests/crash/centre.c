#include "tests/crash/centre.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "server/store/store.h"

enum { STOP_MS_MAX = 60000 };

void centre_open(struct centre_files *files, const struct centre_options *options)
{
    char extra[512];
    (void)snprintf(extra, sizeof extra, "calls_per_second: 1000000\nburst: 1000000\n%s",
                   options->extra == NULL ? "" : options->extra);
    struct world_options world = {.extra = extra, .store = options->store, .database = options->database};
    files->program = options->program == NULL ? COLOAN_COLOAND : options->program;
    world_prepare(&files->world, &world);
}

void centre_close(struct centre_files *files)
{
    world_close(&files->world);
}

bool centre_start(struct process *out, const struct centre_files *files)
{
    return process_start(out, files->program, world_config_path(&files->world));
}

int64_t centre_file_bytes(const struct centre_files *files, const char *name)
{
    struct stat file;
    return stat(pki_files_path(&files->world.files, name), &file) == 0 ? (int64_t)file.st_size : 0;
}

static const char *check_all(struct bank *bank, uint16_t port)
{
    if (!bank_connect(bank, port, BANK_FINISH)) {
        return "the centre does not answer after the last start";
    }
    bank_finish(bank, CENTRE_PATIENCE_MS);
    if (bank_violation(bank) == NULL) {
        bank_check_answers(bank, CENTRE_PATIENCE_MS);
    }
    if (bank_violation(bank) == NULL) {
        bank_check_cases(bank);
    }
    bank_disconnect(bank);
    if (bank_violation(bank) != NULL) {
        return bank_violation(bank);
    }
    if (!bank_connect(bank, port, BANK_REPLAY)) {
        return "the centre does not answer any more";
    }
    bank_check_stream(bank, CENTRE_PATIENCE_MS);
    bank_disconnect(bank);
    return bank_violation(bank);
}

static const char *check_file(const struct centre_files *files)
{
    struct store *store = NULL;
    struct store_options options = {.address = world_database(&files->world), .clock = cl_clock_system()};
    struct cl_status status = store_open(&store, &options);
    if (cl_is_ok(status)) {
        status = store_check(store);
        store_close(store);
    }
    return cl_is_ok(status) ? NULL : "the database file is damaged";
}

const char *centre_verdict(struct bank *bank, const struct centre_files *files)
{
    struct process process;
    if (!centre_start(&process, files)) {
        return "the centre does not start the last time";
    }
    const char *wrong = check_all(bank, process.port);
    if (wrong != NULL) {
        process_kill(&process);
        return wrong;
    }
    (void)kill(process.pid, SIGTERM);
    struct process_end end = process_wait(&process, STOP_MS_MAX);
    process_kill(&process);
    if (!end.ended || end.status != 0) {
        return "the centre does not stop in good order";
    }
    return check_file(files);
}
