#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Volumes that are served and that nobody uses have no file open in a replica, and serve as before.
. "$(dirname "$0")/../lib/cluster.sh"
VOLUMES=6

# Files of volumes that the replica has open.
open_files() {
  find "/proc/${REPLICA_PID[$1]}/fd" -lname "$DIR/*/volumes/*" -o -lname "$DIR/*/data/*/*" | wc -l
}
rests() { [ $(($(open_files 1) + $(open_files 2) + $(open_files 3))) -eq 0 ]; }
io() { qemu-io -f raw "${@:2}" "$(nbd_uri "$1")" >"$DIR/io" 2>&1 && ! grep -i error "$DIR/io"; }

cluster_start 3
for ((i = 0; i < VOLUMES; i++)); do
  volume_create "v$i" 16M
  io "v$i" -c "write -P $((i + 1)) 1M 64k" || fail "a write: $(cat "$DIR/io")"
done
[ "$(open_files 1)" -gt 0 ] || fail "a volume in use has no file open"

say "nobody uses them"
wait_for 60 "the volumes to rest" rests

say "a replica is killed while they rest, and they are used again"
replica_kill 1
for ((i = 0; i < VOLUMES; i++)); do
  io "v$i" -c "read -P $((i + 1)) 1M 64k" -c "write -P $((i + 101)) 9M 64k" -c flush ||
    fail "I/O after a rest: $(cat "$DIR/io")"
done
[ "$(open_files 2)" -gt 0 ] || fail "a volume in use has no file open"
replica_start 1
for ((i = 0; i < VOLUMES; i++)); do
  wait_in_sync "v$i"
done
replica_kill 2
for ((i = 0; i < VOLUMES; i++)); do
  io "v$i" -c "read -P $((i + 1)) 1M 64k" -c "read -P $((i + 101)) 9M 64k" ||
    fail "a read: $(cat "$DIR/io")"
done
