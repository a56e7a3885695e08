/* A centre is backed up while it serves, restored, and looked at from end to end; every spoilt row is found, and every backup
 * and archive that is not right is refused with a sentence that says what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcoloan/sha256.h"
#include "server/backup.h"
#include "server/manifest.h"
#include "server/moment.h"
#include "server/restore.h"
#include "tests/e2e/journey.h"
#include "tests/support/store_fixture.h"

enum { PATH_BYTES = 512, WAIT_MS = 20000, DOCUMENT_BYTES = 2 * CL_DOCUMENT_CHUNK_BYTES + 99 };

static struct world world;
static struct journey journey;
static char backups[PATH_BYTES], backup[PATH_BYTES + 256], archive[PATH_BYTES], made[PATH_BYTES];
static int64_t between_ms; /* after the backup and the first case, before the second */
static struct config config;
static char *said;
static uint8_t document[DOCUMENT_BYTES];

/* -- Running -------------------------------------------------------------------------------------------------- */

static FILE *open_said(void)
{
    static size_t len;
    free(said);
    said = NULL;
    return open_memstream(&said, &len);
}

static struct operate operate_on(FILE *out)
{
    return (struct operate){.config = &config, .clock = &world.clock, .out = out, .err = out};
}

static void expect(struct cl_status status, const char *name, enum cl_reason reason, const char *words)
{
    if (status.reason != reason || strstr(said, words) == NULL) {
        fail_msg("%s: %s: %s", name, cl_status_name(status), said);
    }
}

static struct cl_status run_backup(const char *folder)
{
    FILE *out = open_said();
    struct operate operate = operate_on(out);
    struct cl_status status = backup_make(&operate, folder);
    (void)fclose(out);
    return status;
}

static struct cl_status run_restore(const struct restore_options *options)
{
    FILE *out = open_said();
    struct operate operate = operate_on(out);
    struct cl_status status = restore_make(&operate, options);
    (void)fclose(out);
    return status;
}

static struct cl_status run_verify(bool json)
{
    FILE *out = open_said();
    struct operate operate = operate_on(out);
    struct cl_status status = restore_verify(&operate, json);
    (void)fclose(out);
    return status;
}

static void remove_made(void)
{
    static const char *const names[] = {"",           "-wal",           "-shm",          "-journal",
                                        ".restoring", ".restoring-wal", ".restoring-shm"};
    char path[PATH_BYTES + 16];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", made, names[i]);
        (void)unlink(path);
    }
}

/* -- The world: a decided case with a document, a backup, and a second case ------------------------------------ */

static struct cl_status read_document(void *user, uint8_t *out, int64_t offset, size_t len)
{
    (void)user;
    memcpy(out, document + offset, len);
    return cl_ok();
}

static void submit_with_document(void)
{
    struct world_submission submission;
    struct cl_answer answer;
    struct cl_digest digest;
    Coloan__V1__DocumentRef ref = COLOAN__V1__DOCUMENT_REF__INIT;
    Coloan__V1__DocumentRef *refs[1] = {&ref};
    world_submission(&submission, journey.arena, people_find(world.people, "P02"), WORLD_ALPHA, "document");
    memset(document, 'd', sizeof document);
    cl_sha256(&digest, cl_bytes(document, sizeof document));
    ref.kind = cl_arena_text(journey.arena, "contract");
    ref.sha256 = (ProtobufCBinaryData){.data = digest.bytes, .len = CL_DIGEST_BYTES};
    ref.size_bytes = DOCUMENT_BYTES;
    submission.application->documents = refs;
    submission.application->n_documents = 1;
    struct cl_session_call what = world_submit_call(&submission);
    struct cl_patience patience = {.total_ms = WAIT_MS};
    struct cl_status status = cl_session_call(&answer, journey.bank, journey.arena, &what, patience);
    assert_string_equal(cl_status_name(status), "OK");
    struct cl_upload upload = {
        .application_id = ((const Coloan__V1__ApplicationReceipt *)answer.body)->application_id,
        .size_bytes = DOCUMENT_BYTES,
        .sha256 = digest,
        .read = read_document,
    };
    status = cl_session_upload(&answer, journey.bank, journey.arena, &upload, patience);
    assert_string_equal(cl_status_name(status), "OK");
}

