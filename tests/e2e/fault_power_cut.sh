#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The power of all machines fails: every process dies, each file system forgets what was not synced
# (it is shut down without its log being flushed, then mounted again), and a new boot id tells the
# replicas. What was flushed is there.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/faults.sh" 3 "$@"
new_boot() { cat /proc/sys/kernel/random/uuid >"$DIR/boot_id$1"; }
for i in 1 2 3; do
  disk_make "$i" 128
  new_boot "$i"
  REPLICA_EXEC[$i]="env STRAKE_BOOT_ID_FILE=$DIR/boot_id$i"
done
# EXT4_IOC_SHUTDOWN, without flushing the log.
power_cut() {
  python3 -c 'import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.ioctl(fd, 0x8004587d, struct.pack("I", 2))' "$DIR/pool$1" 2>/dev/null || skip "no shutdown"
  kill_now "${REPLICA_PID[$1]}"
  umount "$DIR/pool$1"
  disk_mount "$1"
  new_boot "$1"
}
cluster_start 3
volume_create v1 16M >/dev/null
load_start --seconds 100000 --stall 60 --errors "$(load_uri)"

for round in 1 2 3; do
  sleep "$FAULT_SECONDS"
  load_lives
  say "the power fails, everywhere ($round)"
  kill -USR1 "$LOAD_PID"
  kill -9 "$TARGET_PID"
  for i in 1 2 3; do power_cut "$i"; done
  wait "$TARGET_PID" || true
  for i in 1 2 3; do replica_start "$i"; done
  target_start
  wait_serving v1 60
  wait_in_sync v1
  load_lives
done

say "the power of two replicas fails: nothing at all is lost"
sleep "$FAULT_SECONDS"
kill -9 "$TARGET_PID"
for i in 1 3; do power_cut "$i"; done
wait "$TARGET_PID" || true
for i in 3 1; do replica_start "$i"; done
target_start
wait_in_sync v1
load_stop
grep 'lost what was' "$DIR/load.log"
grep -h 'lost its memory' "$DIR/target.log" | tail -n 2
replicas_equal
