#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/vault/vault.h"
#include "tests/support/store_fixture.h"

#define CANARY_NAME   "金丝雀甲"
#define CANARY_NUMBER "990101199603150019"

struct bench {
    struct store_fixture *fixture;
    char folder[64];
    char key_path[96];
    struct vault *vault;
};

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    bench->fixture = store_fixture_create();
    fixture_make_folder(bench->folder);
    (void)snprintf(bench->key_path, sizeof bench->key_path, "%s/master.key", bench->folder);
    assert_int_equal(vault_key_generate(bench->key_path).reason, CL_OK);
    assert_int_equal(vault_open(&bench->vault, bench->key_path).reason, CL_OK);
    struct store_tx *tx = store_fixture_begin(bench->fixture);
    assert_int_equal(vault_attach(bench->vault, tx).reason, CL_OK);
    assert_int_equal(store_fixture_end(bench->fixture, cl_ok()).reason, CL_OK);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    vault_close(bench->vault);
    store_fixture_free(bench->fixture);
    fixture_remove_folder(bench->folder);
    free(bench);
    return 0;
}

static struct vault_value value_of(const char *path, uint8_t salt, const char *text)
{
    struct vault_value value = {.path = path, .value = cl_bytes_text(text)};
    memset(value.salt, salt, sizeof value.salt);
    return value;
}

/* -- Master key ---------------------------------------------------------------------------------------------- */

