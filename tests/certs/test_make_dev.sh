#!/usr/bin/env bash
# certs/make-dev: what it makes is looked at with openssl, as a peer would; what must fail is tried too.
set -euo pipefail

make_dev=$(readlink -f "$(dirname "$0")/../../certs/make-dev")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
pki=$work/pki
count=0

check() { # check NAME COMMAND...: must succeed
    local name=$1
    shift
    if ! "$@" >"$work/out" 2>&1; then
        printf 'FAILED: %s\n' "$name"
        cat "$work/out"
        exit 1
    fi
    count=$((count + 1))
}

refuse() { # refuse NAME COMMAND...: must fail, and leave no trace
    local name=$1
    shift
    if "$@" >"$work/out" 2>&1; then
        printf 'FAILED: %s was accepted\n' "$name"
        cat "$work/out"
        exit 1
    fi
    count=$((count + 1))
}

equals() { # equals NAME GOT EXPECTED
    check "$1: '$2' instead of '$3'" test "$2" = "$3"
}

extension() { openssl x509 -in "$1" -noout -ext "$2" | sed '1d;s/^ *//'; }

verify() { # verify ID PURPOSE
    openssl verify -x509_strict -CAfile "$pki/ca.pem" -CRLfile "$pki/crl.pem" -crl_check_all -purpose "$2" "$pki/$1.pem"
}

check "make" "$make_dev" "$pki"

# Modes and kinds of keys.
equals "folder's mode" "$(stat -c %a "$pki")" 700
for key in "$pki"/*.key; do
    equals "mode of $(basename "$key")" "$(stat -c %a "$key")" 600
    check "PKCS#8 of $(basename "$key")" grep -qx -- '-----BEGIN PRIVATE KEY-----' "$key"
    case $key in
    *.sign.key | */directory.key) expected='ED25519' ;;
    *) expected='ASN1 OID: prime256v1' ;;
    esac
    check "kind of $(basename "$key")" grep -q "$expected" <(openssl pkey -in "$key" -noout -text 2>&1)
done
equals "keys" "$(find "$pki" -name '*.key' | wc -l)" 14 # a CA, six parties with two each, a directory

equals "directory.hex" "$(<"$pki/directory.hex")" \
    "$(openssl pkey -in "$pki/directory.key" -noout -text | sed -n '/^pub:/,$p' | tail -n +2 | tr -d ' :\n')"

# Names, usage and life of each certificate.
leaf() { # leaf KIND ID NAMES USAGE
    local id=$2 pem=$pki/$2.pem
    equals "$id's names" "$(extension "$pem" subjectAltName)" "URI:urn:coloan:party:$1:$2$3"
    equals "$id's usage" "$(extension "$pem" extendedKeyUsage)" "$4"
    equals "$id is no CA" "$(extension "$pem" basicConstraints)" CA:FALSE
    equals "$id's key is its certificate's" "$(openssl pkey -in "$pki/$id.key" -pubout)" \
        "$(openssl x509 -in "$pem" -noout -pubkey)"
    check "$id lives 89 days" openssl x509 -in "$pem" -noout -checkend $((89 * 86400))
    refuse "$id after 90 days" openssl x509 -in "$pem" -noout -checkend $((90 * 86400 + 60))
    check "$id as a client" verify "$id" sslclient
    equals "$id's signing key's public half" "$(openssl pkey -in "$pki/$id.sign.key" -pubout)" "$(<"$pki/$id.sign.pub")"
}
client='TLS Web Client Authentication'
server="TLS Web Server Authentication, $client"
here=', DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1'
leaf fund cn-nj-prov "$here" "$server"
leaf bank cn-alpha-js "$here" "$server"
leaf bank cn-beta-js "$here" "$server"
leaf channel app-nj '' "$client"
leaf officer zhang-test '' "$client"
leaf officer li-test '' "$client"
check "the centre as a server" verify cn-nj-prov sslserver
check "a bank that takes calls as a server" verify cn-alpha-js sslserver
refuse "an officer as a server" verify zhang-test sslserver
check "the CA may sign lists" grep -q 'CRL Sign' <(extension "$pki/ca.pem" keyUsage)

