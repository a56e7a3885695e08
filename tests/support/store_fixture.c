#include "tests/support/store_fixture.h"

#include <assert.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/postgres.h"

enum { ARENA_BYTES_MAX = 8 * 1024 * 1024, FOLDER_BYTES = 64, ROWS_MAX = 100 };

struct store_fixture {
    struct store_command command;
    char folder[FOLDER_BYTES];
    char address[FIXTURE_ADDRESS_BYTES];
    struct store *store;
    struct cl_arena *arena;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct store_tx *tx; /* lent to the test */
    bool ended;          /* by the test */
    bool done;
    struct cl_status status;
};

void fixture_make_folder(char *out)
{
    strcpy(out, "/tmp/coloan-test-XXXXXX");
    const char *made = mkdtemp(out);
    assert(made != NULL);
}

void fixture_remove_folder(const char *folder)
{
    DIR *directory = opendir(folder);
    assert(directory != NULL);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        char path[FOLDER_BYTES + 300];
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        (void)unlink(path);
    }
    (void)closedir(directory);
    (void)rmdir(folder);
}

static bool file_holds(const char *path, const char *needle)
{
    FILE *file = fopen(path, "rb");
    assert(file != NULL);
    (void)fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(size + 1);
    assert(bytes != NULL);
    size = fread(bytes, 1, size, file);
    bool holds = memmem(bytes, size, needle, strlen(needle)) != NULL;
    free(bytes);
    (void)fclose(file);
    return holds;
}

bool fixture_folder_holds(const char *folder, const char *needle)
{
    bool holds = false;
    DIR *directory = opendir(folder);
    assert(directory != NULL);
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        char path[FOLDER_BYTES + 300];
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        holds = holds || (entry->d_name[0] != '.' && file_holds(path, needle));
    }
    (void)closedir(directory);
    return holds;
}

bool fixture_on_postgres(void)
{
    struct postgres_server server;
    return postgres_server_shared(&server);
}

void fixture_make_address(char out[FIXTURE_ADDRESS_BYTES], const char *folder)
{
    struct postgres_server server;
    if (postgres_server_shared(&server)) {
        postgres_database_create(out, &server);
    } else {
        (void)snprintf(out, FIXTURE_ADDRESS_BYTES, "%s/coloan.db", folder);
    }
}

void fixture_drop_address(const char *address)
{
    if (address[0] != '/') {
        postgres_database_drop(address);
    }
}

static void open_store(struct store_fixture *fixture)
{
    const struct store_options options = {.address = fixture->address, .clock = cl_clock_system()};
    struct cl_status status = store_open(&fixture->store, &options);
    assert(cl_is_ok(status));
}

struct store_fixture *store_fixture_create(void)
{
    struct store_fixture *fixture = calloc(1, sizeof *fixture);
    assert(fixture != NULL);
    (void)pthread_mutex_init(&fixture->mutex, NULL);
    (void)pthread_cond_init(&fixture->changed, NULL);
    fixture_make_folder(fixture->folder);
    fixture_make_address(fixture->address, fixture->folder);
    struct cl_status status = cl_arena_create(&fixture->arena, ARENA_BYTES_MAX);
    assert(cl_is_ok(status));
    open_store(fixture);
    return fixture;
}

void store_fixture_free(struct store_fixture *fixture)
{
    store_close(fixture->store);
    fixture_drop_address(fixture->address);
    cl_arena_free(fixture->arena);
    fixture_remove_folder(fixture->folder);
    (void)pthread_cond_destroy(&fixture->changed);
    (void)pthread_mutex_destroy(&fixture->mutex);
    free(fixture);
}

void store_fixture_reopen(struct store_fixture *fixture)
{
    store_close(fixture->store);
    open_store(fixture);
}

void store_fixture_release(struct store_fixture *fixture)
{
    store_close(fixture->store);
    fixture->store = NULL;
}

struct store *store_fixture_store(struct store_fixture *fixture)
{
    return fixture->store;
}

const char *store_fixture_address(const struct store_fixture *fixture)
{
    return fixture->address;
}

const char *store_fixture_folder(const struct store_fixture *fixture)
{
    return fixture->folder;
}

struct cl_arena *store_fixture_arena(struct store_fixture *fixture)
{
    return fixture->arena;
}

/* -- The lent transaction ------------------------------------------------------------------------------------ */

