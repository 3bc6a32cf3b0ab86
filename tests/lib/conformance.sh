# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# libiscsi's conformance tests, told by family. Source it.

# conformance_run URL DIR: runs all of them. DIR/results has a line "FAMILY.TEST passed|FAILED" for
# each test, DIR/skips the families and their reasons for what they did not try.
conformance_run() {
  iscsi-test-cu -d -S -v --test ALL "$1" "$1" >"$2/out" 2>&1 || true # twice: two paths
  # Lines "Suite: X", "Test: Y ...passed|FAILED", the latter perhaps with other lines between.
  awk '/Suite: / { suite = $2 }
    { gsub(/\[[A-Z]*\]/, "") }
    /Test: / { name = $2; sub(/\.\.\..*/, "", name); test = suite "." name }
    /passed/ && test { print test, "passed"; test = "" }
    /FAILED/ && test { print test, "FAILED"; test = "" }' "$2/out" >"$2/results"
  awk '/Suite: / { suite = $2 }
    /\[SKIPPED\]/ { sub(/.*\[SKIPPED\] */, ""); sub(/\. *$/, ""); print suite ": " $0 }' "$2/out" |
    sort | uniq -c >"$2/skips"
}

# conformance_scores DIR: one line a family, "FAMILY passed/all".
conformance_scores() {
  awk '{ split($1, n, "."); all[n[1]]++; ok[n[1]] += ($2 == "passed") }
    END { for (f in all) printf "%s %d/%d\n", f, ok[f], all[f] }' "$1/results" | sort
}
