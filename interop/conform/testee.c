#include "interop/conform/testee.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcoloan/clock.h"
#include "libcoloan/wirescan.h"

enum { LENGTH_BYTES = 4, END_MS = 2000, SHELL_CANNOT = 126, SHELL_FINDS_NONE = 127 };

extern char **environ;

struct conform_testee {
    char *command;
    int64_t answer_ms;
    pid_t pid; /* 0: it does not run */
    int to, from;
    bool answered; /* anything, in this life */
    uint32_t number;
    uint8_t *frame;
};

struct conform_testee *conform_testee_create(const char *command, int64_t answer_ms)
{
    struct conform_testee *testee = calloc(1, sizeof *testee);
    if (testee == NULL) {
        return NULL;
    }
    testee->answer_ms = answer_ms;
    testee->command = strdup(command);
    testee->frame = malloc(LENGTH_BYTES + CONFORM_FRAME_BYTES_MAX);
    if (testee->command == NULL || testee->frame == NULL) {
        conform_testee_free(testee);
        return NULL;
    }
    return testee;
}

/* -- Its life ------------------------------------------------------------------------------------------------- */

static bool spawn(struct conform_testee *testee, int input, int output)
{
    char *const arguments[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, testee->command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attributes);
    (void)posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    /* A group of its own: what the shell started ends with it. */
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    (void)posix_spawnattr_setpgroup(&attributes, 0);
    int failed = posix_spawn(&testee->pid, arguments[0], &actions, &attributes, arguments, environ);
    (void)posix_spawnattr_destroy(&attributes);
    (void)posix_spawn_file_actions_destroy(&actions);
    testee->pid = failed == 0 ? testee->pid : 0;
    return failed == 0;
}

static bool begin(struct conform_testee *testee)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0) {
        return false;
    }
    if (pipe2(out, O_CLOEXEC) != 0) {
        (void)close(in[0]);
        (void)close(in[1]);
        return false;
    }
    bool spawned = spawn(testee, in[0], out[1]);
    (void)close(in[0]);
    (void)close(out[1]);
    testee->to = in[1];
    testee->from = out[0];
    testee->answered = false;
    (void)fcntl(testee->to, F_SETFL, O_NONBLOCK);
    (void)fcntl(testee->from, F_SETFL, O_NONBLOCK);
    return spawned;
}

/* Its input ends; it gets a moment to end itself. The status as waitpid has it. */
static int end(struct conform_testee *testee)
{
    int status = 0;
    int64_t until_ms = cl_clock_monotonic_ms(cl_clock_system()) + END_MS;
    (void)close(testee->to);
    (void)close(testee->from);
    while (waitpid(testee->pid, &status, WNOHANG) == 0) {
        if (cl_clock_monotonic_ms(cl_clock_system()) > until_ms) {
            (void)kill(-testee->pid, SIGKILL);
            (void)waitpid(testee->pid, &status, 0);
            break;
        }
        (void)poll(NULL, 0, 1);
    }
    testee->pid = 0;
    return status;
}

void conform_testee_free(struct conform_testee *testee)
{
    if (testee == NULL) {
        return;
    }
    if (testee->pid != 0) {
        (void)end(testee);
    }
    free(testee->command);
    free(testee->frame);
    free(testee);
}

/* -- Frames --------------------------------------------------------------------------------------------------- */

enum moved { MOVED, ENDED, SILENT };

/* Waits until the end of the pipe is ready, or until then. */
static bool is_ready(int fd, short events, int64_t until_ms)
{
    struct pollfd one = {.fd = fd, .events = events};
    int64_t left_ms = until_ms - cl_clock_monotonic_ms(cl_clock_system());
    return left_ms > 0 && poll(&one, 1, (int)left_ms) > 0;
}

static enum moved write_all(struct conform_testee *testee, size_t len, int64_t until_ms)
{
    for (size_t done = 0; done < len;) {
        ssize_t count = write(testee->to, testee->frame + done, len - done);
        if (count > 0) {
            done += (size_t)count;
        } else if (errno != EAGAIN) {
            return ENDED;
        } else if (!is_ready(testee->to, POLLOUT, until_ms)) {
            return SILENT;
        }
    }
    return MOVED;
}

static enum moved read_all(struct conform_testee *testee, uint8_t *out, size_t len, int64_t until_ms)
{
    for (size_t done = 0; done < len;) {
        ssize_t count = read(testee->from, out + done, len - done);
        if (count > 0) {
            done += (size_t)count;
        } else if (count == 0 || errno != EAGAIN) {
            return ENDED;
        } else if (!is_ready(testee->from, POLLIN, until_ms)) {
            return SILENT;
        }
    }
    return MOVED;
}