static struct cl_status lend(struct store_command *command, struct store_tx *tx)
{
    struct store_fixture *fixture = (struct store_fixture *)command;
    (void)pthread_mutex_lock(&fixture->mutex);
    fixture->tx = tx;
    (void)pthread_cond_broadcast(&fixture->changed);
    while (!fixture->ended) {
        (void)pthread_cond_wait(&fixture->changed, &fixture->mutex);
    }
    fixture->tx = NULL;
    struct cl_status status = fixture->status;
    (void)pthread_mutex_unlock(&fixture->mutex);
    return status;
}

static void lend_done(struct store_command *command, struct cl_status status)
{
    struct store_fixture *fixture = (struct store_fixture *)command;
    (void)pthread_mutex_lock(&fixture->mutex);
    fixture->status = status;
    fixture->done = true;
    (void)pthread_cond_broadcast(&fixture->changed);
    (void)pthread_mutex_unlock(&fixture->mutex);
}

struct store_tx *store_fixture_begin(struct store_fixture *fixture)
{
    fixture->command = (struct store_command){.apply = lend, .done = lend_done};
    fixture->ended = false;
    fixture->done = false;
    struct cl_status status = store_submit(fixture->store, &fixture->command);
    assert(cl_is_ok(status));
    (void)pthread_mutex_lock(&fixture->mutex);
    while (fixture->tx == NULL) {
        (void)pthread_cond_wait(&fixture->changed, &fixture->mutex);
    }
    struct store_tx *tx = fixture->tx;
    (void)pthread_mutex_unlock(&fixture->mutex);
    return tx;
}

struct cl_status store_fixture_end(struct store_fixture *fixture, struct cl_status status)
{
    (void)pthread_mutex_lock(&fixture->mutex);
    fixture->status = status;
    fixture->ended = true;
    (void)pthread_cond_broadcast(&fixture->changed);
    while (!fixture->done) {
        (void)pthread_cond_wait(&fixture->changed, &fixture->mutex);
    }
    status = fixture->status;
    (void)pthread_mutex_unlock(&fixture->mutex);
    return status;
}

/* -- Rows ---------------------------------------------------------------------------------------------------- */

struct cl_digest fixture_digest(unsigned number)
{
    struct cl_digest digest;
    memset(digest.bytes, 0xd1, sizeof digest.bytes);
    memcpy(digest.bytes, &number, sizeof number);
    return digest;
}

struct message_row fixture_message(unsigned number)
{
    static const char envelope[] = "the signed bytes of a message";
    struct message_row row = {
        .digest = fixture_digest(number),
        .way = MESSAGE_RECEIVED,
        .sender = "bank:cn-alpha-js",
        .recipient = "fund:cn-test-nj",
        .direction = 1,
        .method = "coloan.v1.JointApproval/SubmitApplication",
        .at_ms = 1000 + number,
        .envelope = cl_bytes(envelope, sizeof envelope - 1),
    };
    memcpy(row.message_id, &number, sizeof number);
    return row;
}

const char *fixture_application_id(unsigned number)
{
    static char ids[ROWS_MAX][APPLICATION_ID_BYTES];
    assert(number < ROWS_MAX);
    (void)snprintf(ids[number], sizeof ids[number], "01900000-0000-7000-8000-%012u", number);
    return ids[number];
}

struct application_row fixture_application(unsigned number)
{
    static char references[ROWS_MAX][16];
    assert(number < ROWS_MAX);
    (void)snprintf(references[number], sizeof references[number], "REF-%u", number);
    return (struct application_row){
        .id = fixture_application_id(number),
        .external_ref = references[number],
        .sender = "bank:cn-alpha-js",
        .bank = "bank:cn-alpha-js",
        .bank_epoch = 1,
        .state = 1,
        .fund = 1,
        .bank_track = 1,
        .registry = 1,
        .outcome = 1,
        .next_actor = 1,
        .round = 1,
        .rule_set = "REF-NJ-2026-11",
        .submission = fixture_digest(number),
        .submitted_ms = 1000 + number,
        .changed_ms = 1000 + number,
    };
}

void fixture_add_application(struct store_tx *tx, unsigned number)
{
    struct message_row message = fixture_message(number);
    struct application_row application = fixture_application(number);
    struct cl_status status = messages_add(tx, &message);
    if (cl_is_ok(status)) {
        status = applications_insert(tx, &application);
    }
    assert(cl_is_ok(status));
}
