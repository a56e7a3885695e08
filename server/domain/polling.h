/* polling.h - when an authority is asked again for what it will only know later.
 *
 * Pure: times are Unix ms, hours those of China; any thread. */
#ifndef COLOAN_SERVER_DOMAIN_POLLING_H
#define COLOAN_SERVER_DOMAIN_POLLING_H

#include <stdbool.h>
#include <stdint.h>

/* How one city's property register is asked: outside its hours nothing moves there. */
struct polling_plan {
    int64_t opens_ms;  /* of the day; on days on which it is closed it says so */
    int64_t closes_ms; /* later, up to 24 h */
    int64_t first_ms;  /* after the filing */
    int64_t every_ms;  /* from then on, for two days, which finishes the node on the day the register does */
};

/* When the register is asked first, about a registration that was filed at that moment, and when again after now: after
 * two days hourly, or as seldom as before. */
int64_t polling_first_ms(const struct polling_plan *plan, int64_t filed_ms);
int64_t polling_next_ms(const struct polling_plan *plan, int64_t filed_ms, int64_t now_ms);

/* Thirty days after the filing nobody asks any more: a person has to look. */
bool polling_is_over(int64_t filed_ms, int64_t now_ms);

/* Whether a building's completion is filed is asked once a day, when the register opens. */
int64_t polling_tomorrow_ms(const struct polling_plan *plan, int64_t now_ms);

#endif
