/* row.h - what measurements print and tests/bench/run reads: name, unit and value with tabs between them. */
#ifndef COLOAN_TESTS_BENCH_ROW_H
#define COLOAN_TESTS_BENCH_ROW_H

#include <stdio.h>

static inline void row_print(const char *name, const char *unit, double value)
{
    (void)printf("%s\t%s\t%.3f\n", name, unit, value);
    (void)fflush(stdout);
}

#endif
