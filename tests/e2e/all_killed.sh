#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every process is killed at once under load: what was acknowledged is there when they are back.
. "$(dirname "$0")/../lib/cluster.sh"
here=$(dirname "$0")
cluster_start 3
volume_create v1 16M
for round in 1 2 3; do
  /usr/bin/python3 "$here/acked_writes.py" write "$(nbd_uri v1)" "$DIR/acked" "$round" &
  writer=$!
  sleep 2
  kill -9 "$TARGET_PID" "${REPLICA_PID[@]}"
  wait "$TARGET_PID" "${REPLICA_PID[@]}" || true
  wait "$writer" || fail "the writer failed in round $round"
  for i in 1 2 3; do replica_start "$i"; done
  target_start
  wait_serving v1
  /usr/bin/python3 "$here/acked_writes.py" check "$(nbd_uri v1)" "$DIR/acked"
done
wait_in_sync v1
