#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The target is killed under load again and again: what was acknowledged is there, replicas are equal.
. "$(dirname "$0")/../lib/cluster.sh"
here=$(dirname "$0")
cluster_start 3
volume_create v1 16M
for round in 1 2 3; do
  /usr/bin/python3 "$here/acked_writes.py" write "$(nbd_uri v1)" "$DIR/acked" "$round" &
  writer=$!
  sleep 2
  target_kill
  wait "$writer" || fail "the writer failed in round $round"
  target_start
  wait_serving v1
  /usr/bin/python3 "$here/acked_writes.py" check "$(nbd_uri v1)" "$DIR/acked"
done
wait_in_sync v1
target_stop
for i in 1 2 3; do replica_stop "$i"; done
same_data "$DIR/pool1" "$DIR/pool2"
same_data "$DIR/pool1" "$DIR/pool3"
