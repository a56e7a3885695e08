/* liar TESTEE: puts each question to the testee and falsifies its answer, by one bit where there are bytes. */
#include <coloan/conform/v1/testee.pb-c.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FRAME_BYTES_MAX = 1024 * 1024, LENGTH_BYTES = 4 };

extern char **environ;

static uint8_t frame[LENGTH_BYTES + FRAME_BYTES_MAX];

/* A frame with its length; 0: there is none. */
static size_t read_frame(FILE *in)
{
    if (fread(frame, 1, LENGTH_BYTES, in) != LENGTH_BYTES) {
        return 0;
    }
    size_t len = (size_t)frame[0] << 24 | (size_t)frame[1] << 16 | (size_t)frame[2] << 8 | frame[3];
    return len <= FRAME_BYTES_MAX && fread(frame + LENGTH_BYTES, 1, len, in) == len ? LENGTH_BYTES + len : 0;
}

static bool write_frame(FILE *out, size_t len)
{
    return fwrite(frame, 1, len, out) == len && fflush(out) == 0;
}

static void flip(ProtobufCBinaryData *data)
{
    data->data[data->len - 1] ^= 1;
}

static void falsify(Coloan__Conform__V1__Answer *answer)
{
    static char other_reason[] = "INTERNAL";
    switch (answer->what_case) {
    case COLOAN__CONFORM__V1__ANSWER__WHAT_REASON:
        free(answer->reason);
        answer->reason = strdup(other_reason);
        break;
    case COLOAN__CONFORM__V1__ANSWER__WHAT_SIGNED:
        flip(&answer->signed_->signature);
        break;
    case COLOAN__CONFORM__V1__ANSWER__WHAT_KEY_ID:
        answer->key_id[0] = answer->key_id[0] == '0' ? '1' : '0';
        break;
    case COLOAN__CONFORM__V1__ANSWER__WHAT_COMMITMENT:
        flip(&answer->commitment);
        break;
    case COLOAN__CONFORM__V1__ANSWER__WHAT_OPENED:
        flip(&answer->opened->stored);
        break;
    case COLOAN__CONFORM__V1__ANSWER__WHAT_NOT_IMPLEMENTED:
    case COLOAN__CONFORM__V1__ANSWER__WHAT__NOT_SET:
    default:
        break;
    }
}

static bool lie(size_t len)
{
    Coloan__Conform__V1__Answer *answer =
        coloan__conform__v1__answer__unpack(NULL, len - LENGTH_BYTES, frame + LENGTH_BYTES);
    if (answer == NULL) {
        return false;
    }
    falsify(answer);
    size_t packed = coloan__conform__v1__answer__pack(answer, frame + LENGTH_BYTES);
    for (size_t i = 0; i < LENGTH_BYTES; i++) {
        frame[i] = (uint8_t)(packed >> (8 * (LENGTH_BYTES - 1 - i)));
    }
    coloan__conform__v1__answer__free_unpacked(answer, NULL);
    return write_frame(stdout, LENGTH_BYTES + packed);
}

static bool begin(char *testee, FILE **to, FILE **from)
{
    int in[2], out[2];
    pid_t pid = 0;
    posix_spawn_file_actions_t actions;
    char *const arguments[] = {testee, NULL};
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
        return false;
    }
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    (void)posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    int failed = posix_spawn(&pid, testee, &actions, NULL, arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(in[0]);
    (void)close(out[1]);
    *to = fdopen(in[1], "w");
    *from = fdopen(out[0], "r");
    return failed == 0 && *to != NULL && *from != NULL;
}

int main(int argc, char **argv)
{
    FILE *to = NULL;
    FILE *from = NULL;
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc != 2 || !begin(argv[1], &to, &from)) {
        return EXIT_FAILURE;
    }
    bool done = true;
    for (size_t len = 0; done && (len = read_frame(stdin)) > 0;) {
        done = write_frame(to, len) && (len = read_frame(from)) > 0 && lie(len);
    }
    (void)fclose(to);
    (void)fclose(from);
    (void)wait(NULL);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
