#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# libiscsi's tools and qemu over iSCSI; what iSCSI wrote, NBD reads.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 64M
url=$(iscsi_url v1)
iscsi-ls -s "iscsi://127.0.0.1:$ISCSI_PORT" | tee "$DIR/ls"
grep -q "Target:$(iscsi_iqn v1)" "$DIR/ls" || fail "discovery does not show v1"
grep -q "Lun:0" "$DIR/ls" || fail "the logical unit is not shown"
iscsi-inq "$url" | grep -q 'Vendor:STRAKE' || fail "INQUIRY"
for page in 0x00 0x80 0x83 0xb0 0xb1 0xb2; do
  iscsi-inq -e 1 -c "$page" "$url" >"$DIR/inq" || fail "VPD page $page"
done
iscsi-readcapacity16 "$url" | tee "$DIR/capacity"
grep -q 67108864 "$DIR/capacity" || fail "READ CAPACITY(16)"
head -c 64M /dev/urandom >"$DIR/in"
qemu-img convert -n -f raw -O raw "$DIR/in" "$url"
qemu-img compare -f raw -F raw "$DIR/in" "$url"
nbdcopy "$(nbd_uri v1)" "$DIR/out"
cmp "$DIR/in" "$DIR/out"
