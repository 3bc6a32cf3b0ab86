#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What nbdcopy writes, nbdcopy reads back, over TCP and over the unix socket.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 64M
nbdinfo --size "$(nbd_uri v1)" | grep -qx 67108864 || fail "nbdinfo shows another size"
nbdinfo --list "nbd://127.0.0.1:$NBD_PORT" | grep -q 'export="v1"' || fail "v1 is not listed"
head -c 64M /dev/urandom >"$DIR/in"
nbdcopy --flush "$DIR/in" "$(nbd_uri v1)"
nbdcopy "nbd+unix:///v1?socket=$DIR/nbd.sock" "$DIR/out"
cmp "$DIR/in" "$DIR/out"
target_stop
for i in 1 2 3; do replica_stop "$i"; done