static void decide_one(const char *persona)
{
    journey_submit(&journey, persona, persona);
    journey_report(&journey, persona);
    journey_until(&journey, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
    journey_approve(&journey);
}

/* A call of the bank. */
static const void *call(const struct cl_session_call *what)
{
    struct cl_answer answer;
    struct cl_status status =
        cl_session_call(&answer, journey.bank, journey.arena, what, (struct cl_patience){.total_ms = WAIT_MS});
    assert_string_equal(cl_status_name(status), "OK");
    return answer.body;
}

/* The bank applies its first events; the others stay pending. */
static void acknowledge_two(void)
{
    enum { EVENTS = 2 };
    Coloan__V1__EventListQuery query = COLOAN__V1__EVENT_LIST_QUERY__INIT;
    query.limit = EVENTS;
    const Coloan__V1__EventList *list = call(&(struct cl_session_call){
        .method = "coloan.v1.JointApproval/ListEvents",
        .body = &query.base,
        .reply_type = &coloan__v1__event_list__descriptor,
    });
    assert_int_equal(list->n_events, EVENTS);
    for (size_t i = 0; i < EVENTS; i++) {
        struct cl_digest event;
        Coloan__V1__Ack ack = COLOAN__V1__ACK__INIT;
        memcpy(event.bytes, list->events[i]->digest.data, sizeof event.bytes);
        ack.sequence = list->events[i]->sequence;
        ack.level = COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED;
        ack.bank_reference = cl_arena_text(journey.arena, "core");
        (void)call(&(struct cl_session_call){
            .method = "coloan.v1.JointApproval/AcknowledgeEvent",
            .body = &ack.base,
            .reply_type = &coloan__v1__event_state__descriptor,
            .acknowledges = &event,
        });
    }
}

static int set_up_world(void **state)
{
    (void)state;
    struct world_options options = {.store = "archive: archive"};
    world_prepare(&world, &options);
    (void)snprintf(archive, sizeof archive, "%s", pki_files_path(&world.files, "archive"));
    (void)snprintf(backups, sizeof backups, "%s", pki_files_path(&world.files, "backups"));
    (void)snprintf(made, sizeof made, "%s", pki_files_path(&world.files, "made.db"));
    assert_int_equal(mkdir(archive, 0700), 0);
    assert_int_equal(mkdir(backups, 0700), 0);
    world_start(&world);
    journey_begin(&journey, &world, "alpha", WORLD_KEY_ALPHA);
    decide_one("P01");
    acknowledge_two();
    submit_with_document();
    config = world.config;
    return 0;
}

static int tear_down_world(void **state)
{
    (void)state;
    journey_end(&journey);
    world_close(&world);
    free(said);
    return 0;
}

/* -- Backup --------------------------------------------------------------------------------------------------- */

static void find_backup(void)
{
    DIR *entries = opendir(backups);
    unsigned count = 0;
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries)) {
        if (entry->d_name[0] != '.') {
            (void)snprintf(backup, sizeof backup, "%s/%s", backups, entry->d_name);
            count++;
        }
    }
    (void)closedir(entries);
    assert_int_equal(count, 1);
}

