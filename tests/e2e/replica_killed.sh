#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One of three replicas is killed under load and started again: no error, and it comes back in sync.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 64M
fio --name=load --ioengine=nbd --uri="$(nbd_uri v1)" --rw=randwrite --bs=4k --iodepth=16 \
  --size=64M --io_size=4G --runtime=12 --time_based --verify=crc32c --verify_fatal=1 \
  --verify_state_save=0 \
  --verify_backlog=512 --output="$DIR/fio.out" &
fio=$!
sleep 2
replica_kill 2
two_in_sync() { [ "$(members_in_sync v1)" -eq 2 ]; }
wait_for 10 "the lost member to count no more" two_in_sync
volume_json v1 | jq -e '.state == "serving"' >/dev/null || fail "the volume does not serve"
strake volume show v1
replica_start 2
wait "$fio" || { cat "$DIR/fio.out"; fail "fio saw an error"; }
wait_in_sync v1
target_stop
for i in 1 2 3; do replica_stop "$i"; done
same_data "$DIR/pool1" "$DIR/pool2"
same_data "$DIR/pool1" "$DIR/pool3"
