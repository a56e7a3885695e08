#include "libcoloan/breaker.h"

bool cl_breaker_lets(const struct cl_breaker *breaker, int64_t now_ms)
{
    return now_ms >= breaker->held_until_ms && !(breaker->open && breaker->probing);
}

void cl_breaker_sent(struct cl_breaker *breaker)
{
    breaker->probing = breaker->open;
}

void cl_breaker_succeeded(struct cl_breaker *breaker)
{
    breaker->failures = 0;
    breaker->open = false;
    breaker->probing = false;
}

static void hold(struct cl_breaker *breaker, int64_t until_ms)
{
    breaker->held_until_ms = until_ms > breaker->held_until_ms ? until_ms : breaker->held_until_ms;
}

bool cl_breaker_failed(struct cl_breaker *breaker, int64_t now_ms)
{
    bool was_open = breaker->open;
    breaker->probing = false;
    breaker->failures += breaker->failures < breaker->failures_max ? 1 : 0;
    breaker->open = breaker->failures >= breaker->failures_max;
    if (breaker->open) {
        hold(breaker, now_ms + breaker->open_ms);
    }
    return breaker->open && !was_open;
}

void cl_breaker_throttled(struct cl_breaker *breaker, int64_t now_ms, int64_t pause_ms)
{
    breaker->probing = false;
    hold(breaker, now_ms + pause_ms);
}
