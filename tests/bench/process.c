#include "tests/bench/process.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void die(const char *what)
{
    (void)fprintf(stderr, "process: %s\n", what);
    exit(1);
}

static FILE *open_proc(pid_t pid, const char *file)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/%s", (long)pid, file);
    FILE *stream = fopen(path, "re");
    if (stream == NULL) {
        die("there is no such process");
    }
    return stream;
}

double process_cpu_s(pid_t pid)
{
    char line[1024] = "";
    unsigned long user = 0;
    unsigned long system = 0;
    FILE *stream = open_proc(pid, "stat");
    bool got = fgets(line, sizeof line, stream) != NULL;
    (void)fclose(stream);
    const char *after_name = got ? strrchr(line, ')') : NULL;
    if (after_name == NULL ||
        sscanf(after_name + 1, " %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu", &user, &system) != 2) {
        die("/proc/PID/stat is not as expected");
    }
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

double process_memory_kb(pid_t pid)
{
    char line[256];
    double kb = 0;
    FILE *stream = open_proc(pid, "status");
    while (fgets(line, sizeof line, stream) != NULL && sscanf(line, "VmRSS: %lf", &kb) != 1) {
    }
    (void)fclose(stream);
    return kb;
}

void process_pin(int core)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((size_t)core, &cores);
    if (sched_setaffinity(0, sizeof cores, &cores) != 0) {
        die("there is no such core");
    }
}