# A server that demands a certificate and a fresh list takes the banks and nobody else.
serial() { openssl x509 -in "$pki/$1.pem" -noout -serial | cut -d = -f 2; }
listed() { openssl crl -in "$pki/crl.pem" -noout -text | grep -q "$(serial "$1")"; }
number() { openssl crl -in "$pki/crl.pem" -noout -crlnumber | cut -d = -f 2; }
before=$(number)
check "revoke" "$make_dev" revoke "$pki" cn-beta-js
check "the list names it" listed cn-beta-js
refuse "the list names another" listed cn-alpha-js
refuse "a revoked certificate" verify cn-beta-js sslclient
equals "the reason" "$(grep -c 'certificate revoked' "$work/out")" 1
check "the other bank" verify cn-alpha-js sslclient
refuse "revoking twice" "$make_dev" revoke "$pki" cn-beta-js
check "renew" "$make_dev" crl "$pki"
check "the list's number rises" test $((16#$(number | tr -d 0x))) -gt $((16#$(echo "$before" | tr -d 0x)))
refuse "still revoked" verify cn-beta-js sslclient
refuse "without a list" openssl verify -CAfile "$pki/ca.pem" -crl_check_all "$pki/cn-alpha-js.pem"

# More parties.
check "add" "$make_dev" add "$pki" bank:cn-gamma-js
leaf bank cn-gamma-js "$here" "$server"
refuse "adding twice" "$make_dev" add "$pki" bank:cn-gamma-js
for party in bank 'bank:' bank:UPPER 'bank:a b' 'bank:a/b' 'bank:-a' clerk:x 'bank:a,URI:urn:coloan:party:fund:x'; do
    refuse "party '$party'" "$make_dev" add "$pki" "$party"
done
check "still the same parties" test ! -e "$pki/a.pem"

# The directory is made by the program that is named, with every party once.
cat >"$work/coloan" <<'END'
#!/bin/sh
printf '%s\n' "$@" >"$ARGUMENTS"
while [ "$1" != --out ]; do shift; done
echo directory >"$2"
END
chmod +x "$work/coloan"
export ARGUMENTS=$work/arguments
check "directory" "$make_dev" directory "$pki" --coloan "$work/coloan" --number 2
equals "directory.bin" "$(<"$pki/directory.bin")" directory
equals "arguments" "$(tr '\n' ' ' <"$ARGUMENTS")" "keys issue --environment test --number 2 --directory-key directory.key \
--out directory.bin.new cn-nj-prov.request.json cn-alpha-js.request.json cn-beta-js.request.json app-nj.request.json \
zhang-test.request.json li-test.request.json cn-gamma-js.request.json "
check "everything at once" "$make_dev" "$work/with" --coloan "$work/coloan"
check "its directory" test -s "$work/with/directory.bin"

# Nothing is overwritten, nothing is left half done.
refuse "a folder that is in use" "$make_dev" "$pki"
refuse "revoking without a CA" "$make_dev" revoke "$work" cn-alpha-js
refuse "revoking the CA" "$make_dev" revoke "$pki" ca
refuse "revoking a path" "$make_dev" revoke "$pki" ../pki/cn-alpha-js
refuse "number 0" "$make_dev" "$work/new" --number 0
refuse "an unknown environment" "$make_dev" "$work/new" --environment production
refuse "a program that is not there" "$make_dev" "$work/new" --coloan "$work/none"
refuse "a program that fails" "$make_dev" "$work/new" --coloan /bin/false
equals "nothing is left" "$(find "$work" -maxdepth 1 -name 'new*' | wc -l)" 0
printf '%d checks\n' "$count"
