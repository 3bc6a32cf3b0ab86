#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# S10: equal content has an equal digest, at every replica, and anybody who has the bytes computes
# the same one; a snapshot is opened by it, read-only; what was spoiled on a disk is found.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
head -c 20M /dev/urandom >"$DIR/in"
for name in v1 v2; do
  volume_create "$name" 64M
  nbdcopy --flush "$DIR/in" "$(nbd_uri "$name")"
  strake snapshot create "$name" s1
done
digest=$(strake snapshot digest v1@s1)
[ "$(strake snapshot digest v2@s1)" = "$digest" ] || fail "equal content has two digests"
[ "$("$BIN/strake-digest" "$DIR/in")" = "$digest  $DIR/in" ] || fail "strake-digest says another one"
[ "$("$(dirname "$0")/../lib/digest.py" "$DIR/in")" = "$digest" ] || fail "it is not as defined"

nbdcopy "$(nbd_uri "v1@$digest")" "$DIR/out"
cmp -n $((20 << 20)) "$DIR/in" "$DIR/out"
[ "$(nbdcopy "$(nbd_uri "v1@$digest")" - | "$BIN/strake-digest")" = "$digest  -" ] ||
  fail "what the snapshot shows has another digest"
qemu-img compare -f raw -F raw "$DIR/out" "$(iscsi_url v1 | sed "s|/0$|:$digest/0|")"
nbdinfo --is readonly "$(nbd_uri "v1@$digest")" || fail "can be written to"
! nbdinfo "$(nbd_uri "v1@sha256:${digest:8}0")" 2>"$DIR/err" || fail "another digest opens it, too"
strake snapshot verify v1@s1

/usr/bin/python3 -c "
import nbd
h = nbd.NBD(); h.connect_uri('$(nbd_uri v2)'); h.pwrite(b'x' * 512, 0); h.flush()"
strake snapshot create v2 s2
[ "$(strake snapshot digest v2@s2)" != "$digest" ] || fail "other content has the same digest"

# A replica that missed a snapshot has it by resync, and the same digest.
replica_kill 2
nbdcopy --flush "$DIR/in" "$(nbd_uri v2)"
strake snapshot create v2 s3
replica_start 2
wait_in_sync v2
[ "$(strake snapshot digest v2@s3)" = "$digest" ] || fail "the same content has another digest"
strake snapshot verify v2@s3 | tee "$DIR/verified"
[ "$(grep -c "known, $digest" "$DIR/verified")" -eq 4 ] || fail "not three replicas verified it"

# A replica whose data is lost is replaced, and computes its own.
replica_kill 2
rm -rf "$DIR/pool2"
replica_start 2
wait_in_sync v1
[ "$(strake snapshot digest v1@s1)" = "$digest" ] || fail "the rebuilt replica has another digest"
strake snapshot verify v1@s1 | tee "$DIR/verified"
[ "$(grep -c "known, $digest" "$DIR/verified")" -eq 4 ] || fail "not three replicas verified it"

# A block is spoiled behind one replica's back.
for file in "$DIR"/pool3/data/*/00000000; do
  printf 'spoiled' | dd of="$file" bs=1 seek=$((5 << 20)) conv=notrunc status=none
done
[ "$(strake snapshot digest v1@s1)" = "$digest" ] || fail "the digest is not kept"
! strake snapshot verify v1@s1 >"$DIR/verified" 2>&1 || fail "the damage is not found"
grep -q damaged "$DIR/verified" || fail "the damage is not told"
