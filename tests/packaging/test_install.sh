#!/usr/bin/env bash
# Installs into a folder, moves it, and builds a program against it: by pkg-config and by find_package.
#
# usage: test_install.sh BUILD_FOLDER C_COMPILER [C_FLAGS] (the sanitizers' when the libraries have them)
set -euo pipefail

build=$1 compiler=$2 flags=${3:-}
here=$(dirname "$(readlink -f "$0")")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    printf 'FAILED: %s\n' "$1"
    exit 1
}

cmake --install "$build" --prefix "$work/first" >"$work/log" || { cat "$work/log"; fail "cmake --install"; }
mv "$work/first" "$work/moved"
prefix=$work/moved
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name coloan.pc)")
export PKG_CONFIG_PATH

# Headers: the public ones, not the inside of rpc, nothing outside our own folder; each compiles alone, as C and as C++.
for header in rpc_core rpc_call rpc_client; do
    [[ ! -e $prefix/include/coloan/libcoloan/$header.h ]] || fail "$header.h is installed"
done
[[ $(ls "$prefix/include") == coloan ]] || fail "headers outside include/coloan"
count=0
while read -r header; do
    printf '#include <%s>\n' "$header" >"$work/alone.c"
    # shellcheck disable=SC2046 # words are wanted
    "$compiler" -std=c17 -Wall -Wextra -Werror -fsyntax-only $(pkg-config --cflags coloan) "$work/alone.c" ||
        fail "$header does not compile alone"
    count=$((count + 1))
done < <(cd "$prefix/include/coloan" && find . -name '*.h' -printf '%P\n' | sort)
((count > 10)) || fail "only $count headers"

# pkg-config: no other flag is needed.
# shellcheck disable=SC2046,SC2086 # words are wanted
"$compiler" -std=c17 -Wall -Wextra -Werror $flags "$here/consumer/main.c" -o "$work/by-pkg-config" \
    $(pkg-config --cflags --libs coloan) || fail "pkg-config"
[[ $("$work/by-pkg-config") == EXPIRED ]] || fail "the program by pkg-config"
[[ $(pkg-config --modversion coloan) =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "the version"

# find_package.
configure() { cmake -S "$1" -B "$2" -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$compiler" -DCMAKE_C_FLAGS="$flags"; }
if ! { configure "$here/consumer" "$work/consumer" && cmake --build "$work/consumer"; } >"$work/log" 2>&1; then
    cat "$work/log"
    fail "find_package"
fi
[[ $("$work/consumer/consumer") == EXPIRED ]] || fail "the program by find_package"
mkdir "$work/newer"
cp "$here/consumer/main.c" "$work/newer"
sed 's/coloan 0.1/coloan 99.0/' "$here/consumer/CMakeLists.txt" >"$work/newer/CMakeLists.txt"
if configure "$work/newer" "$work/newer/build" >"$work/log" 2>&1; then
    fail "find_package took an older version"
fi
grep -q 'requested version "99.0"' "$work/log" || fail "find_package failed for another reason than the version"

# Every program has its page, and the pages are whole.
while read -r program; do
    compgen -G "$prefix/share/man/man*/$(basename "$program").*" >/dev/null || fail "$program has no manual page"
done < <(find "$prefix/bin" "$prefix/sbin" -type f 2>/dev/null)
printf '%d headers, pkg-config, find_package\n' "$count"
