#include "tests/crash/cluster.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SCRIPT COLOAN_SOURCE_DIR "/demo/cluster"

extern char **environ;

static bool spawn(pid_t *pid_out, int output, const char *const *arguments)
{
    posix_spawn_file_actions_t actions;
    union {
        const char *const *in;
        char *const *out;
    } cast = {.in = arguments};
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    int failed = posix_spawn(pid_out, SCRIPT, &actions, NULL, cast.out, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return failed == 0;
}

static bool ended_well(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The first line that the script prints goes to `out`. */
static bool run(char out[CLUSTER_WORD_BYTES], const char *command, const char *folder, const char *node,
                const char *peer)
{
    const char *const arguments[] = {SCRIPT, command, folder, node, peer, NULL};
    int ends[2];
    pid_t pid = 0;
    out[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) != 0) { /* what the script leaves running must not hold our end open */
        return false;
    }
    bool spawned = spawn(&pid, ends[1], arguments);
    (void)close(ends[1]);
    FILE *said = fdopen(ends[0], "re");
    if (said == NULL) {
        (void)close(ends[0]);
        return spawned && ended_well(pid);
    }
    if (spawned && fgets(out, CLUSTER_WORD_BYTES, said) == NULL) {
        out[0] = '\0';
    }
    out[strcspn(out, "\n")] = '\0';
    (void)fclose(said);
    return spawned && ended_well(pid);
}

bool cluster_is_possible(bool hosts)
{
    char ignored[CLUSTER_WORD_BYTES];
    return run(ignored, "check", "/tmp", hosts ? "hosts" : NULL, NULL);
}

bool cluster_start(struct cluster *out, const char *folder, bool hosts)
{
    (void)snprintf(out->folder, sizeof out->folder, "%s", folder);
    return run(out->address, "start", folder, hosts ? "hosts" : NULL, NULL);
}

void cluster_stop(const struct cluster *cluster)
{
    char ignored[CLUSTER_WORD_BYTES];
    (void)run(ignored, "stop", cluster->folder, NULL, NULL);
}

static char node_of(const struct cluster *cluster, const char *role)
{
    char name[CLUSTER_WORD_BYTES];
    return run(name, role, cluster->folder, NULL, NULL) ? name[0] : '\0';
}

char cluster_primary(const struct cluster *cluster)
{
    return node_of(cluster, "primary");
}

char cluster_standby(const struct cluster *cluster)
{
    return node_of(cluster, "standby");
}

bool cluster_do(const struct cluster *cluster, const char *what, char node, const char *peer)
{
    char ignored[CLUSTER_WORD_BYTES];
    const char name[2] = {node, '\0'};
    return run(ignored, what, cluster->folder, name, peer);
}

bool cluster_settle(const struct cluster *cluster)
{
    char ignored[CLUSTER_WORD_BYTES];
    return run(ignored, "settled", cluster->folder, NULL, NULL);
}
