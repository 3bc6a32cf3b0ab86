#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real kernel mounts snapshots of ext4 and XFS read-only, taken while the file systems are mounted.
. "$(dirname "$0")/../lib/cluster.sh"
guest=$(dirname "$0")/../guest
cluster_start 3
for fs in ext4 xfs; do
  volume_create "$fs" 512M
  "$guest/run" --timeout 300 "$guest/scripts/snapshot_begin.sh" "$fs" 127.0.0.1 "$NBD_PORT" "$fs" >"$DIR/guest-$fs.log" &
  runner=$!
  wait_for 200 "the file system to be frozen" grep -q 'GUEST: first is written' "$DIR/guest-$fs.log"
  strake snapshot create "$fs" s1
  wait "$runner" || { cat "$DIR/guest-$fs.log"; fail "the guest with $fs"; }
  "$guest/run" --timeout 200 "$guest/scripts/snapshot_mount.sh" "$fs" 127.0.0.1 "$NBD_PORT" "$fs@s1"
done
