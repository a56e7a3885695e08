/* retry.h - when a call to a bank that failed is made again, and when it is given up: the published schedule.
 *
 * Values only; time and randomness are handed in. Cannot fail. */
#ifndef COLOAN_CASES_RETRY_H
#define COLOAN_CASES_RETRY_H

#include <stdbool.h>
#include <stdint.h>

/* Working days, Monday to Friday in China, after which an event is parked. Public holidays are not known here: over one it
 * is parked early, and a person looks. */
#define RETRY_WORKING_DAYS 5

/* After the `tries`-th failure in a row, from 1: 5 s, 30 s, 2 min, 10 min, 30 min, 2 h, 5 h, then every 6 h, each up to a
 * fifth shorter or longer. */
int64_t retry_delay_ms(unsigned tries, uint32_t random);

/* Whether the time since the first failure is over. */
bool retry_over(int64_t first_ms, int64_t now_ms);

#endif
