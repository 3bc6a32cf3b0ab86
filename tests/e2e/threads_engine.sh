#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Where io_uring is refused: the same cluster on the thread engine.
. "$(dirname "$0")/../lib/cluster.sh"
for i in 1 2 3; do replica_start "$i" --engine threads; done
log_says "$DIR/replica1.log" threads || fail "the engine is not said in the log"
target_start
wait_for 20 "replicas" replicas_up 3
volume_create v1 64M
fio --name=mixed --ioengine=nbd --uri="$(nbd_uri v1)" --rw=randwrite --bsrange=4k-64k \
  --iodepth=16 --size=64M --fsync=64 --verify=crc32c --verify_fatal=1 \
  --verify_state_save=0 --do_verify=1 \
  --output="$DIR/fio.out" || { cat "$DIR/fio.out"; fail "fio"; }
