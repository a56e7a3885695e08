/* report.h - one run, told in every form that somebody wants: all of them are made from the same results.
 *
 * Owner: whoever calls; nothing is kept. One thread. Fails: false when the file could not be written to its end. */
#ifndef COLOAN_CONFORM_REPORT_H
#define COLOAN_CONFORM_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "interop/conform/requirements.h"
#include "interop/conform/result.h"

struct conform_report {
    const struct conform_run *run;
    const struct conform_requirements *requirements;
    const char *version; /* of this program */
};

/* For programs (report.schema.json), for build servers (JUnit's XML), for a page, for people: the last is one file that
 * needs nothing else, in both languages. */
bool conform_report_json(FILE *out, const struct conform_report *report);
bool conform_report_junit(FILE *out, const struct conform_report *report);
bool conform_report_markdown(FILE *out, const struct conform_report *report);
bool conform_report_html(FILE *out, const struct conform_report *report);

/* On a terminal: one that did not pass, with all that helps to mend it; and how many there are of each. */
void conform_tell_result(FILE *out, const struct conform_report *report, const struct conform_result *result, bool zh,
                         bool colours);
void conform_tell_tally(FILE *out, const struct conform_run *run, bool zh, bool colours);

/* What is likely behind a failure: the case's own word, or what the reason means that was expected. */
const char *conform_cause(const struct conform_result *result, bool zh);

#endif
