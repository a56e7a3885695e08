/* pki.h - certificates for one test run, made by the openssl command in a temporary folder that is gone again when
 * pki_create returns: a CA, a server (localhost, 127.0.0.1, fund:cn-example) and a client (URI urn:coloan:party:bank:cn-alpha-js), and a
 * client of a foreign CA.
 *
 * Call it before the first rpc function: it runs other programs, and gRPC does not outlive a fork. Texts are PEM. */
#ifndef COLOAN_TESTS_PKI_H
#define COLOAN_TESTS_PKI_H

struct pki {
    char *ca, *server_cert, *server_key, *client_cert, *client_key;
    char *foreign_ca, *foreign_cert, *foreign_key;
};

#define PKI_CLIENT_URI "urn:coloan:party:bank:cn-alpha-js"

int pki_create(struct pki *out); /* 0 on success */
void pki_free(struct pki *pki);

#endif
