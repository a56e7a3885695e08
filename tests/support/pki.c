#include "tests/support/pki.h"

#include <stdio.h>
#include <stdlib.h>

enum { FILE_BYTES_MAX = 16384 };

static const char script[] =
    "exec >/dev/null 2>&1; set -eu; cd \"$PKI\"\n"
    "new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2'\n"
    "ca() { openssl req -x509 $new -keyout $1.key -out $1.pem -subj /CN=$1; }\n"
    "leaf() { openssl req -x509 $new -CA $2.pem -CAkey $2.key -keyout $1.key -out $1.pem -subj /CN=$1"
    " -addext basicConstraints=critical,CA:false -addext \"subjectAltName=$3\"; }\n"
    "ca ca; ca foreign-ca\n"
    "leaf server ca 'DNS:localhost,IP:127.0.0.1,URI:urn:coloan:party:fund:cn-example'\n"
    "leaf client ca 'URI:" PKI_CLIENT_URI "'\n"
    "leaf foreign foreign-ca 'URI:" PKI_CLIENT_URI "'\n";

static char *slurp(const char *folder, const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    char *text = calloc(1, FILE_BYTES_MAX);
    if (file == NULL || text == NULL || fread(text, 1, FILE_BYTES_MAX - 1, file) == 0) {
        free(text);
        text = NULL;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return text;
}

int pki_create(struct pki *out)
{
    char folder[] = "/tmp/coloan-pki-XXXXXX";
    if (mkdtemp(folder) == NULL || setenv("PKI", folder, 1) != 0 || system(script) != 0) {
        return -1;
    }
    *out = (struct pki){
        .ca = slurp(folder, "ca.pem"),
        .server_cert = slurp(folder, "server.pem"),
        .server_key = slurp(folder, "server.key"),
        .client_cert = slurp(folder, "client.pem"),
        .client_key = slurp(folder, "client.key"),
        .foreign_ca = slurp(folder, "foreign-ca.pem"),
        .foreign_cert = slurp(folder, "foreign.pem"),
        .foreign_key = slurp(folder, "foreign.key"),
    };
    if (system("rm -r \"$PKI\"") != 0) {
        return -1;
    }
    return out->foreign_key == NULL || out->client_key == NULL || out->server_key == NULL ? -1 : 0;
}

void pki_free(struct pki *pki)
{
    char **texts[] = {&pki->ca,         &pki->server_cert, &pki->server_key,   &pki->client_cert,
                      &pki->client_key, &pki->foreign_ca,  &pki->foreign_cert, &pki->foreign_key};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        free(*texts[i]);
        *texts[i] = NULL;
    }
}
