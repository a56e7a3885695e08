#include "tests/support/pki_files.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 65536 };

static const char script[] =
    "exec >/dev/null 2>&1; set -eu; cd \"$PKI\"\n"
    "new='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'\n"
    "ca() {\n"
    "  mkdir $1.d; : > $1.d/index; echo 01 > $1.d/number\n"
    "  printf '[ca]\\ndefault_ca=x\\n[x]\\ndatabase=%s.d/index\\nserial=%s.d/serial\\ncrlnumber=%s.d/number\\n"
    "new_certs_dir=%s.d\\nrand_serial=yes\\ndefault_md=sha256\\npolicy=any\\nunique_subject=no\\ndefault_days=1000\\n"
    "default_crl_days=1000\\ncertificate=%s.pem\\nprivate_key=%s.key\\n[any]\\ncommonName=supplied\\n' $1 $1 $1 $1 $1 "
    "$1 "
    "> $1.cnf\n"
    "}\n"
    "root() { ca $1; openssl req -x509 $new -days 1000 -keyout $1.key -out $1.pem -subj /CN=$1; }\n"
    /* name, issuer, extensions, common name, more of openssl ca */
    "leaf() {\n"
    "  n=$1 i=$2 e=$3 c=${4:-$1}; shift 3; [ $# = 0 ] || shift\n"
    "  openssl req -new $new -keyout $n.key -out $n.csr -subj \"/CN=$c\"\n"
    "  printf \"basicConstraints=critical,CA:false\\n$e\" > $n.ext\n"
    "  openssl ca -batch -notext -config $i.cnf -extfile $n.ext -in $n.csr -out $n.pem \"$@\"\n"
    "}\n"
    "p=urn:coloan:party\n"
    "client='extendedKeyUsage=clientAuth\\nsubjectAltName='\n"
    /* name, issuer, path length, key usage */
    "between() {\n"
    "  ca $1; openssl req -new $new -keyout $1.key -out $1.csr -subj /CN=$1\n"
    "  printf \"basicConstraints=critical,CA:true$3\\nkeyUsage=$4\" > $1.ext\n"
    "  openssl ca -batch -notext -config $2.cnf -extfile $1.ext -in $1.csr -out $1.pem\n"
    "}\n"
    "sign=keyCertSign,cRLSign; root ca; root foreign-ca; between intermediate ca '' $sign\n"
    "between named ca ,pathlen:0 $sign; between unnamed ca ,pathlen:0 $sign; between deeper named ,pathlen:0 $sign\n"
    "between no-lists ca ,pathlen:0 keyCertSign; between of-another foreign-ca ,pathlen:0 $sign\n"
    "leaf server ca "
    "'extendedKeyUsage=serverAuth,clientAuth\\n"
    "subjectAltName=DNS:localhost,IP:127.0.0.1,URI:urn:coloan:party:fund:cn-nj-prov'\n"
    "inbox() { leaf $1 ca "
    "\"extendedKeyUsage=serverAuth,clientAuth\\nsubjectAltName=DNS:localhost,URI:$p:bank:cn-$2-js\"; }\n"
    "inbox inbox alpha; inbox beta-inbox beta\n"
    "for n in alpha beta revoked expired; do\n"
    "  d='-days 1000'; [ $n != expired ] || d='-startdate 20200101000000Z -enddate 20200201000000Z'\n"
    "  leaf $n ca \"${client}DNS:$n,URI:$p:bank:cn-$n-js\" $n $d\n"
    "done\n"
    "leaf officer ca \"${client}URI:$p:officer:cn-nj-prov-07\"\n"
    "leaf second ca \"${client}URI:$p:officer:cn-nj-prov-08\"\n"
    "leaf channel ca \"${client}URI:$p:channel:cn-app-js\"\n"
    "leaf fund ca \"${client}URI:$p:fund:cn-other\"\n"
    "leaf two-uris ca \"${client}URI:$p:bank:cn-alpha-js,URI:$p:bank:cn-beta-js\"\n"
    "leaf no-uri ca \"${client}DNS:alpha\" $p:bank:cn-alpha-js\n"
    "leaf authority ca \"${client}URI:$p:authority:registry\"\n"
    "leaf upper ca \"${client}URI:$p:bank:cn-Alpha-js\"\n"
    "leaf long ca \"${client}URI:$p:bank:a234567890b234567890c234567890d234567890e234567890f234567890\"\n"
    "leaf no-eku ca \"subjectAltName=URI:$p:bank:cn-alpha-js\"\n"
    "leaf server-eku ca \"extendedKeyUsage=serverAuth\\nsubjectAltName=URI:$p:bank:cn-alpha-js\"\n"
    "leaf foreign foreign-ca \"${client}URI:$p:bank:cn-alpha-js\"\n"
    "leaf below intermediate \"${client}URI:$p:bank:cn-alpha-js\"; cat intermediate.pem >> below.pem\n"
    "for n in middle middle-revoked; do leaf $n named \"${client}URI:$p:bank:cn-alpha-js\"; done\n"
    "leaf middle-beta named \"${client}URI:$p:bank:cn-beta-js\"; cat named.pem >> middle-beta.pem\n"
    "leaf stray unnamed \"${client}URI:$p:bank:cn-alpha-js\"; cat unnamed.pem >> stray.pem\n"
    "leaf deep deeper \"${client}URI:$p:bank:cn-alpha-js\"; cat deeper.pem named.pem >> deep.pem\n"
    "openssl ca -config named.cnf -revoke middle-revoked.pem\n"
    "for n in named unnamed; do openssl ca -config $n.cnf -gencrl -out $n-crl.pem; done\n"
    "openssl ca -config ca.cnf -revoke revoked.pem; openssl ca -config ca.cnf -gencrl -out crl.pem\n"
    "openssl ca -config ca.cnf -gencrl -crl_lastupdate 20200101000000Z -crl_nextupdate 20200201000000Z"
    " -out crl-expired.pem\n"
    "openssl ca -config ca.cnf -revoke alpha.pem; openssl ca -config ca.cnf -gencrl -out crl-alpha.pem\n"
    "openssl ca -config ca.cnf -revoke named.pem; openssl ca -config ca.cnf -gencrl -out crl-no-named.pem\n"
    "cat crl.pem named-crl.pem > crl-both.pem; cat crl-no-named.pem named-crl.pem > crl-both-no-named.pem\n"
    "openssl ca -config foreign-ca.cnf -gencrl -out foreign-crl.pem\n"
    "cat ca.pem intermediate.pem > bundle.pem; cat ca.pem foreign-ca.pem > both-ca.pem\n"
    "cat crl.pem foreign-crl.pem > both-crl.pem\n"
    "openssl x509 -in alpha.pem -noout -fingerprint -sha256 | sed 's/.*=//;s/://g' > alpha.print\n";

