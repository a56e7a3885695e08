/* polling.h - when an authority is asked again for what it will only know later.
 *
 * Pure: times are Unix ms, hours those of China; any thread. */
#ifndef COLOAN_SERVER_DOMAIN_POLLING_H
#define COLOAN_SERVER_DOMAIN_POLLING_H

#include <stdbool.h>
#include <stdint.h>

/* When the property register is asked first, about a registration that was filed at that moment, and when again after
 * now: every five minutes in its hours for two days, which finishes the node on the day the register does, then hourly. */
int64_t polling_first_ms(int64_t filed_ms);
int64_t polling_next_ms(int64_t filed_ms, int64_t now_ms);

/* Thirty days after the filing nobody asks any more: a person has to look. */
bool polling_is_over(int64_t filed_ms, int64_t now_ms);

/* Whether a building's completion is filed is asked once a day, in the morning. */
int64_t polling_tomorrow_ms(int64_t now_ms);

#endif
