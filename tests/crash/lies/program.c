#include "tests/crash/lies/program.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/tls_client.h"

enum {
    UP_MS_MAX = 120 * 1000, /* it reads a journal that may be gigabytes */
    STOP_MS_MAX = 60 * 1000,
    LOOK_EVERY_MS = 5,
    PORT_MIN = 10000,
    PORT_MAX = 32768,
    PORT_TRIES = 100,
};

const struct bank_role bank_roles[BANKS] = {
    {WORLD_ALPHA, "alpha", "inbox", "alpha-sign.key", WORLD_KEY_ALPHA},
    {WORLD_BETA, "beta", "beta-inbox", "beta-sign.key", WORLD_KEY_BETA},
};

void bank_program_init(struct bank_program *out, const struct world *world, const struct bank_role *role,
                       const char *program, uint16_t port)
{
    *out = (struct bank_program){.role = role, .world = world, .program = program, .port = port};
    out->process.output = -1;
    (void)snprintf(out->config, sizeof out->config, "%s/%s.yaml", world->files.folder, role->name);
    (void)snprintf(out->log, sizeof out->log, "%s/%s.log", world->files.folder, role->name);
    (void)snprintf(out->journal, sizeof out->journal, "%s/%s.journal", world->files.folder, role->name);
}

static void write_config(const struct bank_program *bank, enum bank_way way, uint16_t centre_port)
{
    char hex[2 * CL_PUBLIC_KEY_BYTES + 1];
    const struct cl_signer *directory = bank->world->signers[WORLD_KEY_DIRECTORY];
    cl_hex_encode(hex, cl_bytes(cl_signer_public_key(directory)->bytes, CL_PUBLIC_KEY_BYTES));
    FILE *file = fopen(bank->config, "we");
    assert(file != NULL);
    (void)fprintf(file,
                  "profile:\n"
                  "  target: 127.0.0.1:%u\n"
                  "  server_name: localhost\n"
                  "  ca: ca.pem\n"
                  "  certificate: %s.pem\n"
                  "  key: %s.key\n"
                  "  signing_key: %s\n"
                  "  directory: directory.bin\n"
                  "  directory_key: %s\n"
                  "  party: %s\n"
                  "  centre: " WORLD_CENTRE "\n"
                  "  environment: test\n"
                  "journal: %s\n"
                  "reference_prefix: %s\n",
                  centre_port, bank->role->certificate, bank->role->certificate, bank->role->signing_key, hex,
                  bank->role->party, bank->journal, bank->role->name);
    if (way == BY_CALLS) {
        (void)fprintf(file, "listen: 127.0.0.1:%u\n", bank->port);
    }
    int closed = fclose(file);
    assert(closed == 0);
}

static bool wait_for_inbox(struct bank_program *bank)
{
    for (int waited_ms = 0; waited_ms < UP_MS_MAX && bank_program_lives(bank); waited_ms += LOOK_EVERY_MS) {
        int fd = tcp_connect(bank->port);
        if (fd >= 0) {
            (void)close(fd);
            return true;
        }
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
    return false;
}

/* What it logs goes to a file of its own; the shell becomes the program, under the same pid. */
bool bank_program_start(struct bank_program *bank, enum bank_way way, uint16_t centre_port)
{
    char script[192];
    (void)snprintf(script, sizeof script, "exec \"$@\" 2>>%s", bank->log);
    const char *const under[] = {"sh", "-c", script, "sh", NULL};
    write_config(bank, way, centre_port);
    if (!process_spawn_under(&bank->process, under, bank->program, bank->config)) {
        return false;
    }
    return way == BY_STREAM || wait_for_inbox(bank);
}

bool bank_program_lives(struct bank_program *bank)
{
    return bank->process.pid != 0 && !process_wait(&bank->process, 0).ended;
}

void bank_program_kill(struct bank_program *bank)
{
    process_kill(&bank->process);
}

bool bank_program_stop(struct bank_program *bank)
{
    (void)kill(bank->process.pid, SIGTERM);
    struct process_end end = process_wait(&bank->process, STOP_MS_MAX);
    process_kill(&bank->process);
    return end.ended && end.status == 0;
}

/* Not one of those that the system gives to outgoing connections: somebody would have it while the bank is dead. */
uint16_t bank_program_free_port(void)
{
    for (int tries = 0; tries < PORT_TRIES; tries++) {
        uint16_t random = 0;
        cl_random_fill(cl_random_system(), &random, sizeof random);
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)(PORT_MIN + random % (PORT_MAX - PORT_MIN))),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bool is_free = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
        (void)close(fd);
        if (is_free) {
            return ntohs(address.sin_port);
        }
    }
    abort();
}