static void write_file(const char *path, const void *bytes, size_t len, mode_t mode)
{
    (void)unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

static void a_master_key_is_raw_or_hex_and_private(void **state)
{
    struct bench *bench = *state;
    static const char hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    static const struct {
        const char *name, *text;
        size_t len;
        mode_t mode;
        enum cl_reason expected;
    } rows[] = {
        {"raw", hex, 32, 0600, CL_OK},
        {"raw, read-only", hex, 32, 0400, CL_OK},
        {"hex", hex, 64, 0600, CL_OK},
        {"hex, line end", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n", 65, 0600, CL_OK},
        {"hex, two line ends", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n\n", 66, 0600,
         CL_CONFIG_INVALID},
        {"hex, no line end but a blank", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f ", 65, 0600,
         CL_CONFIG_INVALID},
        {"not hex", "g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 64, 0600, CL_CONFIG_INVALID},
        {"short", hex, 31, 0600, CL_CONFIG_INVALID},
        {"raw and more", hex, 33, 0600, CL_CONFIG_INVALID},
        {"hex, short", hex, 63, 0600, CL_CONFIG_INVALID},
        {"empty", hex, 0, 0600, CL_CONFIG_INVALID},
        {"open to the group", hex, 64, 0640, CL_CONFIG_INVALID},
        {"open to all", hex, 64, 0604, CL_CONFIG_INVALID},
    };
    char path[96];
    (void)snprintf(path, sizeof path, "%s/other.key", bench->folder);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct vault *vault = NULL;
        write_file(path, rows[i].text, rows[i].len, rows[i].mode);
        struct cl_status status = vault_open(&vault, path);
        if (status.reason != rows[i].expected) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
        vault_close(vault);
    }
    struct vault *vault = NULL;
    assert_int_equal(vault_open(&vault, "/nonexistent/key").reason, CL_CONFIG_INVALID);
    assert_int_equal(vault_open(&vault, bench->folder).reason, CL_CONFIG_INVALID);
}

static void a_generated_key_is_private_and_never_overwritten(void **state)
{
    struct bench *bench = *state;
    struct stat info;
    assert_int_equal(stat(bench->key_path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(info.st_size, 65);
    assert_int_equal(vault_key_generate(bench->key_path).reason, CL_SYSTEM);
    assert_int_equal(vault_key_generate("/nonexistent/key").reason, CL_SYSTEM);
}

/* -- Values -------------------------------------------------------------------------------------------------- */

static void assert_value(const struct vault_value *value, const char *path, uint8_t salt, const char *text)
{
    assert_string_equal(value->path, path);
    for (size_t i = 0; i < sizeof value->salt; i++) {
        assert_int_equal(value->salt[i], salt);
    }
    assert_true(cl_bytes_equal(value->value, cl_bytes_text(text)));
}

static void values_come_back_with_their_salts(void **state)
{
    struct bench *bench = *state;
    struct cl_arena *arena = store_fixture_arena(bench->fixture);
    struct vault_values values = {.count = 9};
    const struct vault_value put[] = {
        value_of("persons[0].name", 1, CANARY_NAME),
        value_of("persons[0].id_number", 2, CANARY_NUMBER),
        value_of("home.address", 3, "x"),
    };
    struct store_tx *tx = store_fixture_begin(bench->fixture);
    struct sql *sql = store_tx_sql(tx);
    assert_int_equal(vault_list(&values, sql, bench->vault, arena, "a").reason, CL_OK);
    assert_int_equal(values.count, 0);
    assert_int_equal(vault_put(tx, bench->vault, "a", put, 2).reason, CL_OK);
    assert_int_equal(vault_put(tx, bench->vault, "a", put + 2, 1).reason, CL_OK);
    assert_int_equal(vault_put(tx, bench->vault, "b", put + 2, 1).reason, CL_OK);
    assert_int_equal(vault_list(&values, sql, bench->vault, arena, "a").reason, CL_OK);
    assert_int_equal(values.count, 3);
    assert_value(&values.values[0], "home.address", 3, "x");
    assert_value(&values.values[1], "persons[0].id_number", 2, CANARY_NUMBER);
    assert_value(&values.values[2], "persons[0].name", 1, CANARY_NAME);

    const struct vault_value newer = value_of("persons[0].name", 4, "new");
    assert_int_equal(vault_put(tx, bench->vault, "a", &newer, 1).reason, CL_OK);
    assert_int_equal(vault_list(&values, sql, bench->vault, arena, "a").reason, CL_OK);
    assert_int_equal(values.count, 3);
    assert_value(&values.values[2], "persons[0].name", 4, "new");
    assert_int_equal(store_fixture_end(bench->fixture, cl_ok()).reason, CL_OK);
}

static void a_value_out_of_range_is_refused_with_all(void **state)
{
    struct bench *bench = *state;
    static char long_text[CL_DISCLOSURE_VALUE_BYTES_MAX + 2];
    static char long_path[130];
    memset(long_text, 'a', CL_DISCLOSURE_VALUE_BYTES_MAX);
    memset(long_path, 'p', 129);
    struct vault_values values;
    struct cl_arena *arena = store_fixture_arena(bench->fixture);
    struct store_tx *tx = store_fixture_begin(bench->fixture);
    struct vault_value put[] = {value_of("a", 1, "fine"), value_of("b", 1, long_text)};
    assert_int_equal(vault_put(tx, bench->vault, "a", put, 2).reason, CL_OK); /* the longest */
    long_text[CL_DISCLOSURE_VALUE_BYTES_MAX] = 'a';
    put[1] = value_of("b", 1, long_text);
    assert_int_equal(vault_put(tx, bench->vault, "b", put, 2).reason, CL_FIELD_INVALID);
    put[1] = value_of("b", 1, "");
    assert_int_equal(vault_put(tx, bench->vault, "b", put, 2).reason, CL_FIELD_INVALID);
    put[1] = value_of("", 1, "x");
    assert_int_equal(vault_put(tx, bench->vault, "b", put, 2).reason, CL_FIELD_INVALID);
    put[1] = value_of(long_path, 1, "x");
    assert_int_equal(vault_put(tx, bench->vault, "b", put, 2).reason, CL_FIELD_INVALID);
    assert_int_equal(vault_put(tx, bench->vault, long_path, put, 1).reason, CL_FIELD_INVALID);
    assert_int_equal(vault_list(&values, store_tx_sql(tx), bench->vault, arena, "b").reason, CL_OK);
    assert_int_equal(values.count, 0);
    assert_int_equal(store_fixture_end(bench->fixture, cl_ok()).reason, CL_OK);
}

/* Whatever is changed or moved in the tables, the value does not open. */
/* Covers: COL-PER-007 */
static void moved_or_changed_bytes_do_not_open(void **state)
{
    struct bench *bench = *state;
    static const struct {
        const char *name, *text;
        enum cl_reason expected;
    } rows[] = {
        {"nothing", "SELECT 1", CL_OK},
        {"other path", "UPDATE vault_values SET path = 'c' WHERE application_id = 'a' AND path = 'a'",
         CL_VAULT_CORRUPT},
        {"other version", "UPDATE vault_values SET version = 2 WHERE application_id = 'a' AND path = 'a'",
         CL_VAULT_CORRUPT},
        {"value of another path",
         "UPDATE vault_values SET sealed = (SELECT sealed FROM vault_values WHERE application_id = 'a' AND path = 'b')"
         " WHERE application_id = 'a' AND path = 'a'",
         CL_VAULT_CORRUPT},
        {"value of another application",
         "UPDATE vault_values SET sealed = (SELECT sealed FROM vault_values WHERE application_id = 'b' AND path = 'a')"
         " WHERE application_id = 'a' AND path = 'a'",
         CL_VAULT_CORRUPT},
        {"key of another application",
         "UPDATE vault_keys SET wrapped = (SELECT wrapped FROM vault_keys WHERE application_id = 'b')"
         " WHERE application_id = 'a'",
         CL_VAULT_CORRUPT},
        {"key and value of another application",
         "UPDATE vault_keys SET wrapped = (SELECT wrapped FROM vault_keys WHERE application_id = 'b')"
         " WHERE application_id = 'a';"
         "UPDATE vault_values SET sealed = (SELECT sealed FROM vault_values WHERE application_id = 'b' AND path = 'a')"
         " WHERE application_id = 'a' AND path = 'a'",
         CL_VAULT_CORRUPT},
        {"empty value", "UPDATE vault_values SET sealed = zeroblob(0) WHERE path = 'a'", CL_VAULT_CORRUPT},
        {"zeroed value", "UPDATE vault_values SET sealed = zeroblob(60) WHERE path = 'a'", CL_VAULT_CORRUPT},
        {"empty key", "UPDATE vault_keys SET wrapped = zeroblob(0)", CL_VAULT_CORRUPT},
        {"long key", "UPDATE vault_keys SET wrapped = zeroblob(1000)", CL_VAULT_CORRUPT},
    };
    struct cl_arena *arena = store_fixture_arena(bench->fixture);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct vault_value put[] = {value_of("a", 1, "same"), value_of("b", 1, "same")};
        struct vault_values values = {.count = 7};
        struct store_tx *tx = store_fixture_begin(bench->fixture);
        assert_int_equal(vault_put(tx, bench->vault, "a", put, 2).reason, CL_OK);
        assert_int_equal(vault_put(tx, bench->vault, "b", put, 2).reason, CL_OK);
        assert_int_equal(sql_script(store_tx_sql(tx), rows[i].text).reason, CL_OK);
        struct cl_status status = vault_list(&values, store_tx_sql(tx), bench->vault, arena, "a");
        if (status.reason != rows[i].expected) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
        assert_int_equal(values.count, cl_is_ok(status) ? 2 : 7);
        assert_int_equal(store_fixture_end(bench->fixture, cl_fail(CL_INTERNAL)).reason, CL_INTERNAL); /* undo */
    }
}

static void each_bit_of_a_value_counts(void **state)
{
    struct bench *bench = *state;
    static const char flip[] = "UPDATE vault_values SET sealed = $1";
    static const char get[] = "SELECT sealed FROM vault_values";
    struct cl_arena *arena = store_fixture_arena(bench->fixture);
    const struct vault_value put = value_of("a", 1, "value");
    struct vault_values values;
    struct sql_statement *statement = NULL;
    bool row = false;
    struct store_tx *tx = store_fixture_begin(bench->fixture);
    assert_int_equal(vault_put(tx, bench->vault, "a", &put, 1).reason, CL_OK);
    assert_int_equal(sql_prepare(&statement, store_tx_sql(tx), get).reason, CL_OK);
    assert_int_equal(sql_step(&row, statement).reason, CL_OK);
    uint8_t sealed[128];
    size_t len = sql_column_bytes(statement, 0).len;
    assert_int_equal(len, 24 + 16 + 5 + 16);
    memcpy(sealed, sql_column_bytes(statement, 0).data, len);
    sql_finish(statement);
    for (size_t bit = 0; bit <= len * 8; bit++) {
        uint8_t changed[129];
        memcpy(changed, sealed, len);
        if (bit < len * 8) {
            changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        assert_int_equal(sql_prepare(&statement, store_tx_sql(tx), flip).reason, CL_OK);
        sql_bind_bytes(statement, 1, cl_bytes(changed, len));
        assert_int_equal(sql_run(statement).reason, CL_OK);
        assert_int_equal(vault_list(&values, store_tx_sql(tx), bench->vault, arena, "a").reason,
                         bit < len * 8 ? CL_VAULT_CORRUPT : CL_OK);
        cl_arena_reset(arena);
    }
    assert_int_equal(store_fixture_end(bench->fixture, cl_ok()).reason, CL_OK);
}

static void another_master_key_is_noticed(void **state)
{
    struct bench *bench = *state;
    char path[96];
    struct vault *other = NULL;
    struct vault_values values;
    const struct vault_value put = value_of("a", 1, "value");
    (void)snprintf(path, sizeof path, "%s/other.key", bench->folder);
    assert_int_equal(vault_key_generate(path).reason, CL_OK);
    assert_int_equal(vault_open(&other, path).reason, CL_OK);
    struct store_tx *tx = store_fixture_begin(bench->fixture);
    struct sql *sql = store_tx_sql(tx);
    assert_int_equal(vault_attach(other, tx).reason, CL_CONFIG_INVALID);
    assert_int_equal(vault_put(tx, bench->vault, "a", &put, 1).reason, CL_OK);
    assert_int_equal(vault_attach(bench->vault, tx).reason, CL_OK);
    assert_int_equal(vault_list(&values, sql, other, store_fixture_arena(bench->fixture), "a").reason,
                     CL_VAULT_CORRUPT);
    assert_int_equal(sql_script(sql, "UPDATE vault_master SET blind = zeroblob(72)").reason, CL_OK);
    assert_int_equal(vault_attach(bench->vault, tx).reason, CL_VAULT_CORRUPT);
    assert_int_equal(sql_script(sql, "UPDATE vault_master SET blind = zeroblob(1)").reason, CL_OK);
    assert_int_equal(vault_attach(bench->vault, tx).reason, CL_VAULT_CORRUPT);
    assert_int_equal(store_fixture_end(bench->fixture, cl_ok()).reason, CL_OK);
    vault_close(other);
}

/* -- Erasing and canaries ------------------------------------------------------------------------------------ */

static void erased_is_erased_for_good(void **state)
{
    struct bench *bench = *state;
    struct cl_arena *arena = store_fixture_arena(bench->fixture);
    struct vault_values values = {.count = 9};
    const struct vault_value put = value_of("a", 1, "value");
    struct store_tx *tx = store_fixture_begin(bench->fixture);
    assert_int_equal(vault_put(tx, bench->vault, "a", &put, 1).reason, CL_OK);
    assert_int_equal(vault_put(tx, bench->vault, "b", &put, 1).reason, CL_OK);
    assert_int_equal(store_fixture_end(bench->fixture, cl_ok()).reason, CL_OK);

    tx = store_fixture_begin(bench->fixture);
    struct sql *sql = store_tx_sql(tx);
    assert_int_equal(vault_erase(tx, "a").reason, CL_OK);
    assert_int_equal(vault_erase(tx, "a").reason, CL_OK);
    assert_int_equal(vault_erase(tx, "never there").reason, CL_OK);
    assert_int_equal(vault_list(&values, sql, bench->vault, arena, "a").reason, CL_OK);
    assert_int_equal(values.count, 0);
    assert_int_equal(vault_put(tx, bench->vault, "a", &put, 1).reason, CL_STATE_CONFLICT);
    assert_int_equal(vault_put(tx, bench->vault, "never there", &put, 1).reason, CL_STATE_CONFLICT);
    assert_int_equal(vault_list(&values, sql, bench->vault, arena, "b").reason, CL_OK);
    assert_int_equal(values.count, 1);
    assert_int_equal(store_fixture_end(bench->fixture, cl_ok()).reason, CL_OK);
}

/* The wrapped key as text, to be looked for in the files. */
static void get_wrapped(char out[80], struct sql *sql)
{
    static const char get[] = "SELECT wrapped FROM vault_keys WHERE application_id = 'a'";
    struct sql_statement *statement = NULL;
    bool row = false;
    assert_int_equal(sql_prepare(&statement, sql, get).reason, CL_OK);
    assert_int_equal(sql_step(&row, statement).reason, CL_OK);
    struct cl_bytes wrapped = sql_column_bytes(statement, 0);
    size_t len = strnlen((const char *)wrapped.data, wrapped.len); /* up to a zero byte */
    memcpy(out, wrapped.data, len);
    out[len] = '\0';
    sql_finish(statement);
}

/* Covers: COL-PER-007, COL-PER-008 */
static void no_file_holds_a_value_or_an_erased_key(void **state)
{
    struct bench *bench = *state;
    char wrapped[80];
    const char *folder = store_fixture_folder(bench->fixture);
    const struct vault_value put[] = {value_of("persons[0].name", 0x53, CANARY_NAME),
                                      value_of("persons[0].id_number", 0x53, CANARY_NUMBER)};
    struct store_tx *tx = store_fixture_begin(bench->fixture);
    do {
        /* A key whose nonce starts with enough bytes that are no zero. */
        assert_int_equal(sql_script(store_tx_sql(tx), "DELETE FROM vault_values; DELETE FROM vault_keys").reason,
                         CL_OK);
        assert_int_equal(vault_put(tx, bench->vault, "a", put, 2).reason, CL_OK);
        get_wrapped(wrapped, store_tx_sql(tx));
    } while (strlen(wrapped) < 16);
    assert_int_equal(store_fixture_end(bench->fixture, cl_ok()).reason, CL_OK);

    assert_true(fixture_folder_holds(folder, "persons[0].id_number")); /* the search finds what is there */
    assert_true(fixture_folder_holds(folder, wrapped));
    assert_false(fixture_folder_holds(folder, CANARY_NAME));
    assert_false(fixture_folder_holds(folder, CANARY_NUMBER));
    assert_false(fixture_folder_holds(folder, "SSSSSSSSSSSSSSSS")); /* the salt */

    tx = store_fixture_begin(bench->fixture);
    assert_int_equal(vault_erase(tx, "a").reason, CL_OK);
    assert_int_equal(store_fixture_end(bench->fixture, cl_ok()).reason, CL_OK);
    for (int i = 0; i < 100 && fixture_folder_holds(folder, wrapped); i++) {
        (void)usleep(50 * 1000); /* until the idle writer has emptied its log */
    }
    assert_false(fixture_folder_holds(folder, wrapped));
}

/* -- Blind index --------------------------------------------------------------------------------------------- */

static void a_blind_index_is_equal_only_for_equals(void **state)
{
    struct bench *bench = *state;
    static const struct {
        const char *name;
        enum vault_column column;
        const char *value;
        bool same;
    } rows[] = {
        {"same", VAULT_ID_NUMBER, "99010119960315001X", true},
        {"lower-case x", VAULT_ID_NUMBER, "99010119960315001x", true},
        {"other value", VAULT_ID_NUMBER, "990101199603150019", false},
        {"longer", VAULT_ID_NUMBER, "99010119960315001XX", false},
        {"empty", VAULT_ID_NUMBER, "", false},
        {"other column", VAULT_MOBILE, "99010119960315001X", false},
    };
    uint8_t first[VAULT_BLIND_BYTES], out[VAULT_BLIND_BYTES];
    vault_blind(first, bench->vault, VAULT_ID_NUMBER, cl_bytes_text("99010119960315001X"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        vault_blind(out, bench->vault, rows[i].column, cl_bytes_text(rows[i].value));
        if ((memcmp(first, out, sizeof out) == 0) != rows[i].same) {
            fail_msg("%s", rows[i].name);
        }
    }
    struct vault *again = NULL;
    assert_int_equal(vault_open(&again, bench->key_path).reason, CL_OK); /* the same after a restart */
    struct store_tx *tx = store_fixture_begin(bench->fixture);
    assert_int_equal(vault_attach(again, tx).reason, CL_OK);
    assert_int_equal(store_fixture_end(bench->fixture, cl_ok()).reason, CL_OK);
    vault_blind(out, again, VAULT_ID_NUMBER, cl_bytes_text("99010119960315001X"));
    assert_memory_equal(first, out, sizeof out);
    vault_close(again);

    struct bench *other = NULL; /* another database: another key */
    void *made = NULL;
    assert_int_equal(set_up(&made), 0);
    other = made;
    vault_blind(out, other->vault, VAULT_ID_NUMBER, cl_bytes_text("99010119960315001X"));
    assert_memory_not_equal(first, out, sizeof out);
    assert_int_equal(tear_down(&made), 0);
}

/* -- Pieces -------------------------------------------------------------------------------------------------- */

static void pieces_open_where_they_belong_and_nowhere_else(void **state)
{
    struct bench *bench = *state;
    struct store_tx *tx = store_fixture_begin(bench->fixture);
    struct sql *sql = store_tx_sql(tx);
    struct vault_box *boxes[2] = {NULL, NULL};
    struct vault_value value = value_of("persons[0].name", 1, "x");
    assert_int_equal(vault_box_open(&boxes[0], sql, bench->vault, "application-0").reason, CL_STATE_CONFLICT);
    for (unsigned i = 0; i < 2; i++) {
        const char *id = i == 0 ? "application-0" : "application-1";
        assert_int_equal(vault_put(tx, bench->vault, id, &value, 1).reason, CL_OK);
        assert_int_equal(vault_box_open(&boxes[i], sql, bench->vault, id).reason, CL_OK);
    }
    static const char clear[] = "pages of a contract";
    uint8_t sealed[sizeof clear + VAULT_SEAL_BYTES];
    uint8_t opened[sizeof sealed];
    struct cl_digest of = fixture_digest(1);
    struct cl_digest other = fixture_digest(2);
    struct vault_piece piece = {.kind = "document", .of = &of, .at = 65536};
    struct cl_bytes bytes = vault_box_seal(sealed, boxes[0], &piece, cl_bytes(clear, sizeof clear));
    assert_int_equal(bytes.len, sizeof sealed);
    struct cl_bytes out;
    assert_int_equal(vault_box_unseal(&out, opened, boxes[0], &piece, bytes).reason, CL_OK);
    assert_true(cl_bytes_equal(out, cl_bytes(clear, sizeof clear)));
    const struct {
        const struct vault_box *box;
        struct vault_piece piece;
        unsigned flip;
    } rows[] = {
        {boxes[1], piece, 0},
        {boxes[0], {"hash", &of, 65536}, 0},
        {boxes[0], {"document", &other, 65536}, 0},
        {boxes[0], {"document", &of, 0}, 0},
        {boxes[0], piece, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sealed[30] ^= (uint8_t)rows[i].flip;
        assert_int_equal(vault_box_unseal(&out, opened, rows[i].box, &rows[i].piece, bytes).reason, CL_VAULT_CORRUPT);
    }
    assert_int_equal(vault_erase(tx, "application-1").reason, CL_OK);
    vault_box_free(boxes[0]);
    vault_box_free(boxes[1]);
    assert_int_equal(vault_box_open(&boxes[1], sql, bench->vault, "application-1").reason, CL_STATE_CONFLICT);
    assert_int_equal(store_fixture_end(bench->fixture, cl_ok()).reason, CL_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_master_key_is_raw_or_hex_and_private, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_generated_key_is_private_and_never_overwritten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(values_come_back_with_their_salts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_value_out_of_range_is_refused_with_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(moved_or_changed_bytes_do_not_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_bit_of_a_value_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_master_key_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(erased_is_erased_for_good, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pieces_open_where_they_belong_and_nowhere_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_blind_index_is_equal_only_for_equals, set_up, tear_down),
    };
    /* A server keeps old rows until it cleans up (docs/OPERATIONS.md). */
    const struct CMUnitTest of_a_file[] = {
        cmocka_unit_test_setup_teardown(no_file_holds_a_value_or_an_erased_key, set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    return fixture_on_postgres() ? failed : failed + cmocka_run_group_tests(of_a_file, NULL, NULL);
}
