#include "tests/support/alloc_fault.h"

#include <assert.h>
#include <jansson.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static atomic_uint_least64_t counted, fails_at;
static atomic_bool fails_for_ever, struck;
static _Thread_local bool here, is_known, is_server;

/* -- Which threads -------------------------------------------------------------------------------------------- */

/* A thread gets its name from whoever made it, a moment after it began: until then it is asked again. */
static bool is_server_thread(void)
{
    static const char *const names[] = {"store", "checkpoint", "gate-pump", "gate-accept", "source", "push", "poll-"};
    char name[16] = "";
    if (is_known) {
        return is_server;
    }
    (void)pthread_getname_np(pthread_self(), name, sizeof name);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        is_server = is_server || strncmp(name, names[i], strlen(names[i])) == 0;
    }
    is_known = is_server;
    return is_server;
}

static bool fails(void)
{
    uint64_t at = atomic_load(&fails_at);
    if (at == 0 || !(here || is_server_thread())) {
        return false;
    }
    uint64_t number = atomic_fetch_add(&counted, 1) + 1;
    bool fail = number == at || (number > at && atomic_load(&fails_for_ever));
    if (fail) {
        atomic_store(&struck, true);
    }
    return fail;
}

void alloc_fault_here(bool on)
{
    here = on;
}

void alloc_fault_arm(uint64_t at, bool for_ever)
{
    atomic_store(&fails_at, 0);
    atomic_store(&counted, 0);
    atomic_store(&struck, false);
    atomic_store(&fails_for_ever, for_ever);
    atomic_store(&fails_at, at);
}

bool alloc_fault_struck(void)
{
    return atomic_load(&struck);
}

/* -- Our own code --------------------------------------------------------------------------------------------- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails() ? NULL : __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
    return fails() ? NULL : __real_reallocarray(old, count, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

/* -- SQLite and jansson --------------------------------------------------------------------------------------- */

static sqlite3_mem_methods sqlite_memory;

static void *sqlite_malloc(int size)
{
    return fails() ? NULL : sqlite_memory.xMalloc(size);
}

static void *sqlite_realloc(void *old, int size)
{
    return fails() ? NULL : sqlite_memory.xRealloc(old, size);
}

static void *json_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

/* Without lookaside every piece SQLite wants is an allocation of its own. */
void alloc_fault_install(void)
{
    int code = sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory);
    assert(code == SQLITE_OK);
    sqlite3_mem_methods failing = sqlite_memory;
    failing.xMalloc = sqlite_malloc;
    failing.xRealloc = sqlite_realloc;
    code = sqlite3_config(SQLITE_CONFIG_MALLOC, &failing);
    assert(code == SQLITE_OK);
    code = sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
    assert(code == SQLITE_OK);
    json_set_alloc_funcs(json_malloc, free);
}
