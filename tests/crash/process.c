#include "tests/crash/process.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcoloan/clock.h"
#include "tests/support/tls_client.h"

enum { LINE_BYTES_MAX = 512, LOOK_EVERY_MS = 2, PROBE_MS_MAX = 2000 };

extern char **environ;

static char *unconst(const char *text)
{
    union {
        const char *in;
        char *out;
    } cast = {.in = text};
    return cast.out;
}

static void close_output(struct process *process)
{
    if (process->output >= 0) {
        (void)close(process->output);
    }
    process->output = -1;
}

static bool spawn(struct process *out, char *const *arguments)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return false;
    }
    sigset_t none;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    (void)sigemptyset(&none);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawnattr_setsigmask(&attributes, &none);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    pid_t pid = 0;
    int failed = posix_spawnp(&pid, arguments[0], &actions, &attributes, arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)posix_spawnattr_destroy(&attributes);
    (void)close(ends[1]);
    *out = (struct process){.pid = failed == 0 ? pid : 0, .output = ends[0]};
    if (failed != 0) {
        close_output(out);
    }
    return failed == 0;
}

bool process_spawn(struct process *out, const char *program, const char *config)
{
    const char *const nothing[] = {NULL};
    return process_spawn_under(out, nothing, program, config);
}

/* setpriv becomes the program, under the same pid, with the order to die with us. */
bool process_spawn_under(struct process *out, const char *const *before, const char *program, const char *config)
{
    char *arguments[PROCESS_WORDS_MAX + 7] = {unconst("setpriv"), unconst("--pdeathsig"), unconst("KILL")};
    size_t count = 3;
    for (size_t i = 0; before[i] != NULL; i++) {
        assert(i < PROCESS_WORDS_MAX);
        arguments[count++] = unconst(before[i]);
    }
    arguments[count++] = unconst(program);
    arguments[count++] = unconst("--config");
    arguments[count++] = unconst(config);
    arguments[count] = NULL;
    return spawn(out, arguments);
}

static bool read_ports(struct process *process, const char *line)
{
    const char *port = strstr(line, " on port ");
    const char *metrics = strstr(line, "metrics on port ");
    unsigned main_port = 0;
    unsigned metrics_port = 0;
    if (port == NULL || sscanf(port, " on port %u", &main_port) != 1 || main_port > UINT16_MAX) {
        return false;
    }
    if (metrics != NULL && (sscanf(metrics, "metrics on port %u", &metrics_port) != 1 || metrics_port > UINT16_MAX)) {
        return false;
    }
    process->port = (uint16_t)main_port;
    process->metrics_port = (uint16_t)metrics_port;
    return true;
}

bool process_wait_serving(struct process *process)
{
    char line[LINE_BYTES_MAX];
    size_t len = 0;
    int64_t end_ms = cl_clock_monotonic_ms(cl_clock_system()) + PROCESS_START_MS_MAX;
    while (len < sizeof line - 1) {
        int64_t left_ms = end_ms - cl_clock_monotonic_ms(cl_clock_system());
        struct pollfd ready = {.fd = process->output, .events = POLLIN};
        if (left_ms <= 0 || poll(&ready, 1, (int)left_ms) <= 0) {
            return false;
        }
        ssize_t got = read(process->output, line + len, sizeof line - 1 - len);
        if (got <= 0) {
            return false;
        }
        len += (size_t)got;
        line[len] = '\0';
        if (strchr(line, '\n') != NULL) {
            return read_ports(process, line);
        }
    }
    return false;
}

bool process_start(struct process *out, const char *program, const char *config)
{
    if (!process_spawn(out, program, config)) {
        return false;
    }
    if (!process_wait_serving(out)) {
        process_kill(out);
        return false;
    }
    return true;
}

/* What it ran under is gone at once, itself a moment later: its output ends when nobody holds it any more. */
static void wait_for_silence(const struct process *process)
{
    char rest[LINE_BYTES_MAX];
    struct pollfd ready = {.fd = process->output, .events = POLLIN};
    while (poll(&ready, 1, PROBE_MS_MAX) > 0 && read(process->output, rest, sizeof rest) > 0) {
    }
}

void process_kill(struct process *process)
{
    if (process->pid > 0) {
        (void)kill(process->pid, SIGKILL);
        (void)waitpid(process->pid, NULL, 0);
        wait_for_silence(process);
        process->pid = 0;
        close_output(process);
    }
}

struct process_end process_wait(struct process *process, int64_t wait_ms)
{
    int64_t end_ms = cl_clock_monotonic_ms(cl_clock_system()) + wait_ms;
    int state = 0;
    pid_t got = 0;
    while ((got = waitpid(process->pid, &state, WNOHANG)) == 0) {
        if (cl_clock_monotonic_ms(cl_clock_system()) >= end_ms) {
            return (struct process_end){.ended = false, .status = -1};
        }
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
    process->pid = 0;
    close_output(process);
    return (struct process_end){.ended = got > 0, .status = WIFEXITED(state) ? WEXITSTATUS(state) : -1};
}

static pid_t spawn_to(int output, const char *program, const char *const *arguments)
{
    enum { ARGUMENTS_MAX = 16 };
    char *all[ARGUMENTS_MAX] = {unconst("setpriv"), unconst("--pdeathsig"), unconst("KILL"), unconst(program)};
    posix_spawn_file_actions_t actions;
    pid_t pid = -1;
    for (size_t i = 0; arguments[i] != NULL && i < ARGUMENTS_MAX - 5; i++) {
        all[4 + i] = unconst(arguments[i]);
    }
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
    int failed = posix_spawnp(&pid, all[0], &actions, NULL, all, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed == 0 ? pid : -1;
}

int process_run(char *said, size_t said_size, const char *program, const char *const *arguments, int64_t kill_after_ms)
{
    int output = memfd_create("said", MFD_CLOEXEC);
    struct process process = {.pid = output < 0 ? -1 : spawn_to(output, program, arguments), .output = -1};
    struct process_end end = {.ended = false, .status = -1};
    if (process.pid > 0) {
        end = process_wait(&process, kill_after_ms < 0 ? INT64_MAX / 2 : kill_after_ms);
    }
    ssize_t got = said == NULL ? 0 : pread(output, said, said_size - 1, 0);
    if (said != NULL) {
        said[got > 0 ? got : 0] = '\0';
    }
    process_kill(&process);
    if (output >= 0) {
        (void)close(output);
    }
    return end.ended ? end.status : -1;
}

int process_readiness(const struct process *process)
{
    static const char request[] = "GET /readyz HTTP/1.0\r\n\r\n";
    char answer[64] = "";
    int code = 0;
    int fd = tcp_connect(process->metrics_port);
    if (fd < 0) {
        return 0;
    }
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    bool answered = write(fd, request, sizeof request - 1) == (ssize_t)(sizeof request - 1) &&
                    poll(&ready, 1, PROBE_MS_MAX) > 0 && read(fd, answer, sizeof answer - 1) > 0;
    (void)close(fd);
    return answered && sscanf(answer, "HTTP/%*d.%*d %d", &code) == 1 ? code : 0;
}

bool process_limit_files(const struct process *process, int64_t bytes)
{
    struct rlimit limit;
    if (prlimit(process->pid, RLIMIT_FSIZE, NULL, &limit) != 0) {
        return false;
    }
    limit.rlim_cur = bytes < 0 ? limit.rlim_max : (rlim_t)bytes;
    return prlimit(process->pid, RLIMIT_FSIZE, &limit, NULL) == 0;
}
