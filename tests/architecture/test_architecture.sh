#!/usr/bin/env bash
# The code keeps the rules; and each rule is shown to catch a planted violation, so that a rule that went blind is seen.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 count=0

if ! "$here/check"; then
    echo "FAILED: the code breaks its rules (above)"
    failed=1
fi

# plant NAME FILE EXPECTED TEXT: a tree with this one file gets this one complaint; EXPECTED '' means none.
plant() {
    local name=$1 file=$2 expected=$3 text=$4 got
    count=$((count + 1))
    rm -rf "$work/tree"
    mkdir -p "$(dirname "$work/tree/$file")"
    printf '%s\n' "$text" >"$work/tree/$file"
    got=$("$here/check" "$work/tree" || true)
    if [[ -z $expected && -n $got ]] || [[ -n $expected && $got != "$file:"*": $expected" ]]; then
        printf 'FAILED: %s: got "%s" instead of "%s"\n' "$name" "$got" "$expected"
        failed=1
    fi
}

# Own rooms: each allowed include has a refused neighbour.
plant "downwards" server/gate/a.c '' '#include "libcoloan/status.h"'
plant "upwards" libcoloan/bytes.c "ground may not include gate: server/gate/gate.h" '#include "server/gate/gate.h"'
plant "upwards inside the library" libcoloan/status.c "ground may not include signing: libcoloan/envelope.h" \
    '#include "libcoloan/envelope.h"'
plant "the domain keeps to itself" server/domain/a.c '' '#include "server/domain/rules.h"'
plant "the domain and the store" server/domain/a.c "domain may not include store: server/store/store.h" \
    '#include "server/store/store.h"'
plant "the domain and messages" server/domain/a.c \
    "domain may not include generated messages: coloan/v1/decision.pb-c.h" '#include <coloan/v1/decision.pb-c.h>'
plant "the gate and calls" server/gate/a.c "gate may not include rpc: libcoloan/rpc.h" '#include "libcoloan/rpc.h"'
plant "cases and messages" server/cases/a.c '' '#include <coloan/v1/decision.pb-c.h>'
plant "cases and the api" server/cases/a.c "cases may not include api: server/api/api.h" '#include "server/api/api.h"'
plant "the store and cases" server/store/a.c "store may not include cases: server/cases/cases.h" \
    '#include "server/cases/cases.h"'
plant "a client and the server" client/a.c "client may not include store: server/store/store.h" \
    '#include "server/store/store.h"'
plant "product code and tests" libcoloan/log.c "product code includes tests/support/pki.h" '#include "tests/support/pki.h"'
plant "a file without a room" libcoloan/novel.c "belongs to no room; give it a row in tests/architecture/rules" 'int x;'
plant "a folder without a room" server/novel/a.c "belongs to no room; give it a row in tests/architecture/rules" 'int x;'
plant "main puts everything together" server/main.c '' '#include "server/gate/gate.h"'
plant "main and libraries" server/main.c "main may not use openssl: <openssl/ssl.h>" '#include <openssl/ssl.h>'
plant "a deep header" libcoloan/rpc_core.c '' '#include <grpc/support/alloc.h>'
plant "an include without a room" server/ops/a.c "includes libcoloan/novel.h, which belongs to no room" \
    '#include "libcoloan/novel.h"'

# Foreign libraries: their owner, and a neighbour.
foreign() { # foreign HEADER LIBRARY OWNER'S FILE, OTHER'S FILE, OTHER
    plant "$2 at home" "$3" '' "#include <$1>"
    plant "$2 elsewhere" "$4" "$5 may not use $2: <$1>" "#include <$1>"
}
foreign grpc/grpc.h grpc libcoloan/rpc_core.c server/api/a.c api
foreign openssl/ssl.h openssl server/gate/tls.c libcoloan/crypto.c hash
foreign sodium.h sodium libcoloan/keyring.c server/cases/a.c cases
foreign sqlite3.h sqlite server/store/sqlite.c server/store/outbox.c store
foreign curl/curl.h curl server/source/a.c server/ops/a.c ops
foreign jansson.h jansson libcoloan/json.c server/domain/a.c domain
foreign yaml.h yaml libcoloan/settings.c client/a.c client
foreign gmp.h gmp libcoloan/annuity.c libcoloan/identifiers.c numbers
foreign microhttpd.h microhttpd server/ops/http.c server/api/a.c api
foreign protobuf-c/protobuf-c.h protobuf-c libcoloan/wirescan.c server/domain/a.c domain
plant "an unknown library" server/ops/a.c \
    "<zlib.h> is of no known library; say in tests/architecture/rules who may use it" '#include <zlib.h>'
