#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The disks of all replicas become full: a write of new blocks waits; overwrites, discards and the
# deletion of a snapshot go on; what waited ends when there is space again. Nothing is restarted.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/faults.sh" 3 "$@"
for i in 1 2 3; do disk_make "$i" 128; done
cluster_start 3
volume_create v1 128M >/dev/null
strake volume create v2 16M >/dev/null
client() {
  timeout 60 /usr/bin/python3 -c "import nbd; h = nbd.NBD(); h.connect_uri('$(nbd_uri v1)')
M = 1 << 20
$1"
}
serving() { volume_json v1 | jq -e '.state == "serving"'; }

say "written until there is no space"
client 'h.pwrite(b"a" * 8 * M, 0); h.flush()'
strake snapshot create v1 s1 >/dev/null
(client '
for i in range(8, 110): h.pwrite(b"b" * M, i * M); print(i, flush=True)
h.flush()' >"$DIR/written") &
WRITER=$!
wait_for 60 "a write to wait" log_says "$TARGET_LOG" "space for a write\|no space left"
strake events | grep -q "nearly full" || fail "nobody was warned"
sleep 1
kill -0 "$WRITER" || fail "the writer came to an end: $(tail -n 3 "$DIR/written")"
full=$(tail -n 1 "$DIR/written")
[ "$full" -lt 128 ] || fail "$full MiB fit"

say "what needs no space goes on"
serving || fail "v1 does not serve"
client 'h.pwrite(b"c" * M, 8 * M); h.flush(); assert h.pread(M, 8 * M) == b"c" * M'
client 'assert h.pread(M, 0) == b"a" * M'
! strake snapshot create v1 s2 2>"$DIR/error" || fail "a snapshot was made"
grep -q "full" "$DIR/error" || fail "no reason: $(cat "$DIR/error")"
kill -0 "$WRITER" || fail "the writer came to an end"
client 'h.trim(4 * M, 10 * M); h.flush(); assert h.pread(M, 10 * M) == bytes(M)'
strake snapshot delete v1@s1 >/dev/null

say "it goes on as space comes back"
more() { [ "$(tail -n 1 "$DIR/written")" -gt "$full" ]; }
wait_for 30 "the writer to go on" more
(while sleep 0.2; do client "h.trim($(tail -n 1 "$DIR/written") * M - 12 * M, 12 * M)" || exit 0; done) \
  2>/dev/null &
TRIMMER=$!
wait_for 60 "the writer to end" sh -c "! kill -0 $WRITER 2>/dev/null"
kill "$TRIMMER"
wait "$WRITER" || fail "the writer failed"
wait_in_sync v1
client 'assert h.pread(M, 0) == b"a" * M; assert h.pread(M, 8 * M) == b"c" * M'
for i in 1 2 3; do kill -0 "${REPLICA_PID[$i]}" || fail "replica $i ended"; done
