#include "interop/conform/result.h"

void conform_run_count(size_t counts[CONFORM_OUTCOMES], const struct conform_run *run)
{
    for (size_t i = 0; i < CONFORM_OUTCOMES; i++) {
        counts[i] = 0;
    }
    for (size_t i = 0; i < run->count; i++) {
        counts[run->results[i].outcome]++;
    }
}
