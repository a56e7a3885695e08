#!/usr/bin/env bash
# proto/check: the contract is what contract.txt says; and each rule catches a planted violation.
set -euo pipefail

proto=$(readlink -f "$(dirname "$0")/../../proto")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 count=0

if ! "$proto/check"; then
    echo "FAILED: the contract itself (above)"
    failed=1
fi

# A small contract of its own, so that this test does not depend on ours.
mkdir -p "$work/base/coloan/v1"
cp "$proto/check" "$proto/check.awk" "$work/base"
cat >"$work/base/coloan/v1/a.proto" <<'END'
syntax = "proto3";

package coloan.v1;

enum Colour {
  COLOUR_UNSPECIFIED = 0;
  COLOUR_RED = 1;
}

message Inner {
  int64 amount_fen = 1; // in fen
}

message Outer {
  Inner inner = 1;
  repeated string names = 2;
  Colour colour = 3;
}

service Things {
  rpc Get(Inner) returns (Outer);
}
END
"$work/base/check" --break

# planted NAME OLD NEW ARGUMENT EXPECTED: with OLD replaced, check says EXPECTED; '' means that it is content.
planted() {
    local name=$1 old=$2 new=$3 argument=$4 expected=$5 got rc=0
    count=$((count + 1))
    rm -rf "$work/tree"
    cp -r "$work/base" "$work/tree"
    sed -i "s/$old/$new/" "$work/tree/coloan/v1/a.proto"
    # shellcheck disable=SC2086 # none or one
    got=$("$work/tree/check" $argument 2>&1) || rc=$?
    if [[ -z $expected && $rc != 0 ]] || [[ -n $expected && ($rc == 0 || $got != *"$expected"*) ]]; then
        printf 'FAILED: %s: exit %d, "%s"\n' "$name" "$rc" "$got"
        failed=1
    fi
}

planted "nothing changed" x x '' ''
planted "a comment changed" 'in fen' 'in Fen' '' ''
planted "does not compile" 'Inner inner = 1' 'Missing inner = 1' '' '"Missing" is not defined'
planted "a field is new" 'Colour colour = 3;' 'Colour colour = 3;\n  bool done = 4;' '' 'new in the contract'
planted "a new field is accepted" 'Colour colour = 3;' 'Colour colour = 3;\n  bool done = 4;' --accept ''
planted "a field is renumbered" 'colour = 3' 'colour = 4' '' 'no longer hold'
planted "a renumbered field is not accepted" 'colour = 3' 'colour = 4' --accept 'no longer hold'
planted "a renumbered field is forced" 'colour = 3' 'colour = 4' --break ''
planted "a field has another type" 'int64 amount' 'uint64 amount' '' 'no longer hold'
planted "a field is gone" '  Colour colour = 3;' '  reserved 3;' '' 'no longer hold'
planted "a field becomes a list" 'Inner inner' 'repeated Inner inner' '' 'no longer hold'
planted "a value is renumbered" 'COLOUR_RED = 1' 'COLOUR_RED = 2' '' 'no longer hold'
planted "a method streams" 'Get(Inner)' 'Get(stream Inner)' '' 'no longer hold'
planted "optional" 'Colour colour' 'optional Colour colour' '' 'no optional'
planted "map" 'Colour colour' 'map<string, Colour> colour' '' 'no maps'
planted "double" 'int64 amount_fen' 'double amount_fen' '' 'no floating point'
planted "float" 'Inner inner = 1;' 'Inner inner = 1;\n  repeated float x = 9;' '' 'no floating point'
planted "a message holds itself" 'int64 amount_fen = 1;' 'Inner again = 1;' '' 'can hold itself'
planted "a message holds itself through another" 'int64 amount_fen = 1;' 'repeated Outer again = 1;' '' 'can hold itself'
planted "zero has a meaning" 'COLOUR_UNSPECIFIED' 'COLOUR_BLUE' '' 'the first value is COLOUR_UNSPECIFIED = 0'
planted "a value without its prefix" 'COLOUR_RED' 'RED' '' 'RED does not begin with COLOUR_'
planted "two statements a line" 'Inner inner = 1;' 'Inner inner = 1; int64 x = 9;' '' 'one statement a line'

printf '%d planted changes\n' "$count"
exit "$failed"
