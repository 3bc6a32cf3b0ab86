#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One of three replicas stops answering (SIGSTOP): writes go on; it returns by itself.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 64M
fio --name=load --ioengine=nbd --uri="$(nbd_uri v1)" --rw=randwrite --bs=4k --iodepth=16 \
  --size=64M --io_size=4G --runtime=16 --time_based --verify=crc32c --verify_fatal=1 \
  --verify_state_save=0 \
  --verify_backlog=512 --output="$DIR/fio.out" --output-format=json &
fio=$!
sleep 2
kill -STOP "${REPLICA_PID[3]}"
two_in_sync() { [ "$(members_in_sync v1)" -eq 2 ]; }
wait_for 10 "the silent member to count no more" two_in_sync
kill -CONT "${REPLICA_PID[3]}"
wait "$fio" || { cat "$DIR/fio.out"; fail "fio saw an error"; }
jq -r '"   the longest write took \(.jobs[0].write.clat_ns.max / 1e6 | round) ms"' "$DIR/fio.out"
wait_in_sync v1
target_stop
for i in 1 2 3; do replica_stop "$i"; done
same_data "$DIR/pool1" "$DIR/pool3"