static void put_length(uint8_t out[LENGTH_BYTES], size_t len)
{
    for (size_t i = 0; i < LENGTH_BYTES; i++) {
        out[i] = (uint8_t)(len >> (8 * (LENGTH_BYTES - 1 - i)));
    }
}

static size_t get_length(const uint8_t in[LENGTH_BYTES])
{
    size_t len = 0;
    for (size_t i = 0; i < LENGTH_BYTES; i++) {
        len = len << 8 | in[i];
    }
    return len;
}

/* -- A question ----------------------------------------------------------------------------------------------- */

static enum conform_heard troubled(char trouble[CONFORM_TROUBLE_BYTES], const char *what)
{
    (void)snprintf(trouble, CONFORM_TROUBLE_BYTES, "%s", what);
    return CONFORM_TROUBLED;
}

static enum conform_heard it_ended(struct conform_testee *testee, char trouble[CONFORM_TROUBLE_BYTES])
{
    bool answered = testee->answered;
    int status = end(testee);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    if (WIFSIGNALED(status)) {
        (void)snprintf(trouble, CONFORM_TROUBLE_BYTES, "it was ended by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
        return CONFORM_TROUBLED;
    }
    (void)snprintf(trouble, CONFORM_TROUBLE_BYTES, "it ended with status %d instead of answering", code);
    if (!answered && code == CONFORM_NOT_IMPLEMENTED) {
        return CONFORM_UNKNOWN_HERE;
    }
    return !answered && (code == SHELL_CANNOT || code == SHELL_FINDS_NONE) ? CONFORM_NO_TESTEE : CONFORM_TROUBLED;
}

static enum conform_heard it_is_silent(struct conform_testee *testee, char trouble[CONFORM_TROUBLE_BYTES])
{
    (void)kill(-testee->pid, SIGKILL);
    (void)end(testee);
    (void)snprintf(trouble, CONFORM_TROUBLE_BYTES, "it did not answer within %lld ms", (long long)testee->answer_ms);
    return CONFORM_TROUBLED;
}

static enum conform_heard it_babbles(struct conform_testee *testee, char trouble[CONFORM_TROUBLE_BYTES],
                                     const char *what)
{
    (void)kill(-testee->pid, SIGKILL);
    (void)end(testee);
    return troubled(trouble, what);
}

static enum conform_heard read_answer(const Coloan__Conform__V1__Answer **out, struct conform_testee *testee,
                                      struct cl_arena *arena, int64_t until_ms, char trouble[CONFORM_TROUBLE_BYTES])
{
    uint8_t length[LENGTH_BYTES];
    ProtobufCMessage *answer = NULL;
    enum moved moved = read_all(testee, length, sizeof length, until_ms);
    size_t len = get_length(length);
    if (moved == MOVED && len > CONFORM_FRAME_BYTES_MAX) {
        return it_babbles(testee, trouble, "its answer begins with a length above 1 MiB: are the frames right?");
    }
    if (moved == MOVED) {
        moved = read_all(testee, testee->frame, len, until_ms);
    }
    if (moved != MOVED) {
        return moved == ENDED ? it_ended(testee, trouble) : it_is_silent(testee, trouble);
    }
    struct cl_bytes bytes = cl_bytes(testee->frame, len);
    if (cl_failed(cl_unpack(&answer, arena, &coloan__conform__v1__answer__descriptor, bytes))) {
        return it_babbles(testee, trouble, "its answer is no message Answer");
    }
    *out = (const Coloan__Conform__V1__Answer *)answer;
    testee->answered = true;
    return (*out)->number == testee->number ? CONFORM_ANSWERED
                                            : it_babbles(testee, trouble, "its answer is to another question");
}

enum conform_heard conform_testee_ask(const Coloan__Conform__V1__Answer **out, struct conform_testee *testee,
                                      struct cl_arena *arena, Coloan__Conform__V1__Question *question,
                                      char trouble[CONFORM_TROUBLE_BYTES])
{
    question->number = ++testee->number;
    size_t len = protobuf_c_message_get_packed_size(&question->base);
    if (len > CONFORM_FRAME_BYTES_MAX) {
        return troubled(trouble, "the question is too long");
    }
    if (testee->pid == 0 && !begin(testee)) {
        (void)snprintf(trouble, CONFORM_TROUBLE_BYTES, "it cannot be started: %s", strerror(errno));
        return CONFORM_NO_TESTEE;
    }
    put_length(testee->frame, len);
    (void)protobuf_c_message_pack(&question->base, testee->frame + LENGTH_BYTES);
    int64_t until_ms = cl_clock_monotonic_ms(cl_clock_system()) + testee->answer_ms;
    enum moved moved = write_all(testee, LENGTH_BYTES + len, until_ms);
    if (moved != MOVED) {
        return moved == ENDED ? it_ended(testee, trouble) : it_is_silent(testee, trouble);
    }
    return read_answer(out, testee, arena, until_ms, trouble);
}
