#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Everything is killed around the making of snapshots: one that was answered is there afterwards,
# with the same content wherever it is read, also from a replica
# that was away when it was made.
. "$(dirname "$0")/../lib/cluster.sh"
here=$(dirname "$0")
cluster_start 3
volume_create v1 16M
content() { nbdcopy "$(nbd_uri "v1@$1")" - | sha256sum; }
make_snapshots() {
  local i
  for i in 1 2 3 4 5 6 7 8 9; do
    if strake snapshot create v1 "r$1-$i" >/dev/null 2>&1; then echo "r$1-$i" >>"$DIR/made"; fi
    sleep 0.2
  done
}
two_made() { [ "$(wc -l <"$DIR/made")" -ge 2 ]; }
for round in 1 2 3; do
  [ "$round" -ne 3 ] || replica_kill 3
  /usr/bin/python3 "$here/acked_writes.py" write "$(nbd_uri v1)" "$DIR/acked" "$round" &
  writer=$!
  : >"$DIR/made"
  make_snapshots "$round" &
  maker=$!
  wait_for 30 "two snapshots in round $round" two_made
  [ "$round" -ne 2 ] || { replica_kill 1; replica_kill 2; }
  target_kill
  wait "$writer" || fail "the writer failed in round $round"
  wait "$maker" || true
  [ "$round" -ne 2 ] || { replica_start 1; replica_start 2; }
  target_start
  wait_serving v1
  while read -r name; do
    strake snapshot show "v1@$name" >/dev/null || fail "v1@$name was answered and is gone"
    content "$name" >"$DIR/content-$name"
    echo "$name" >>"$DIR/all"
  done <"$DIR/made"
  /usr/bin/python3 "$here/acked_writes.py" check "$(nbd_uri v1)" "$DIR/acked"
  [ "$round" -ne 3 ] || replica_start 3
  wait_in_sync v1
done
for i in 1 2 3; do
  say "as they are without replica $i"
  replica_kill "$i"
  while read -r name; do
    content "$name" | cmp - "$DIR/content-$name" || fail "v1@$name is another one without replica $i"
  done <"$DIR/all"
  replica_start "$i"
  wait_in_sync v1
done
