#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Syncs fail at one replica: it is out of service, says why, and is not believed by its own next
# process either; it counts again when all of it was copied. First by a library that makes syncs
# fail, then by a device that runs out of the space its file system was promised.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/faults.sh" 3 "$@"
need_root
need mkfs.ext4
mkdir -p "$DIR/thin" "$DIR/pool2"
mount -t tmpfs -o size=400m none "$DIR/thin" 2>/dev/null || skip "no tmpfs"
at_end "umount -l $DIR/thin"
truncate -s 320M "$DIR/thin/image"
mkfs.ext4 -q -m 0 -E nodiscard "$DIR/thin/image"
mount -o loop "$DIR/thin/image" "$DIR/pool2" 2>/dev/null || skip "no loop devices"
at_end "umount -l $DIR/pool2"
cc -shared -fPIC -o "$DIR/sync_fails.so" "$(dirname "$0")/../faults/sync_fails.c"
REPLICA_EXEC[3]="env LD_PRELOAD=$DIR/sync_fails.so SYNC_FAILS=$DIR/sync-fails
  ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0"

replica_start 1
replica_start 2
replica_start 3 --engine threads
target_start
wait_for 20 "3 replicas to be up" replicas_up 3
volume_create v1 160M >/dev/null
load_start --seconds 100000 --stall 30 --mib 128 "$(load_uri)"
out() {
  wait_for 60 "replica $1 to be left behind" member_is_out "$1"
  wait_for 10 "the reason" log_says "$DIR/replica$1.log" "out of service (a .* failed"
  sleep "$FAULT_SECONDS"
  load_lives
  volume_json v1 | jq -e '.state == "serving"' >/dev/null || fail "v1 does not go on"
  member_is_out "$1" >/dev/null || fail "replica $1 counts again"
  member_json "$1" | jq -r "\"   replica $1: \" + .why"
  member_json "$1" | jq -e '.why | length > 0' >/dev/null || fail "no reason is shown"
}

say "syncs of replica 3 fail, then work again"
touch "$DIR/sync-fails"
wait_for 20 "a sync to fail" log_says "$DIR/replica3.log" "out of service"
rm "$DIR/sync-fails"
out 3
say "it starts again: all of it is copied"
replica_kill 3
replica_start 3 --engine threads
wait_in_sync v1
wait_for 5 "a full copy" log_says "$DIR/target.log" "brought in sync, all of it"

say "the device under replica 2 is full, and nobody told its file system"
mount -o remount,size="$(($(df -k --output=used "$DIR/thin" | tail -n 1) + 2048))k" "$DIR/thin"
out 2
replica_kill 2
umount "$DIR/pool2"
mount -o remount,size=400m "$DIR/thin"
mount -o loop "$DIR/thin/image" "$DIR/pool2"
say "the device has space again"
replica_start 2
wait_in_sync v1 90
load_stop
replicas_equal
