#include "libcoloan/crypto.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start(void)
{
    int result = sodium_init();
    assert(result >= 0);
}

void cl_crypto_ready(void)
{
    (void)pthread_once(&once, start);
}