int pki_files_create(struct pki_files *out)
{
    char folder[] = "/tmp/coloan-pki-XXXXXX";
    if (mkdtemp(folder) == NULL || setenv("PKI", folder, 1) != 0) {
        return -1;
    }
    (void)snprintf(out->folder, sizeof out->folder, "%s", folder);
    return system(script) == 0 ? 0 : -1;
}

void pki_files_remove(struct pki_files *files)
{
    char command[96];
    (void)snprintf(command, sizeof command, "rm -r '%s'", files->folder);
    int removed = system(command);
    assert(removed == 0);
}

const char *pki_files_path(const struct pki_files *files, const char *name)
{
    static _Thread_local char paths[8][128];
    static _Thread_local unsigned next;
    char *path = paths[next++ % 8];
    (void)snprintf(path, sizeof paths[0], "%s/%s", files->folder, name);
    return path;
}

char *pki_files_text(const struct pki_files *files, const char *name)
{
    FILE *file = fopen(pki_files_path(files, name), "r");
    char *text = calloc(1, FILE_BYTES_MAX);
    assert(file != NULL);
    assert(text != NULL);
    size_t len = fread(text, 1, FILE_BYTES_MAX - 1, file);
    assert(len < FILE_BYTES_MAX - 1);
    (void)fclose(file);
    return text;
}

bool pki_files_try_copy(const struct pki_files *files, const char *from, const char *to)
{
    char block[65536];
    FILE *in = fopen(pki_files_path(files, from), "rbe");
    FILE *out = fopen(pki_files_path(files, to), "wbe");
    bool copied = in != NULL && out != NULL;
    size_t len = 0;
    while (copied && (len = fread(block, 1, sizeof block, in)) > 0) {
        copied = fwrite(block, 1, len, out) == len;
    }
    if (in != NULL) {
        (void)fclose(in);
    }
    if (out != NULL) {
        copied = fclose(out) == 0 && copied;
    }
    return copied;
}

void pki_files_copy(const struct pki_files *files, const char *from, const char *to)
{
    bool copied = pki_files_try_copy(files, from, to);
    assert(copied);
}