static void it_is_backed_up_while_it_serves(void **state)
{
    (void)state;
    static const char *const names[] = {MANIFEST_DATABASE, MANIFEST_NAME};
    char left[PATH_BYTES + 64];
    struct stat info;
    (void)snprintf(left, sizeof left, "%s/coloan-20200101T000000000Z.part", backups);
    assert_int_equal(mkdir(left, 0700), 0); /* of a backup that was killed */
    expect(run_backup("/nowhere/at/all"), "no folder", CL_CONFIG_INVALID, "Name a folder that exists");
    expect(run_backup(backups), "backup", CL_OK, "With the archive from segment 1 on");
    find_backup();
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[PATH_BYTES + 320];
        (void)snprintf(path, sizeof path, "%s/%s", backup, names[i]);
        assert_int_equal(stat(path, &info), 0);
        assert_int_equal(info.st_mode & 0777, 0600);
    }
    assert_int_equal(stat(backup, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700);
    assert_false(fixture_folder_holds(backup, "990101")); /* no ID number */
    between_ms = world_now_ms(&world);
    (void)usleep(5000);
    decide_one("P03");
    assert_int_equal(journey_state(&journey), COLOAN__V1__CASE_STATE__CASE_STATE_APPROVED);
    expect(run_verify(false), "verify beside the server", CL_OK, "whole, 0 faults");
    world_stop(&world);
}

