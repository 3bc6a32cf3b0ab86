#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two targets with the same replicas divide the volumes: each serves its share, neither takes a
# volume from the other, and either finds its own again.
. "$(dirname "$0")/../lib/cluster.sh"

TARGET_ARGS=(--share 1/2)
cluster_start 3
first_control=$STRAKE_CONTROL first_pid=$TARGET_PID first_port=$NBD_PORT

STRAKE_CONTROL="$DIR/second.sock" TARGET_LOG="$DIR/second.log" NBD_SOCKET="$DIR/second-nbd.sock"
unset ISCSI_PORT NBD_PORT
TARGET_ARGS=(--share 2/2)
target_start
at_end "kill -9 $first_pid"
wait_for 20 "3 replicas to be up" replicas_up 3

say "each makes volumes of its own"
volume_create two 8M >/dev/null
strake --control "$first_control" volume create one 8M >/dev/null
head -c 65536 /dev/urandom >"$DIR/data"
nbdcopy "$DIR/data" "$(nbd_uri two)"
nbdcopy "$DIR/data" "nbd://127.0.0.1:$first_port/one"

say "both start anew and hear of all volumes"
target_stop
stop_cleanly "$first_pid" "the first target"
target_start
wait_serving two
strake --json volume show one | jq -e '.why | test("--share")' >/dev/null ||
  fail "the second target does not say that volume one is not its own"
! strake volume delete one 2>"$DIR/refusal" || fail "the second target deleted volume one"
grep -q "another target serves it" "$DIR/refusal" || fail "refused with: $(cat "$DIR/refusal")"
target_kill

TARGET_ARGS=(--share 1/2)
target_start
wait_serving one
nbdcopy "$(nbd_uri one)" "$DIR/copy"
cmp -n 65536 "$DIR/copy" "$DIR/data" || fail "volume one differs"
