#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The target keeps nothing: another one, with the same replicas, finds volumes and data again.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 32M
volume_create v2 16M --block-size 4096
id=$(volume_json v1 | jq -r .id)
head -c 32M /dev/urandom >"$DIR/in"
nbdcopy "$DIR/in" "$(nbd_uri v1)"
target_stop
unset ISCSI_PORT NBD_PORT
STRAKE_CONTROL="$DIR/other.sock"
target_start
wait_serving v1
wait_serving v2
[ "$(volume_json v1 | jq -r .id)" = "$id" ] || fail "v1 has another identity"
[ "$(volume_json v2 | jq -r .block_bytes)" = 4096 ] || fail "v2 has another block size"
nbdcopy "$(nbd_uri v1)" "$DIR/out"
cmp "$DIR/in" "$DIR/out"
