#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Where the file system takes writes without waiting, as XFS does, they go through io_uring. Killed
# under load that replica keeps what the others keep; with its disk full it is done without, and the
# volume goes on.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/faults.sh" 3 "$@"
need_root
need mkfs.xfs
mkdir -p "$DIR/pool2"
truncate -s 1500M "$DIR/image"
mkfs.xfs -q "$DIR/image"
mount -o loop "$DIR/image" "$DIR/pool2" 2>/dev/null || skip "no loop devices, or no XFS"
at_end "umount -l $DIR/pool2"
for i in 1 2 3; do replica_start "$i"; done
log_says "$DIR/replica2.log" "io_uring, writes too" || skip "no io_uring"
target_start
wait_for 20 "replicas" replicas_up 3
volume_create v1 2G
load() {
  fio --name=load --ioengine=nbd --uri="$(nbd_uri v1)" --rw=randwrite --bsrange=4k-128k --iodepth=16 \
    --fsync=64 --verify=crc32c --verify_fatal=1 --verify_state_save=0 --do_verify=1 \
    --output="$DIR/fio.out" "$@" || { cat "$DIR/fio.out"; fail "fio saw an error"; }
}
load --size=64M &
fio=$!
sleep 1
replica_kill 2
sleep 1
replica_start 2
wait "$fio" || fail "the load failed"
wait_in_sync v1
load --size=64M
fallocate -l "$(($(df -k --output=avail "$DIR/pool2" | tail -n 1) - 16384))K" "$DIR/pool2/other"
load --offset=1G --size=128M
[ "$(members_in_sync v1)" -eq 2 ] || fail "a full disk counts"
rm "$DIR/pool2/other"
wait_in_sync v1 60
target_stop
for i in 1 2 3; do replica_stop "$i"; done
same_data "$DIR/pool1" "$DIR/pool2"
same_data "$DIR/pool1" "$DIR/pool3"
