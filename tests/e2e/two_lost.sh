#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# With two of three replicas gone writes wait and say why; they go on when one is back.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 16M
replica_kill 2
replica_kill 3
qemu-io -f raw -c 'write -P 0x77 0 1M' -c 'flush' -c 'read -P 0x77 0 1M' "$(nbd_uri v1)" \
  >"$DIR/io" 2>&1 &
io=$!
sleep 6
kill -0 "$io" 2>/dev/null || { cat "$DIR/io"; fail "the write did not wait"; }
strake volume show v1
volume_json v1 | jq -e '.state != "serving" and (.why | length > 0)' >/dev/null ||
  fail "the volume does not say why it waits"
replica_start 2
wait "$io"
! grep -i -E 'failed|error' "$DIR/io" || fail "the write failed"
replica_start 3
wait_in_sync v1
