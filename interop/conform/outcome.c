#include "interop/conform/outcome.h"

const char *conform_outcome_name(enum conform_outcome outcome)
{
    static const char *const names[CONFORM_OUTCOMES] = {
        [CONFORM_NOT_RUN] = "NOT_RUN",
        [CONFORM_PASS] = "PASS",
        [CONFORM_FAIL] = "FAIL",
        [CONFORM_WARN] = "WARN",
        [CONFORM_UNSUPPORTED] = "UNSUPPORTED",
        [CONFORM_XFAIL] = "XFAIL",
        [CONFORM_XPASS] = "XPASS",
        [CONFORM_CONFIG_ERROR] = "CONFIG_ERROR",
        [CONFORM_HARNESS_ERROR] = "HARNESS_ERROR",
    };
    return names[outcome];
}

enum conform_exit conform_exit_of(const size_t counts[CONFORM_OUTCOMES])
{
    if (counts[CONFORM_HARNESS_ERROR] > 0) {
        return CONFORM_EXIT_HARNESS;
    }
    if (counts[CONFORM_CONFIG_ERROR] > 0) {
        return CONFORM_EXIT_CONFIG;
    }
    return counts[CONFORM_FAIL] + counts[CONFORM_XPASS] > 0 ? CONFORM_EXIT_FAILED : CONFORM_EXIT_PASSED;
}
