#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every process in a network of its own, and parts of it cut: one replica, two, one direction only,
# a host that vanishes without a word, and a target on each side.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/faults.sh" 3 "$@"
TARGET_ARGS=(--slow 1000 --grace 500)
net_cluster_start t2
volume_create v1 16M >/dev/null
load_start --seconds 100000 --stall 30 "$(load_uri)" "$(load_uri "$DIR/other.sock")"
frozen() { volume_json v1 | jq -e '.state == "frozen"'; }

say "the target is cut off from replica 1"
net_part t r1
wait_for 10 "replica 1 to be left behind" member_is_out 1
sleep "$FAULT_SECONDS"
net_heal
wait_in_sync v1
load_lives

say "the target is cut off from replicas 1 and 2"
net_part t r1
net_part t r2
wait_for 10 "v1 to freeze" frozen
volume_json v1 | jq -r '"   frozen: " + .why'
sleep "$FAULT_SECONDS"
frozen >/dev/null || fail "v1 goes on without a majority"
net_heal
wait_in_sync v1
load_lives

say "answers of replica 2 are lost"
net_cut r2 t
wait_for 10 "replica 2 to be left behind" member_is_out 2
sleep "$FAULT_SECONDS"
net_heal
wait_in_sync v1

say "what is sent to replica 3 is lost"
net_cut t r3
wait_for 10 "replica 3 to be left behind" member_is_out 3
sleep "$FAULT_SECONDS"
net_heal
wait_in_sync v1
load_lives

say "replica 1 vanishes without a word, and starts again meanwhile"
in_net switch ip link set p-r1 down
replica_kill 1
replica_start 1
sleep "$FAULT_SECONDS"
in_net switch ip link set p-r1 up
wait_in_sync v1
load_lives

say "the target and replica 1 on one side; another target, replicas 2 and 3 on the other"
poke 11 "$(load_uri)"
for host in r2 r3 t2; do
  net_part t "$host"
  net_part r1 "$host"
done
sleep 1
old=$TARGET_PID old_control=$STRAKE_CONTROL
at_end "kill -9 $old 2>/dev/null"
TARGET_EXEC="ip netns exec $(net_name t2)"
unset ISCSI_PORT NBD_PORT
STRAKE_CONTROL="$DIR/other.control" NBD_SOCKET="$DIR/other.sock" TARGET_LOG="$DIR/other.log"
target_start
wait_serving v1
kill -USR2 "$LOAD_PID"
wait_for 20 "clients at the other target" log_says "$DIR/load.log" "reign 1: first answer"
poke 22 "$(load_uri)"
sleep "$FAULT_SECONDS"
strake --control "$old_control" volume show v1 | grep state:
seen=$(peek "$(load_uri "$DIR/nbd.sock")")
[ "$seen" != 11 ] || fail "the old target reads from replica 1 what was overwritten since"
net_heal
wait_for 30 "the old target to say it" log_says "$DIR/target.log" "another target took over"
wait_in_sync v1
load_stop
kill_now "$old"
replicas_equal
