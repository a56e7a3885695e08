/* banklog.h - what the sample banks wrote of joint decisions: when each was received, by application.
 *
 * Follows the files that `coloan-bank --log` writes while they grow. Owner: banklog_close. One thread. */
#ifndef COLOAN_DEMO_BANKLOG_H
#define COLOAN_DEMO_BANKLOG_H

#include <stddef.h>
#include <stdint.h>

#define BANKLOG_FILES_MAX 8

struct banklog;

/* NULL without memory or when a file cannot be opened (errno). */
struct banklog *banklog_open(const char *const *paths, size_t path_count);
void banklog_close(struct banklog *log); /* NULL is fine */

/* Reads what was added since. */
void banklog_follow(struct banklog *log);

/* When the bank received the joint decision (Unix ms); 0: not yet. */
int64_t banklog_received_ms(const struct banklog *log, const char *application_id);

#endif
