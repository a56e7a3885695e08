#!/usr/bin/env bash
# The hardening that cmake/ColoanFlags.cmake asks for is in what was built; each check is shown to catch a binary without it.
#
# usage: test_hardening.sh BUILD_FOLDER C_COMPILER FORTIFIED(0|1)
set -euo pipefail

build=$1 compiler=$2 fortified=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints what is wrong with the program $1; nothing when all is well.
inspect_program() {
    local program=$1 headers dynamic
    headers=$(readelf -hlW "$program")
    dynamic=$(readelf -dW "$program")
    grep -q 'Type: *DYN' <<<"$headers" && grep -q 'FLAGS_1.*PIE' <<<"$dynamic" || echo "not position independent"
    grep -q GNU_RELRO <<<"$headers" || echo "no RELRO"
    grep -qE 'FLAGS\).*BIND_NOW|FLAGS_1.*NOW' <<<"$dynamic" || echo "binds lazily"
    grep -qE 'GNU_STACK.* RW +0x' <<<"$headers" || echo "executable stack"
    grep -E '^ *LOAD' <<<"$headers" | grep -q 'RWE' && echo "memory that is writable and executable"
    grep -E '^ *LOAD' <<<"$headers" | head -n 1 | grep -qE ' R +0x' || echo "headers share pages with code"
    grep -qE 'RPATH|RUNPATH' <<<"$dynamic" && echo "searches libraries in a path of its own"
    grep -q TEXTREL <<<"$dynamic" && echo "relocations in code"
    return 0
}

# The same for the objects of the archive $1: what the compiler adds.
inspect_archive() {
    local archive=$1 symbols notes
    symbols=$(nm "$archive" 2>/dev/null)
    grep -q ' U __stack_chk_fail$' <<<"$symbols" || echo "no stack protector"
    if ((fortified)); then
        grep -qE ' U __(memcpy|snprintf|vsnprintf|read|memset)_chk$' <<<"$symbols" || echo "not fortified"
    fi
    if [[ $(uname -m) == x86_64 ]]; then
        notes=$(readelf -nW "$archive" 2>/dev/null)
        (($(grep -c 'IBT, SHSTK' <<<"$notes") == $(ar t "$archive" | wc -l))) || echo "an object without control-flow protection"
    fi
}

failed=0
expect() { # expect NAME GOT EXPECTED
    if [[ $2 != "$3" ]]; then
        printf 'FAILED: %s: "%s" instead of "%s"\n' "$1" "$2" "$3"
        failed=1
    fi
}

# ---- The checks catch what they are for. ------------------------------------------------------------------------

cat >"$work/program.c" <<'END'
#include <stdio.h>
#include <string.h>
int main(int argc, char **argv)
{
    char text[64];
    memcpy(text, argv[argc - 1], strlen(argv[argc - 1]));
    return puts(text);
}
END
# shellcheck disable=SC2054 # -Wl's commas
good=(-O2 -fPIE -pie -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fcf-protection=full
    -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,-z,separate-code)
bad() { # bad EXPECTED FLAGS...: a program that lacks one thing
    local expected=$1
    shift
    "$compiler" "${good[@]}" "$@" "$work/program.c" -o "$work/program" 2>/dev/null
    expect "a program with ${*:-nothing wrong}" "$(inspect_program "$work/program")" "$expected"
}
bad ''
bad 'not position independent' -no-pie
bad 'no RELRO' -Wl,-z,norelro
bad 'binds lazily' -Wl,-z,lazy
bad 'executable stack' -Wl,-z,execstack
bad 'headers share pages with code' -Wl,-z,noseparate-code
bad 'searches libraries in a path of its own' -Wl,-rpath,/tmp

bad_object() {
    local expected=$1
    shift
    "$compiler" "${good[@]}" "$@" -c "$work/program.c" -o "$work/program.o"
    rm -f "$work/program.a"
    ar rc "$work/program.a" "$work/program.o"
    expect "an object with ${*:-nothing wrong}" "$(inspect_archive "$work/program.a")" "$expected"
}
bad_object ''
bad_object 'no stack protector' -fno-stack-protector
((!fortified)) || bad_object 'not fortified' -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0
[[ $(uname -m) != x86_64 ]] || bad_object 'an object without control-flow protection' -fcf-protection=none

# ---- What was built. --------------------------------------------------------------------------------------------

programs=0
while read -r file; do
    [[ $(head -c 4 "$file" | tr -d '\0') == $'\x7fELF' ]] || continue
    programs=$((programs + 1))
    expect "${file#"$build"/}" "$(inspect_program "$file")" ''
done < <(find "$build"/{server,client,sandbox,tests} -type f -perm -u+x ! -path '*/CMakeFiles/*' ! -name '*.so*' 2>/dev/null)
((programs > 0)) || expect "programs" 0 "some"
expect "libcoloan.a" "$(inspect_archive "$build/libcoloan/libcoloan.a")" ''
printf '%d programs and libcoloan.a looked at\n' "$programs"
exit "$failed"
