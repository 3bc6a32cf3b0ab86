#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A replica is stopped (SIGSTOP) and goes on later; then the target is, another one takes over, and
# the old one goes on with clients attached: it acknowledges nothing any more, and says why.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/faults.sh" 8 "$@"
cluster_start 3
volume_create v1 16M >/dev/null
load_start --seconds 100000 --stall 20 "$(load_uri)" "$(load_uri "$DIR/other.sock")"

say "replica 2 is stopped for $FAULT_SECONDS s"
kill -STOP "${REPLICA_PID[2]}"
sleep "$FAULT_SECONDS"
member_is_out 2 >/dev/null || fail "the silent replica still counts"
kill -CONT "${REPLICA_PID[2]}"
wait_in_sync v1
load_lives

say "the target is stopped, another one takes over"
old=$TARGET_PID old_control=$STRAKE_CONTROL
at_end "kill -9 $old 2>/dev/null"
kill -STOP "$old"
sleep 1
unset ISCSI_PORT NBD_PORT
STRAKE_CONTROL="$DIR/other.control" NBD_SOCKET="$DIR/other.sock" TARGET_LOG="$DIR/other.log"
target_start
wait_serving v1
kill -USR2 "$LOAD_PID"
wait_for 20 "clients at the other target" log_says "$DIR/load.log" "reign 1: first answer"
sleep $((FAULT_SECONDS / 2))
load_lives
say "the old target goes on"
kill -CONT "$old"
wait_for 20 "the old target to say it" log_says "$DIR/target.log" "another target took over"
wait_for 10 "the old target to show it" sh -c \
  "strake --control $old_control --json volume show v1 | jq -e '.state == \"fenced\"'"
strake --control "$old_control" volume show v1 | grep state:
sleep 2
load_lives
wait_in_sync v1
load_stop
kill_now "$old"
replicas_equal