/* A part that is being made by somebody is left alone. */
static void another_backup_under_way_is_left_alone(void **state)
{
    (void)state;
    char part[PATH_BYTES + 64];
    char folder[PATH_BYTES];
    (void)snprintf(folder, sizeof folder, "%s", pki_files_path(&world.files, "others"));
    (void)snprintf(part, sizeof part, "%s/coloan-20200101T000000000Z.part", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(mkdir(part, 0700), 0);
    int fd = open(part, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(run_backup(folder).reason, CL_OK);
    assert_int_equal(access(part, F_OK), 0);
    (void)close(fd);
    assert_int_equal(run_backup(folder).reason, CL_OK);
    assert_int_equal(access(part, F_OK), -1);
}

static void a_full_disk_leaves_no_backup(void **state)
{
    (void)state;
    char folder[PATH_BYTES];
    struct rlimit limit;
    (void)snprintf(folder, sizeof folder, "%s", pki_files_path(&world.files, "full"));
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 100 * 1024;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    struct cl_status status = run_backup(folder);
    limit.rlim_cur = before;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    expect(status, "full", CL_STORE_FAILED, "Nothing was left there");
    assert_int_equal(rmdir(folder), 0); /* it is empty */
}

/* -- Restore -------------------------------------------------------------------------------------------------- */

static void restored_to_a_moment(const char *to, const char *words)
{
    struct restore_options options = {.backup = backup, .archive = archive, .to = to};
    config.database = made;
    expect(run_restore(&options), to == NULL ? "the end" : to, CL_OK, words);
    assert_true(strstr(said, "whole, 0 faults") != NULL);
    remove_made();
}

static void it_is_restored(void **state)
{
    (void)state;
    char text[MOMENT_TEXT_BYTES];
    struct restore_options alone = {.backup = backup, .json = true};
    config.database = made;
    expect(run_restore(&alone), "alone", CL_OK, "\"whole\":true");
    assert_non_null(strstr(said, "\"decisions\":1,"));
    assert_non_null(strstr(said, "\"documents\":1,"));
    struct stat info;
    assert_int_equal(stat(made, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    expect(run_restore(&alone), "again", CL_CONFIG_INVALID, "It is there already");
    remove_made();
    moment_write(text, between_ms);
    restored_to_a_moment(text, "decisions  1,");
    restored_to_a_moment(NULL, "decisions  2,");
    restored_to_a_moment("2099-01-01T00:00:00Z", "decisions  2,");
}

/* What comes back serves as what was there. */
static void what_was_restored_serves(void **state)
{
    (void)state;
    struct restore_options options = {.backup = backup, .archive = archive};
    config.database = made;
    expect(run_restore(&options), "restore", CL_OK, "restored. Before it serves");
    world.config.database = made;
    world_start(&world);
    journey_end(&journey);
    char id[sizeof journey.id];
    memcpy(id, journey.id, sizeof id);
    journey_begin(&journey, &world, "alpha", WORLD_KEY_ALPHA);
    memcpy(journey.id, id, sizeof id);
    assert_int_equal(journey_state(&journey), COLOAN__V1__CASE_STATE__CASE_STATE_APPROVED);
    decide_one("P06");
    world_stop(&world);
    expect(run_verify(true), "verify", CL_OK, "\"decisions\":3,");
    remove_made();
}

/* -- What is not right ---------------------------------------------------------------------------------------- */

static const char *path_in(const char *folder, const char *name)
{
    static char path[PATH_BYTES + 320];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_at(const char *path, const char *text, off_t at)
{
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, strlen(text), at), (ssize_t)strlen(text));
    (void)close(fd);
}

static void edit_manifest(const char *from, const char *to)
{
    char text[8192];
    FILE *file = fopen(path_in(backup, MANIFEST_NAME), "r+e");
    size_t len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    char *place = strstr(text, from);
    assert_non_null(place);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(place, to, strlen(to));
    rewind(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    (void)fclose(file);
}

static void spoil_copy(void)
{
    write_at(path_in(backup, MANIFEST_DATABASE), "spoilt", 50000);
}

static void name_another_centre(void)
{
    edit_manifest("fund:cn-nj-prov", "fund:cn-nj-city");
}

static void name_another_file(void)
{
    edit_manifest("\"sha256\": \"", "\"sha255\": \"");
}

static void lose_manifest(void)
{
    assert_int_equal(unlink(path_in(backup, MANIFEST_NAME)), 0);
}

static void tear_segment(void)
{
    struct stat info;
    const char *path = path_in(archive, "000000000001.segment");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size - 1000), 0);
}

static void flip_segment(void)
{
    write_at(path_in(archive, "000000000001.segment"), "flipped", 200000);
}

static void lose_segment(void)
{
    assert_int_equal(unlink(path_in(archive, "000000000001.segment")), 0);
}

static void leave_log(void)
{
    char path[PATH_BYTES + 8];
    (void)snprintf(path, sizeof path, "%s-wal", made);
    FILE *file = fopen(path, "we");
    (void)fclose(file);
}

static void nothing(void)
{
}

static void copy_tree(const char *from, const char *to)
{
    char command[4 * PATH_BYTES + 1024];
    (void)snprintf(command, sizeof command, "rm -rf '%s' && cp -a '%s' '%s'", to, from, to);
    assert_int_equal(system(command), 0);
}

static void what_is_not_right_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*spoil)(void);
        bool with_archive;
        const char *to, *words;
    } rows[] = {
        {"nothing", nothing, true, NULL, ""},
        {"a changed copy", spoil_copy, true, NULL, "It is not the file that its manifest names"},
        {"another centre's", name_another_centre, true, NULL, "another centre's"},
        {"a manifest that says less", name_another_file, true, NULL, "not the manifest of a backup"},
        {"no manifest", lose_manifest, true, NULL, "not the manifest of a backup"},
        {"a torn segment", tear_segment, true, NULL, "segment 1 is torn at byte"},
        {"a flipped bit", flip_segment, true, NULL, "segment 1 is damaged at byte"},
        {"a missing segment", lose_segment, true, NULL, "segment 1 is not there"},
        {"too early", nothing, true, "2020-01-01T00:00:00Z", "Take an earlier one"},
        {"no moment", nothing, true, "yesterday", "A moment is written like"},
        {"no such day", nothing, true, "2026-02-30T00:00:00Z", "A moment is written like"},
        {"a moment without archive", nothing, false, "2099-01-01T00:00:00Z", "A moment needs --archive"},
        {"a log that nobody knows", leave_log, true, NULL, "-wal: It is there already"},
    };
    char kept_backup[PATH_BYTES + 264];
    char kept_archive[PATH_BYTES + 8];
    (void)snprintf(kept_backup, sizeof kept_backup, "%s.kept", backup);
    (void)snprintf(kept_archive, sizeof kept_archive, "%s.kept", archive);
    copy_tree(backup, kept_backup);
    copy_tree(archive, kept_archive);
    config.database = made;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct restore_options options = {
            .backup = backup, .archive = rows[i].with_archive ? archive : NULL, .to = rows[i].to};
        rows[i].spoil();
        struct cl_status status = run_restore(&options);
        expect(status, rows[i].name, rows[i].words[0] == '\0' ? CL_OK : CL_CONFIG_INVALID, rows[i].words);
        assert_int_equal(access(made, F_OK) == 0, cl_is_ok(status)); /* nothing half made has the name */
        remove_made();
        copy_tree(kept_backup, backup);
        copy_tree(kept_archive, archive);
    }
}

