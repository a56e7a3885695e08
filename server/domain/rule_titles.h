/* rule_titles.h - what each rule of a decision's trace is called by people, in English and Chinese.
 *
 * Static rows: no ownership, any thread. */
#ifndef COLOAN_SERVER_DOMAIN_RULE_TITLES_H
#define COLOAN_SERVER_DOMAIN_RULE_TITLES_H

struct rule_title {
    const char *rule; /* as in struct decision_step */
    const char *en;
    const char *zh;
};

/* The row of that rule; NULL for one of another version. */
const struct rule_title *rule_title_find(const char *rule);

#endif
