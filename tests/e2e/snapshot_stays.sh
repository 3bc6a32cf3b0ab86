#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A snapshot stays as it was while the volume changes; many read it at once, nobody writes to it.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 64M
head -c 64M /dev/urandom >"$DIR/old"
nbdcopy --flush "$DIR/old" "$(nbd_uri v1)"
strake snapshot create v1 s1 -m 'download complete' --label source=s3
head -c 64M /dev/urandom >"$DIR/new"
nbdcopy --flush "$DIR/new" "$(nbd_uri v1)"

say "the head is new, the snapshot old, for several readers over both protocols"
readers=()
for i in 1 2 3 4; do
  nbdcopy "$(nbd_uri v1@s1)" "$DIR/read$i" &
  readers+=($!)
done
qemu-img compare -f raw -F raw "$DIR/old" "$(iscsi_snapshot_url v1 s1)"
for pid in "${readers[@]}"; do wait "$pid"; done
for i in 1 2 3 4; do cmp "$DIR/old" "$DIR/read$i"; done
nbdcopy "$(nbd_uri v1)" "$DIR/head"
cmp "$DIR/new" "$DIR/head"

say "read-only, not listed, found by labels"
nbdinfo --json "$(nbd_uri v1@s1)" | jq -e '.exports[0].is_read_only' >/dev/null || fail "writable"
! nbdinfo --list "nbd://127.0.0.1:$NBD_PORT" | grep -q 'export="v1@' || fail "the snapshot is listed"
! nbdcopy "$DIR/new" "$(nbd_uri v1@s1)" 2>/dev/null || fail "the snapshot could be written"
[ "$(strake --json snapshot list v1 --label source=s3 | jq '.snapshots | length')" -eq 1 ] ||
  fail "not found by its label"

say "a name is taken once; a snapshot in use stays"
! strake snapshot create v1 s1 2>"$DIR/why" || fail "the name could be taken twice"
grep -q 'v1@s1' "$DIR/why" || fail "the reason does not name it"
/usr/bin/python3 -c "
import nbd, sys, time
h = nbd.NBD(); h.connect_uri('$(nbd_uri v1@s1)'); print('open', flush=True); time.sleep(60)" >"$DIR/open" &
reader=$!
wait_for 20 "the reader" grep -q open "$DIR/open"
! strake snapshot delete v1@s1 2>"$DIR/why" || fail "deleted in use"
grep -q 'in use by nbd' "$DIR/why" || fail "the reason does not say who uses it"
kill_now "$reader"
wait_for 20 "the snapshot to go" strake snapshot delete v1@s1
! nbdinfo "$(nbd_uri v1@s1)" 2>/dev/null || fail "still there"
