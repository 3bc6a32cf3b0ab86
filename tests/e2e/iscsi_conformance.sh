#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# libiscsi's conformance tests, every family, with blocks of 512 and of 4096 bytes: the score of
# each family, what is skipped inside them, and no failure but those named here with their reason.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/conformance.sh"

# 512: asks for the state of LBA i + 1 and expects an answer that begins at i + (the blocks of a
# physical block), but SBC-3 has an answer begin where it was asked for, and a physical block is 4 KiB.
declare -A KNOWN=([512]="GetLBAStatus.UnmapSingle" [4096]="")
# What may be skipped: families of both, and of blocks of 4096 bytes alone.
declare -A WHY=(
  [PreventAllow]="there is no medium to be taken out"
  [StartStopUnit]="there is no medium to be taken out"
  [ReadOnly]="a volume can be written to; tried with a snapshot"
  [Sanitize]="what was on the disks of replicas, also of those away, cannot be promised to be gone"
  [WriteAtomic16]="more than a physical block is not written as one when power is lost"
  [WriteSame10]="WSNZ: how many blocks must be said"
  [WriteSame16]="WSNZ: how many blocks must be said"
)
declare -A WHY_4096=(
  [CompareAndWrite]="of several blocks in a physical one; tried with 512"
  [WriteSame10]="of several blocks in a physical one; tried with 512"
  [WriteSame16]="of several blocks in a physical one; tried with 512"
)

# Both block sizes at once, for some tests only wait; and one replica, for these tests are of the
# protocol: with three a third of the time of a busy machine goes into copies of the data.
cluster_start 1
tests=()
for block in 512 4096; do
  volume_create "b$block" 256M --block-size "$block" >/dev/null
  mkdir "$DIR/$block"
  conformance_run "$(iscsi_url "b$block")" "$DIR/$block" &
  tests+=($!)
done
wait "${tests[@]}"

# What needs a unit that is write-protected is tried with a snapshot.
strake snapshot create b4096 sealed >/dev/null
url=$(iscsi_snapshot_url b4096 sealed)
iscsi-test-cu -d -v --test ALL.ReadOnly "$url" >"$DIR/readonly" 2>&1 || {
  cat "$DIR/readonly"
  fail "ReadOnly of a snapshot"
}
! grep -q SKIPPED "$DIR/readonly" || fail "ReadOnly is skipped for a snapshot"

for block in 512 4096; do
  here=$DIR/$block
  say "blocks of $block bytes: $(grep -c passed "$here/results") of $(wc -l <"$here/results") pass"
  conformance_scores "$here" | awk '{ printf "   %-32s %s\n", $1, $2 }'
  say "skipped inside them:"
  while read -r count family message; do
    family=${family%:}
    why=${WHY[$family]:-}
    [[ $block = 512 || $message != *LBPPB* ]] || why=${WHY_4096[$family]:-}
    printf '   %3d %s: %s (%s)\n' "$count" "$family" "$message" "${why:-without a reason}"
    [ -n "$why" ] || fail "blocks of $block bytes: $family: skipped"
  done <"$here/skips"
  [ "$(wc -l <"$here/results")" -ge 200 ] || {
    tail -n 40 "$here/out"
    fail "the tests did not run"
  }
  failed=$(awk '$2 == "FAILED" { print $1 }' "$here/results" | tr '\n' ' ')
  for test in $failed; do
    grep -qwF -- "$test" <<<"${KNOWN[$block]}" || fail "blocks of $block bytes: $test fails"
  done
done
