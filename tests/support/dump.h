/* dump.h - everything a database holds about one application, as text: for tests that nothing may have changed.
 *
 * The caller's to free. Any thread. Aborts on failure: it is not what is tested. */
#ifndef COLOAN_TESTS_DUMP_H
#define COLOAN_TESTS_DUMP_H

/* Every row of every table with a column `application_id` or `subject` that names it, its own row, and the heads of all
 * outboxes; but no messages, which are kept whatever they come to. */
char *dump_application(const char *database, const char *application_id);

#endif
