#!/usr/bin/env bash
# The systemd unit is sound and its exposure stays at most 1.5 of 10. Skipped where there is no systemd-analyze.
#
# usage: test_unit.sh UNIT
set -euo pipefail

unit=$1
command -v systemd-analyze >/dev/null || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

exposure() { systemd-analyze security --offline=true --threshold=15 "$1" >"$work/report" 2>&1; }

exposure "$unit" || { grep -v '^✓' "$work/report"; exit 1; }
grep Overall "$work/report"

# Shown to catch a unit that lost its sandbox.
grep -vE '^(SystemCallFilter|RestrictNamespaces|CapabilityBoundingSet|PrivateUsers)=' "$unit" >"$work/coloand.service"
if exposure "$work/coloand.service"; then
    echo "FAILED: a unit without a sandbox passed"
    exit 1
fi

# Misspelt settings are only warned of, and ignored, by systemd. The program itself need not be here.
sed 's,^ExecStart=[^ ]*,ExecStart=/bin/true,;/^Documentation/d' "$unit" >"$work/coloand.service"
systemd-analyze verify --recursive-errors=no "$work/coloand.service" 2>&1 | grep -F "coloand.service" >"$work/warnings" || true
[[ ! -s $work/warnings ]] || { cat "$work/warnings"; exit 1; }
