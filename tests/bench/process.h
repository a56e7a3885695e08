/* process.h - what a process has spent so far, read from /proc. Fails by ending this process: without it there is no
 * measurement. */
#ifndef COLOAN_TESTS_BENCH_PROCESS_H
#define COLOAN_TESTS_BENCH_PROCESS_H

#include <sys/types.h>

/* User and system time of all its threads. */
double process_cpu_s(pid_t pid);

double process_memory_kb(pid_t pid); /* resident */

void process_pin(int core); /* this one */

#endif
