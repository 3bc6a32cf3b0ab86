#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A volume grows while clients use it: everybody sees the new size, who was away takes it over, all
# survive a crash with it; snapshots keep theirs.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 16M >/dev/null
size_is() { [ "$(nbdinfo --size "$(nbd_uri "$1")")" -eq "$2" ]; }
nbd() { /usr/bin/python3 -c "import nbd; h = nbd.NBD(); h.connect_uri('$(nbd_uri v1)'); $1"; }
M=$((1 << 20))
head -c 16M /dev/urandom >"$DIR/old"
nbdcopy --flush "$DIR/old" "$(nbd_uri v1)"
size_is v1 $((16 * M)) || fail "not 16 MiB"
strake snapshot create v1 s1 >/dev/null

say "grows while it is written"
nbd '
for i in range(1 << 30): h.pwrite(b"w" * 65536, 8 << 20)' 2>/dev/null &
WRITER=$!
sense "$(iscsi_url v1)" watch >"$DIR/watched" &
WATCHER=$!
wait_for 20 "an initiator to be there" grep -q ready "$DIR/watched"
strake volume grow v1 48M >/dev/null
wait "$WATCHER" || fail "the initiator heard nothing"
# Unit attention, capacity data has changed.
[ "$(tail -n 2 "$DIR/watched" | tr '\n' ' ')" = "6 2a09 $((48 * M)) " ] ||
  fail "the initiator heard $(cat "$DIR/watched")"
size_is v1 $((48 * M)) || fail "NBD does not see 48 MiB"
iscsi-readcapacity16 "$(iscsi_url v1)" | grep -q $((48 * M)) || fail "iSCSI does not see 48 MiB"
nbd 'assert h.pread(65536, (48 << 20) - 65536) == bytes(65536)
h.pwrite(b"e" * 65536, (48 << 20) - 65536); h.flush()'

say "does not shrink"
! strake volume grow v1 16M 2>"$DIR/error" || fail "it shrinks"
grep -q "do not shrink" "$DIR/error" || fail "no reason: $(cat "$DIR/error")"

say "grows while a replica is away"
replica_kill 3
strake volume grow v1 64M >/dev/null
size_is v1 $((64 * M)) || fail "not 64 MiB"
nbd 'h.pwrite(b"f" * 65536, (64 << 20) - 65536); h.flush()'
replica_start 3
wait_in_sync v1

say "everything is killed"
kill -0 "$WRITER" || fail "the writer came to an end"
target_kill
wait "$WRITER" || true
for i in 1 2 3; do replica_kill "$i"; done
for i in 1 2 3; do replica_start "$i"; done
target_start
wait_serving v1
size_is v1 $((64 * M)) || fail "not 64 MiB any more"
replica_stop 1 # who was away serves too
nbd 'assert h.pread(65536, (64 << 20) - 65536) == b"f" * 65536
assert h.pread(65536, (48 << 20) - 65536) == b"e" * 65536
assert h.pread(65536, 8 << 20) == b"w" * 65536'
replica_start 1
wait_in_sync v1

say "the snapshot has its own size, and so has a clone, which grows by itself"
size_is v1@s1 $((16 * M)) || fail "the snapshot has another size"
strake volume clone v1@s1 c1 >/dev/null
size_is c1 $((16 * M)) || fail "the clone has another size"
strake volume grow c1 32M >/dev/null
nbdcopy "$(nbd_uri c1)" "$DIR/out"
cmp -n $((16 * M)) "$DIR/old" "$DIR/out"
cmp -n $((16 * M)) <(head -c 16M /dev/zero) <(tail -c 16M "$DIR/out")

say "reverted, the volume keeps its size: zeros behind what the snapshot had"
strake snapshot revert v1@s1 >/dev/null
nbdcopy "$(nbd_uri v1)" "$DIR/out"
[ "$(stat -c %s "$DIR/out")" -eq $((64 * M)) ] || fail "reverted to another size"
cmp -n $((16 * M)) "$DIR/old" "$DIR/out"
cmp -n $((48 * M)) <(head -c 48M /dev/zero) <(tail -c 48M "$DIR/out")
