#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A volume is reverted to a snapshot, not while it is used; what it had is kept, and can come back.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 32M
for name in one two; do
  head -c 32M /dev/urandom >"$DIR/$name"
  nbdcopy --flush "$DIR/$name" "$(nbd_uri v1)"
  strake snapshot create v1 "$name"
done
head -c 32M /dev/urandom >"$DIR/head"
nbdcopy --flush "$DIR/head" "$(nbd_uri v1)"
strake snapshot revert v1@one --keep later
nbdcopy "$(nbd_uri v1)" "$DIR/out"
cmp "$DIR/one" "$DIR/out"
nbdcopy "$(nbd_uri v1@later)" "$DIR/out"
cmp "$DIR/head" "$DIR/out"
strake snapshot revert v1@later
nbdcopy "$(nbd_uri v1)" "$DIR/out"
cmp "$DIR/head" "$DIR/out"
strake snapshot revert v1@two
nbdcopy "$(nbd_uri v1)" "$DIR/out"
cmp "$DIR/two" "$DIR/out"
strake events | grep -q 'reverted to snapshot two by uid' || fail "no event"
/usr/bin/python3 -c "
import nbd, time
h = nbd.NBD(); h.connect_uri('$(nbd_uri v1)'); print('open', flush=True); time.sleep(60)" >"$DIR/open" &
user=$!
wait_for 20 "the client" grep -q open "$DIR/open"
! strake snapshot revert v1@one 2>"$DIR/why" || fail "reverted in use"
grep -q 'in use by' "$DIR/why" || fail "the reason is another: $(<"$DIR/why")"
kill_now "$user"
