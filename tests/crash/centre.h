/* centre.h - the files of a whole centre with its authorities in this process, and coloand as a program on them that
 * may be killed and started again: what the tests of this folder have in common.
 *
 * One thread drives it; call centre_open first in a program (see world.h). Aborts on failure of what is not tested. */
#ifndef COLOAN_TESTS_CRASH_CENTRE_H
#define COLOAN_TESTS_CRASH_CENTRE_H

#include "tests/crash/bank.h"
#include "tests/crash/process.h"

/* How long finishing, or asking for everything again, may take: sanitizers on a busy machine. */
#define CENTRE_PATIENCE_MS (10 * 60 * 1000)

struct centre_files {
    struct world world;
    const char *program; /* coloand */
};

struct centre_options {
    const char *program;  /* NULL: the one built with the tests */
    const char *extra;    /* lines for the configuration; NULL: none */
    const char *store;    /* more fields of its store; NULL: none */
    const char *database; /* the address of a cluster; NULL: a file, or as ctest says */
};

/* No limit on calls is what holds a load back. */
void centre_open(struct centre_files *files, const struct centre_options *options);
void centre_close(struct centre_files *files);

bool centre_start(struct process *out, const struct centre_files *files);

/* The size of a file in the centre's folder; 0: there is none. */
int64_t centre_file_bytes(const struct centre_files *files, const char *name);

/* Starts the centre a last time, finishes what is under way, checks everything, and stops it in good order: answers,
 * cases and stream as in bank.h, exit status 0, and a full check of the database file. NULL, or what is wrong. */
const char *centre_verdict(struct bank *bank, const struct centre_files *files);

#endif
