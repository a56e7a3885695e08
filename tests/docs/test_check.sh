#!/usr/bin/env bash
# The check of the pages can fail: each mistake, made in a copy of the tree, has to be found and named.
#
# usage: test_check.sh TABLES      the program built from docs/tools/tables.c
set -euo pipefail

cd "$(dirname "$(readlink -f "$0")")/../.."
tables=$(readlink -f "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

copy() {
    rm -rf "$work/tree"
    mkdir "$work/tree"
    tar -c --exclude=node_modules ./*.md LICENSE dev docs tests interop proofs proto rules server client libcoloan packaging | tar -x -C "$work/tree"
}

# finds NAME WORDS: the check of the spoilt copy fails and says WORDS.
finds() {
    if "$work/tree/tests/docs/check" "$tables" >"$work/said" 2>&1; then
        echo "$1: not found"
        failed=1
    elif ! grep -q -F -e "$2" "$work/said"; then
        echo "$1: found, but not said so:"
        head -n 5 "$work/said"
        failed=1
    fi
    copy
}

en=$work/tree/docs/spec/en/specification.md
zh=$work/tree/docs/spec/zh/specification.md

copy
"$work/tree/tests/docs/check" "$tables" || { echo "the copy as it is does not pass"; exit 1; }

sed -i 's/COL-DUP-002, //; s/, COL-DUP-002//; s/COL-DUP-002 /COL-DUP-003 /' "$work"/tree/tests/*/*.c "$work"/tree/tests/server/*/*.c
finds "a requirement without a test" "no test covers: COL-DUP-002"
sed -i 's/Covers: COL-DEC-005/Covers: COL-DEC-995/' "$work/tree/tests/e2e/test_reports.c"
finds "a test of what does not exist" "COL-DEC-995"
sed -i '/COL-DUP-003\*\*/s/必须/可以/g' "$zh"
finds "weaker in one language" "differ in id, order or strength"
sed -i '/COL-DUP-003\*\*/d' "$zh"
finds "missing in one language" "differ in id, order or strength"
sed -i 's/^\(- \*\*COL-DUP-00\)3\*\*/\12**/' "$en"
finds "an id twice" "has twice: COL-DUP-002"
sed -i '/COL-DUP-003\*\*/s/MUST/may/' "$en"
finds "no strength" "neither MUST, SHOULD nor MAY"
sed -i '/COL-DUP-003\*\*/s/MESSAGE_ID_REUSED/MESSAGE_ID_USED/' "$en"
finds "a reason that is none" "MESSAGE_ID_USED"
sed -i 's/--> APPROVED: /-> APPROVED: /' "$work/tree/docs/spec/zh/lifecycle.md"
finds "a diagram that cannot be drawn" "not a transition"
sed -i '/MESSAGE_BYTES_MAX/d' "$work/tree/docs/spec/limits.md"
finds "a stale page" "limits.md is stale"
sed -i 's/^  string external_ref = 1; .*$/  string external_ref = 1;             \/\/ changed/' "$work/tree/proto/coloan/v1/application.proto"
finds "a comment of the contract that changed" "messages.md is stale"
sed -i 's|](lifecycle.md)|](lifecycles.md)|' "$en"
finds "a dead link" "no lifecycles.md"

operations=$work/tree/docs/OPERATIONS.md
# shellcheck disable=SC2016 # these backticks are Markdown
sed -i '/^| `store.failed` |/d' "$operations"
finds "an event without a row" "does not tell what to do about: store.failed"
# shellcheck disable=SC2016 # these backticks are Markdown
sed -i 's/^| `store.failed` |/| `store.lost` |/' "$operations"
finds "an event that nobody writes" "events that the code does not write: store.lost"
sed -i 's/\(cl_log(CL_LOG_\)INFO, "store.migrated"/\1WARNING, "store.migrated"/' "$work/tree/server/store/schema.c"
finds "an event that became a warning" "does not tell what to do about: store.migrated"
sed -i 's/coloan_archive_stalled == 1/coloan_archive_stuck == 1/' "$work/tree/packaging/coloan.rules.yaml"
finds "a rule on no metric" "no metric: coloan_archive_stuck"
sed -i '/^| ColoandSlow:/d' "$operations"
finds "an alert without a row" "differ"
sed -i 's/EXIT_STORE = 4/EXIT_STORE = 5/' "$work/tree/server/main.c"
finds "an exit status without a row" "exit status: 5"
exit $failed
