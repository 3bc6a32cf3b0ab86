#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A volume that waits for its replicas, with a client's write in flight, can be deleted by force.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 16M
replica_kill 2
replica_kill 3
qemu-io -f raw -c 'write -P 0x77 0 1M' "$(nbd_uri v1)" >"$DIR/io" 2>&1 &
io=$!
frozen() { volume_json v1 | jq -e '.state != "serving"'; }
wait_for 20 "the volume to wait" frozen
! strake volume delete v1 2>"$DIR/err" || fail "deleted without force, with a client"
strake volume delete v1 --force
wait "$io" || true
grep -q -i -E 'shutdown|failed|error' "$DIR/io" || { cat "$DIR/io"; fail "the write was not ended"; }
replica_start 2
replica_start 3
gone() { [ "$(find "$DIR"/pool?/volumes -mindepth 1 -maxdepth 1 -type d | wc -l)" -eq 0 ]; }
wait_for 20 "the data to go everywhere" gone
