/* at_syscall: runs a program and, at the n-th system call by which it changes something outside itself, kills it or lets
 * the call fail. The calls of all its threads are counted together, which strace's injection does not do: it counts for
 * each thread, so that what a busy thread does early keeps the others' calls from ever being met.
 *
 * usage: at_syscall [--disk] N ACTION PROGRAM ARGUMENT...
 *
 * --disk counts only calls that change files. ACTION is `kill`; or the number of an errno with which the n-th call fails
 * without being made, `5` for EIO, and all later ones with a `+` behind it.
 * Ends as the program ends: with its status, or by its signal; SIGTERM goes to the program. 125: it cannot be run.
 *
 * Writes of eight bytes are left out: threads wake each other by them. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CANNOT = 125, THREADS_MAX = 256, WAKE_BYTES = 8, SYSCALL_STOP = SIGTRAP | 0x80 };

enum action { KILL, FAIL, FAIL_ON };

static struct {
    uint64_t at, count;
    enum action action;
    int error;
    bool disk_only;
} plan;

static pid_t program;
static pid_t failing[THREADS_MAX]; /* threads whose call is to return the error; 0: free */

static bool is_disk_call(uint64_t call)
{
    switch (call) {
    case SYS_pwrite64:
    case SYS_pwritev:
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_ftruncate:
    case SYS_fallocate:
    case SYS_unlinkat:
    case SYS_renameat:
    case SYS_renameat2:
#ifdef SYS_unlink
    case SYS_unlink:
    case SYS_rename:
#endif
        return true;
    default:
        return false;
    }
}

static bool counts(const struct __ptrace_syscall_info *info)
{
    switch (info->entry.nr) {
    case SYS_write:
        return !plan.disk_only && info->entry.args[2] != WAKE_BYTES;
    case SYS_writev:
    case SYS_sendto:
    case SYS_sendmsg:
        return !plan.disk_only;
    default:
        return is_disk_call(info->entry.nr);
    }
}

/* -- Changing a call ------------------------------------------------------------------------------------------ */

#if defined(__x86_64__)
static bool change_registers(pid_t thread, void (*change)(struct user_regs_struct *registers))
{
    struct user_regs_struct registers;
    if (ptrace(PTRACE_GETREGS, thread, NULL, &registers) != 0) {
        return false;
    }
    change(&registers);
    return ptrace(PTRACE_SETREGS, thread, NULL, &registers) == 0;
}

static void make_no_call(struct user_regs_struct *registers)
{
    registers->orig_rax = (unsigned long long)-1;
}

static void return_error(struct user_regs_struct *registers)
{
    registers->rax = (unsigned long long)-(long long)plan.error;
}
#else
#error "at_syscall knows the registers of x86-64 only"
#endif

static void note_failing(pid_t thread, pid_t was)
{
    for (size_t i = 0; i < THREADS_MAX; i++) {
        if (failing[i] == was) {
            failing[i] = thread;
            return;
        }
    }
}

static bool is_failing(pid_t thread)
{
    for (size_t i = 0; i < THREADS_MAX; i++) {
        if (failing[i] == thread) {
            return true;
        }
    }
    return false;
}

static void meet(pid_t thread, const struct __ptrace_syscall_info *info)
{
    if (!counts(info) || ++plan.count < plan.at || (plan.count > plan.at && plan.action != FAIL_ON)) {
        return;
    }
    if (plan.action == KILL) {
        (void)kill(program, SIGKILL);
    } else if (change_registers(thread, make_no_call)) {
        note_failing(thread, 0);
    }
}

static void look_at_call(pid_t thread)
{
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0) {
        return; /* killed meanwhile */
    }
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
        meet(thread, &info);
    } else if (info.op == PTRACE_SYSCALL_INFO_EXIT && is_failing(thread)) {
        note_failing(0, thread);
        (void)change_registers(thread, return_error);
    }
}

/* -- Running it ----------------------------------------------------------------------------------------------- */

static void pass_on(int signal)
{
    (void)kill(program, signal);
}

/* What to go on with: a signal for the program, or none. A new thread begins with a stop of the tracer's own. */
static int signal_of_stop(pid_t thread, int state)
{
    int signal = WSTOPSIG(state);
    if (signal == SYSCALL_STOP) {
        look_at_call(thread);
        return 0;
    }
    return state >> 16 != 0 || signal == SIGSTOP || signal == SIGTRAP ? 0 : signal;
}

/* How the program ended, as waitpid has it. */
static int watch(void)
{
    int end = 0;
    for (;;) {
        int state = 0;
        pid_t thread = waitpid(-1, &state, __WALL);
        if (thread < 0 && errno == EINTR) {
            continue;
        }
        if (thread < 0) {
            return end;
        }
        if (!WIFSTOPPED(state)) {
            end = thread == program ? state : end;
            continue;
        }
        (void)ptrace(PTRACE_SYSCALL, thread, NULL, (void *)(intptr_t)signal_of_stop(thread, state));
    }
}

/* LeakSanitizer does not work under a tracer. */
static void run_program(char **arguments)
{
    (void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0 && raise(SIGSTOP) == 0) {
        (void)execvp(arguments[0], arguments);
    }
    _exit(CANNOT);
}

static int run(char **arguments)
{
    int state = 0;
    program = fork();
    if (program == 0) {
        run_program(arguments);
    }
    (void)signal(SIGTERM, pass_on);
    intptr_t how = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                   PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
    if (program < 0 || waitpid(program, &state, 0) != program || !WIFSTOPPED(state) ||
        ptrace(PTRACE_SETOPTIONS, program, NULL, (void *)how) != 0 ||
        ptrace(PTRACE_SYSCALL, program, NULL, NULL) != 0) {
        return CANNOT;
    }
    int end = watch();
    if (WIFSIGNALED(end)) {
        (void)signal(WTERMSIG(end), SIG_DFL);
        (void)raise(WTERMSIG(end));
    }
    return WEXITSTATUS(end);
}

/* -- Options -------------------------------------------------------------------------------------------------- */

static bool read_action(const char *text)
{
    char *end = NULL;
    long error = strtol(text, &end, 10);
    if (strcmp(text, "kill") == 0) {
        plan.action = KILL;
        return true;
    }
    plan.action = *end == '+' ? FAIL_ON : FAIL;
    plan.error = (int)error;
    return error > 0 && error < 4096 && (*end == '\0' || strcmp(end, "+") == 0);
}

int main(int argc, char **argv)
{
    int next = 1;
    if (argc > 1 && strcmp(argv[1], "--disk") == 0) {
        plan.disk_only = true;
        next++;
    }
    if (argc - next < 3 || (plan.at = strtoull(argv[next], NULL, 10)) == 0 || !read_action(argv[next + 1])) {
        (void)fprintf(stderr, "usage: at_syscall [--disk] N kill|ERRNO|ERRNO+ PROGRAM ARGUMENT...\n");
        return 2;
    }
    return run(argv + next + 2);
}
