#!/usr/bin/env bash
# packaging/sbom: names what a program really loads, says the same twice, and refuses what it cannot tell.
#
# usage: test_sbom.sh PROGRAM (one that links libcoloan). Skipped where there is no dpkg.
set -euo pipefail

program=$1
command -v dpkg-query >/dev/null || exit 77
sbom=$(readlink -f "$(dirname "$0")/../../packaging/sbom")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { printf 'FAILED: %s\n' "$1"; exit 1; }

"$sbom" "$program" >"$work/one"
"$sbom" "$program" >"$work/two"
cmp "$work/one" "$work/two" || fail "two runs differ"
for package in libc6 libcmocka0 libgrpc29; do
    version=$(dpkg-query -W -f '${Version}' "$package")
    grep -A 2 -x "PackageName: $package" "$work/one" | grep -qxF "PackageVersion: $version" || fail "$package $version is not named"
done
if grep -qx 'PackageName: bash' "$work/one"; then fail "bash is named"; fi
grep -qx "FileChecksum: SHA256: $(sha256sum "$program" | cut -d ' ' -f 1)" "$work/one" || fail "the program's digest"
[[ $(sort "$work/one" | grep '^SPDXID' | uniq -d) == '' ]] || fail "an id stands twice"
grep '^Relationship' "$work/one" | tr ' ' '\n' | grep '^SPDXRef' | sort -u >"$work/used"
grep -h '^SPDXID' "$work/one" | cut -d ' ' -f 2 | sort >"$work/given"
cmp "$work/used" "$work/given" || fail "relationships and ids differ"

# A library of no package must not be passed over.
echo 'int stray(void) { return 1; }' >"$work/stray.c"
echo 'int stray(void); int main(void) { return stray(); }' >"$work/main.c"
cc -shared -fPIC "$work/stray.c" -o "$work/libstray.so"
cc "$work/main.c" -L"$work" -lstray -Wl,-rpath,"$work" -o "$work/main"
if "$sbom" "$work/main" >"$work/log" 2>&1; then fail "a library of no package was passed over"; fi
grep -q libstray "$work/log" || fail "the library of no package is not named"
printf '%d packages\n' "$(grep -c '^PackageName' "$work/one")"
