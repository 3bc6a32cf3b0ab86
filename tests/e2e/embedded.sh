#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One process on one machine: strake-target --pool, killed and started again.
. "$(dirname "$0")/../lib/cluster.sh"
mkdir "$DIR/pool"
TARGET_ARGS=(--pool "$DIR/pool")
target_start
volume_create v1 64M
head -c 64M /dev/urandom >"$DIR/in"
nbdcopy "$DIR/in" "$(nbd_uri v1)"
target_kill
target_start
wait_serving v1
nbdcopy "$(nbd_uri v1)" "$DIR/out"
cmp "$DIR/in" "$DIR/out"
target_stop
