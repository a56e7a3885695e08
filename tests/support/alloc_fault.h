/* alloc_fault.h - allocations that fail on purpose: those of our own code, which the linker hands here (--wrap of malloc
 * and its kin, which the library tests_alloc brings along), those of SQLite and those of jansson.
 *
 * Only the server's own threads are met, known by their names, and the thread that asked for it: what plays the other
 * side in the same process has all the memory it wants. gRPC, which ends the process without memory, is not met.
 *
 * One for the process. Any thread may allocate; the functions here are one thread's. */
#ifndef COLOAN_TESTS_ALLOC_FAULT_H
#define COLOAN_TESTS_ALLOC_FAULT_H

#include <stdbool.h>
#include <stdint.h>

/* Before anything else uses SQLite or jansson. */
void alloc_fault_install(void);

/* From now on the `at`-th allocation fails, once or with all that follow; 0: none does. Counting begins anew. */
void alloc_fault_arm(uint64_t at, bool for_ever);
bool alloc_fault_struck(void);

/* Whether the calling thread's allocations count, whatever its name. */
void alloc_fault_here(bool on);

#endif