plant "cmocka outside tests" libcoloan/log.c \
    "<cmocka.h> is of no known library; say in tests/architecture/rules who may use it" '#include <cmocka.h>'

# Purity.
pure="domain is pure: no I/O, clock, randomness or environment"
plant "strings in the domain" server/domain/a.c '' '#include <string.h>'
plant "threads in the domain" server/domain/a.c "domain is pure and may not include <pthread.h>" '#include <pthread.h>'
plant "threads elsewhere" server/push/a.c '' '#include <pthread.h>'
plant "a file in the domain" server/domain/a.c "$pure" 'static void f(void) { fopen("x", "r"); }'
plant "the environment in the domain" server/domain/a.c "$pure" 'static const char *f(void) { return getenv("X"); }'
plant "text in the domain" server/domain/a.c '' 'static int f(char *o) { return snprintf(o, 2, "x"); }'
plant "the word in a comment" server/domain/a.c '' '/* like time(2), or fopen("x") */ int x; // rand()'
plant "the word in a long comment" server/domain/a.c '' $'/* double\n * fopen(x)\n */'
plant "after a comment" server/domain/a.c "$pure" '/* a */ static int f(void) { return rand(); }'
plant "a member of that name" server/domain/a.c '' 'int64_t end_time(struct x *x); int y = lifetime(3);'
plant "floating point in the domain" server/domain/a.c "floating point in domain" 'static double rate;'
plant "floating point in numbers" libcoloan/annuity.c "floating point in numbers" 'float f(void);'
plant "floating point elsewhere" server/ops/a.c '' 'static double rate;'

# Words.
plant "no bounds" server/ops/a.c "a function without bounds, or with hidden state" 'void f(char *a) { strcpy(a, "x"); }'
plant "bounds" server/ops/a.c '' 'void f(char *a) { snprintf(a, 2, "strcpy(x)"); }'
plant "hidden state" server/ops/a.c "a function without bounds, or with hidden state" 'void f(void) { gmtime(0); }'
plant "no hidden state" server/ops/a.c '' 'void f(void) { gmtime_r(0, 0); }'
plant "a shell" client/a.c "starts a shell" 'void f(void) { system("ls"); }'
plant "printed SQL" server/store/a.c "SQL is prepared and bound, never printed" \
    'void f(char *o) { snprintf(o, 9, "SELECT x FROM %s", o); }'
plant "prepared SQL" server/store/a.c '' 'static const char text[] = "SELECT x FROM y WHERE z = ?";'

# Length of functions.
lines() { seq -f '    int x%g;' "$1"; }
plant "60 lines" server/ops/a.c '' "$(printf 'void f(void)\n{\n%s\n}' "$(lines 60)")"
plant "61 lines" server/ops/a.c "a function of 61 lines; 60 is the limit" "$(printf 'void f(void)\n{\n%s\n}' "$(lines 61)")"

# Tables of reasons.
row() { printf 'CL_REASON(%s, %s, INTERNAL, NEVER, "x, y", "z")\n' "$1" "$2"; }
loan() { printf 'CL_LOAN_REASON(%s, "%s", REJECT, "x", "z")\n' "$1" "$2"; }
plant "different reasons" libcoloan/reasons.def '' "$(row A 1001; row B 1002)"
plant "one name twice" libcoloan/reasons.def "reason A stands twice" "$(row A 1001; row A 1002)"
plant "one number twice" libcoloan/reasons.def "code 1001 stands twice" "$(row A 1001; row B 1001)"
plant "different loan reasons" libcoloan/loan_reasons.def '' "$(loan A A-A; loan B B-B)"
plant "one loan code twice" libcoloan/loan_reasons.def 'code "A-A" stands twice' "$(loan A A-A; loan B A-A)"

mkdir -p "$work/empty"
if "$here/check" "$work/empty" >/dev/null; then
    echo "FAILED: a tree without sources passed"
    failed=1
fi
printf '%d planted files\n' "$count"
exit "$failed"
