#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# libiscsi's conformance tests, every family, with blocks of 512 and of 4096 bytes: the score of
# each family, and no failure but those named here with their reason.
. "$(dirname "$0")/../lib/cluster.sh"

# 512: asks for the state of LBA i + 1 and expects an answer that begins at i + (the blocks of a
# physical block), but SBC-3 has an answer begin where it was asked for, and a physical block is 4 KiB.
# 4096: writes 512 bytes where a block has 4096, and is told so.
declare -A KNOWN=([512]="GetLBAStatus.UnmapSingle" [4096]="ProutReserve.AccessEA
  ProutReserve.AccessWE ProutReserve.AccessEARO ProutReserve.AccessWERO ProutReserve.AccessEAAR
  ProutReserve.AccessWEAR")

# "Suite: X" and "Test: Y ...passed|FAILED" lines as one line a test: X.Y passed|FAILED.
results() {
  awk '/Suite: / { suite = $2 }
    { gsub(/\[[A-Z]*\]/, "") }
    /Test: / { name = $2; sub(/\.\.\..*/, "", name); test = suite "." name }
    /passed/ && test { print test, "passed"; test = "" }
    /FAILED/ && test { print test, "FAILED"; test = "" }' "$1"
}

# Both block sizes at once, for some tests only wait; and one replica, for these tests are of the
# protocol: with three a third of the time of a busy machine goes into copies of the data.
cluster_start 1
tests=()
for block in 512 4096; do
  volume_create "b$block" 256M --block-size "$block" >/dev/null
  url=$(iscsi_url "b$block")
  iscsi-test-cu -d -v --test ALL "$url" >"$DIR/out.$block" 2>"$DIR/skips.$block" &
  tests+=($!)
done
wait "${tests[@]}" || true

for block in 512 4096; do
  results "$DIR/out.$block" >"$DIR/results"
  say "blocks of $block bytes: $(grep -c passed "$DIR/results") of $(wc -l <"$DIR/results") pass," \
    "$(cat "$DIR/out.$block" "$DIR/skips.$block" | grep -c SKIPPED) skips inside them"
  awk '{ split($1, n, "."); all[n[1]]++; ok[n[1]] += ($2 == "passed") }
    END { for (f in all) printf "   %-32s %d/%d\n", f, ok[f], all[f] }' "$DIR/results" | sort
  [ "$(wc -l <"$DIR/results")" -ge 200 ] || {
    tail -n 40 "$DIR/out.$block"
    fail "the tests did not run"
  }
  failed=$(awk '$2 == "FAILED" { print $1 }' "$DIR/results" | tr '\n' ' ')
  for test in $failed; do
    grep -qwF -- "$test" <<<"${KNOWN[$block]}" || fail "blocks of $block bytes: $test fails"
  done
done