/* The sentence about a torn archive names a moment that can be had. */
static void a_torn_archive_says_how_far_it_goes(void **state)
{
    (void)state;
    char moment[MOMENT_TEXT_BYTES];
    struct restore_options options = {.backup = backup, .archive = archive};
    config.database = made;
    tear_segment();
    expect(run_restore(&options), "torn", CL_CONFIG_INVALID, "--to ");
    (void)snprintf(moment, sizeof moment, "%.24s", strstr(said, "--to ") + 5);
    restored_to_a_moment(moment, "archive  ");
}

/* -- Verify --------------------------------------------------------------------------------------------------- */

static void spoil_rows(const char *statements)
{
    sqlite3 *database = NULL;
    char *error = NULL;
    assert_int_equal(sqlite3_open(made, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, "PRAGMA foreign_keys = OFF", NULL, NULL, NULL), SQLITE_OK);
    if (sqlite3_exec(database, statements, NULL, NULL, &error) != SQLITE_OK) {
        fail_msg("%s: %s", statements, error);
    }
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

#define FREE(table) "DROP TRIGGER IF EXISTS " table "_keep; DROP TRIGGER IF EXISTS " table "_stay;"

static void every_spoilt_row_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *name, *statements, *words;
    } rows[] = {
        {"nothing", "", ""},
        {"a byte of a message",
         FREE("messages") "UPDATE messages SET envelope = CAST(envelope || x'00' AS BLOB) WHERE rowid = 3",
         "have another digest"},
        {"a message's sender", FREE("messages") "UPDATE messages SET sender = 'bank:cn-beta-js' WHERE rowid = 3",
         "its row says other than what was signed"},
        {"a message's kind", FREE("messages") "UPDATE messages SET direction = 1 WHERE direction = 3",
         "its row says other than what was signed"},
        {"another answer",
         "DROP TRIGGER messages_reply_once; UPDATE messages SET reply = (SELECT digest FROM messages WHERE direction = "
         "2"
         " ORDER BY at_ms LIMIT 1) WHERE direction = 1 AND rowid = (SELECT max(rowid) FROM messages WHERE direction = 1"
         " AND reply IS NOT NULL)",
         "is not the one that its request names"},
        {"an event less",
         FREE("outbox") FREE("delivery_log") "DELETE FROM pending WHERE sequence = 5;"
                                             "DELETE FROM delivery_log WHERE sequence = 5;"
                                             "DELETE FROM outbox WHERE sequence = 5",
         "has a gap, or another head than"},
        {"a head too high", "UPDATE outbox_heads SET head = head + 1", "has a gap, or another head than"},
        {"two events changed places",
         FREE("outbox") "UPDATE outbox SET sequence = 1000 WHERE sequence = 1;"
                        "UPDATE outbox SET sequence = 1 WHERE sequence = 2;"
                        "UPDATE outbox SET sequence = 2 WHERE sequence = 1000",
         "stands not in the outbox of"},
        {"a chain's value", FREE("outbox") "UPDATE outbox SET chain = zeroblob(32) WHERE sequence = 2",
         "breaks at event"},
        {"a head's chain", "UPDATE outbox_heads SET chain = zeroblob(32)", "has another chain than its last event"},
        {"an acknowledgement of another event",
         FREE("outbox_acks") "UPDATE outbox_acks SET digest = (SELECT digest FROM outbox_acks b WHERE b.recipient ="
                             " outbox_acks.recipient AND b.sequence <> outbox_acks.sequence)",
         "is acknowledged by words about something else"},
        {"a floor too high", "UPDATE outbox_heads SET received_floor = head", "has acknowledged other than its floors"},
        {"a floor too low", "UPDATE outbox_heads SET applied_floor = 0, received_floor = 0",
         "has acknowledged other than its floors"},
        {"an event that is forgotten", "DELETE FROM pending", "not acknowledged, and not on its way either"},
        {"an event of another case",
         "UPDATE pending SET application_id = (SELECT id FROM applications WHERE id <> pending.application_id)",
         "is on its way for another application"},
        {"a decision on another case's event",
         FREE("decisions") "UPDATE decisions SET event = (SELECT digest FROM messages WHERE direction = 1 LIMIT 1)",
         "has no event of its own"},
        {"a trace", FREE("traces") "UPDATE traces SET trace = CAST(trace || x'00' AS BLOB)", "has another digest"},
        {"a tally", "UPDATE case_states SET cases = cases + 1", "the tally of"},
        {"a personal value", "UPDATE vault_values SET sealed = zeroblob(length(sealed)) WHERE path = 'persons[0].name'",
         "do not open"},
        {"a data key", "UPDATE vault_keys SET wrapped = zeroblob(length(wrapped))", "do not open"},
        {"the vault's key", "UPDATE vault_master SET blind = zeroblob(length(blind))", "own key does not open"},
        {"another master key", "UPDATE vault_master SET master_id = zeroblob(16)", "another master key"},
        {"a document's piece", FREE("document_pieces") "DELETE FROM document_pieces WHERE at = 0",
         "is not what was uploaded"},
        {"a newer schema", "INSERT INTO migrations VALUES (99, 'later', zeroblob(32), 1)",
         "its schema is that of migration 99"},
        {"a reference to nothing", FREE("decisions") "UPDATE decisions SET event = zeroblob(32)",
         "SQLite finds the file damaged"},
    };
    struct restore_options options = {.backup = backup, .archive = archive};
    config.database = made;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(run_restore(&options).reason, CL_OK);
        spoil_rows(rows[i].statements);
        expect(run_verify(false), rows[i].name, rows[i].words[0] == '\0' ? CL_OK : CL_CONFIG_INVALID, rows[i].words);
        remove_made();
    }
}

