/* pki_files.h - a folder with every certificate and list that a gate must take or refuse, made by the openssl command.
 *
 *   ca.pem crl.pem server.pem server.key    a root, its list (`revoked` is on it), a server (localhost, 127.0.0.1, fund:cn-nj-prov)
 *   alpha beta                              bank:cn-alpha-js, bank:cn-beta-js
 *   inbox beta-inbox                        of the same two, for a client and for a server (localhost)
 *   officer second channel fund             officer:cn-nj-prov-07, officer:cn-nj-prov-08, channel:cn-app-js, fund:cn-other
 *   revoked expired                         of the same root
 *   two-uris no-uri authority upper long    names that are not one party that may call; no-uri has a URN as its CN
 *   no-eku server-eku                       not for clients
 *   foreign (foreign-ca.pem, foreign-crl.pem)   of another root, with alpha's name
 *   below (intermediate.pem)                issued by an intermediate of our root; its file has the chain
 *   crl-alpha.pem crl-expired.pem           lists on which alpha is too; a list of 2020
 *   bundle.pem                              ca.pem and intermediate.pem
 *   both-ca.pem both-crl.pem                two roots with their lists
 *
 * Call it before the first rpc function: it runs other programs, and gRPC does not outlive a fork. */
#ifndef COLOAN_TESTS_PKI_FILES_H
#define COLOAN_TESTS_PKI_FILES_H

#include <stdbool.h>

#include "tests/support/pki.h"

/* Certificates and lists are good so long, as the script says: a test's clock can run through a whole loan's beginning. */
#define PKI_FILES_DAYS 1000

struct pki_files {
    char folder[64];
};

int pki_files_create(struct pki_files *out); /* 0 on success */
void pki_files_remove(struct pki_files *files);

/* "<folder>/<name>"; one of the thread's eight buffers in turn. */
const char *pki_files_path(const struct pki_files *files, const char *name);

/* Copies one file over another; aborts, or is false, when it cannot. */
bool pki_files_try_copy(const struct pki_files *files, const char *from, const char *to);
void pki_files_copy(const struct pki_files *files, const char *from, const char *to);

/* The text of a file; the caller's to free. Aborts when there is none. */
char *pki_files_text(const struct pki_files *files, const char *name);

#endif
