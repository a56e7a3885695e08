/* program.h - coloan-bank as a program: one of two banks, on a journal of its own, that is started to keep a stream or to
 * be called, and killed.
 *
 * Owner: the caller, in place; the world outlives it. One thread, the process's main one (process.h). Fails: it does not
 * start. */
#ifndef COLOAN_TESTS_CRASH_LIES_PROGRAM_H
#define COLOAN_TESTS_CRASH_LIES_PROGRAM_H

#include "tests/crash/process.h"
#include "tests/e2e/world.h"

#define BANKS 2

struct bank_role {
    const char *party;
    const char *name;        /* of its files */
    const char *certificate; /* a client's and a server's */
    const char *signing_key; /* its file */
    enum world_key key;
};
extern const struct bank_role bank_roles[BANKS];

enum bank_way { BY_STREAM, BY_CALLS };

struct bank_program {
    const struct bank_role *role;
    const struct world *world;
    const char *program;        /* coloan-bank */
    uint16_t port;              /* of its inbox */
    struct process process;     /* pid 0: it is dead */
    char config[128], log[128]; /* files */
    char journal[128];
};

void bank_program_init(struct bank_program *out, const struct world *world, const struct bank_role *role,
                       const char *program, uint16_t port);

/* Starts it against the centre on that port. BY_CALLS: when it returns true the inbox is open. */
bool bank_program_start(struct bank_program *bank, enum bank_way way, uint16_t centre_port);

/* Whether it lives. It ends by itself only when it was fenced or cannot go on. */
bool bank_program_lives(struct bank_program *bank);

void bank_program_kill(struct bank_program *bank);

/* In good order; false when it does not end so. */
bool bank_program_stop(struct bank_program *bank);

/* A port that nobody has now, nor takes by chance. */
uint16_t bank_program_free_port(void);

#endif
