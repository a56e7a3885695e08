/* store_fixture.h - a store of its own, and a transaction that a test's own thread may use.
 *
 * cmocka fails a test by a jump, which must not leave the writer thread; so the writer waits inside a command while the
 * test works with its transaction. */
#ifndef COLOAN_TESTS_STORE_FIXTURE_H
#define COLOAN_TESTS_STORE_FIXTURE_H

#include "server/store/applications.h"
#include "server/store/messages.h"
#include "server/store/store.h"

struct store_fixture;

struct store_fixture *store_fixture_create(void);
void store_fixture_free(struct store_fixture *fixture); /* removes the folder */

/* Closes and opens again. */
void store_fixture_reopen(struct store_fixture *fixture);

/* Closes for the rest: another process, or the test, opens the file itself. */
void store_fixture_release(struct store_fixture *fixture);

struct store *store_fixture_store(struct store_fixture *fixture);
const char *store_fixture_address(const struct store_fixture *fixture);
const char *store_fixture_folder(const struct store_fixture *fixture);
struct cl_arena *store_fixture_arena(struct store_fixture *fixture);

struct store_tx *store_fixture_begin(struct store_fixture *fixture);
/* The command ends with `status`; returns what its sender would be told. */
struct cl_status store_fixture_end(struct store_fixture *fixture, struct cl_status status);

/* The address of an empty database: a file in the folder, or, when ctest says so (coloan_on_postgres), a database of its
 * own on the server that the tests share, which has to be dropped. */
#define FIXTURE_ADDRESS_BYTES 256
bool fixture_on_postgres(void);
void fixture_make_address(char out[FIXTURE_ADDRESS_BYTES], const char *folder);
void fixture_drop_address(const char *address);

/* Makes a folder under /tmp; `out` has 64 bytes. */
void fixture_make_folder(char *out);
void fixture_remove_folder(const char *folder);
/* Whether `needle` stands anywhere in the files of the folder. */
bool fixture_folder_holds(const char *folder, const char *needle);

/* Rows that differ by their number. */
struct cl_digest fixture_digest(unsigned number);
struct message_row fixture_message(unsigned number);
const char *fixture_application_id(unsigned number); /* static, for number < 100 */
/* With its submission's message, both under `number`; asserts success. */
void fixture_add_application(struct store_tx *tx, unsigned number);
struct application_row fixture_application(unsigned number);

#endif
