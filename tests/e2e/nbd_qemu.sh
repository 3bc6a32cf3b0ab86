#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# qemu's block layer: images written and compared, odd offsets, zeroes and discards.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 64M
uri=$(nbd_uri v1)
head -c 64M /dev/urandom >"$DIR/in"
qemu-img convert -n -f raw -O raw "$DIR/in" "$uri"
qemu-img compare -f raw -F raw "$DIR/in" "$uri"
io() { qemu-io -f raw "$@" "$uri" | tee -a "$DIR/io" | grep -q -v -i -E 'failed|error'; }
io -c 'write -P 0x11 512 1024' -c 'read -P 0x11 512 1024'
io -c 'write -P 0x22 1000001 70001' -c 'read -P 0x22 1000001 70001'
io -c 'write -z 2M 1M' -c 'read -P 0 2M 1M'
io -c 'discard 4M 3M' -c 'read -P 0 4M 3M'
io -c 'write -z 8388609 100' -c 'read -P 0 8388609 100'
io -c 'write -f -P 0x33 60M 4M' -c 'read -P 0x33 60M 4M' -c 'flush'
! grep -i 'Pattern verification failed' "$DIR/io" || fail "what was written was not read"
# The bytes around the odd writes are those of the image.
qemu-io -f raw -c "read -v 0 512" "$uri" | head -n -2 >"$DIR/a"
qemu-io -f raw -c "read -v 0 512" "$DIR/in" | head -n -2 >"$DIR/b"
cmp "$DIR/a" "$DIR/b"