static void damaged_pages_are_found(void **state)
{
    (void)state;
    struct restore_options options = {.backup = backup};
    config.database = made;
    assert_int_equal(run_restore(&options).reason, CL_OK);
    write_at(made, "damage damage damage damage", 5 * 4096);
    expect(run_verify(false), "pages", CL_CONFIG_INVALID, "NOT WHOLE");
    remove_made();
    expect(run_verify(false), "none", CL_CONFIG_INVALID, "Does it exist");
}

/* A test that failed must not be in the way of the next. */
static int set_up(void **state)
{
    (void)state;
    remove_made();
    return 0;
}

int main(void)
{
    (void)signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_is_backed_up_while_it_serves, set_up),
        cmocka_unit_test_setup(another_backup_under_way_is_left_alone, set_up),
        cmocka_unit_test_setup(a_full_disk_leaves_no_backup, set_up),
        cmocka_unit_test_setup(it_is_restored, set_up),
        cmocka_unit_test_setup(what_is_not_right_is_refused, set_up),
        cmocka_unit_test_setup(every_spoilt_row_is_found, set_up),
        cmocka_unit_test_setup(damaged_pages_are_found, set_up),
        cmocka_unit_test_setup(what_was_restored_serves, set_up),
        cmocka_unit_test_setup(a_torn_archive_says_how_far_it_goes, set_up),
    };
    return cmocka_run_group_tests(tests, set_up_world, tear_down_world);
}
