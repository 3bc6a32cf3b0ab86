#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# With --fail-when-full, a write for which the replicas have no space ends with ENOSPC, at all of
# them the same; what needs no space goes on, and so does everything once there is space.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/faults.sh" 3 "$@"
TARGET_ARGS=(--fail-when-full)
# Not of one size: when the small ones are full, the large one has taken what they refuse.
disk_make 1 96
disk_make 2 128
disk_make 3 160
cluster_start 3
volume_create v1 160M >/dev/null
client() {
  timeout 60 /usr/bin/python3 -c "import nbd, errno; h = nbd.NBD(); h.connect_uri('$(nbd_uri v1)')
M = 1 << 20
def refused(at):
    try: h.pwrite(b'x' * M, at * M)
    except nbd.Error as e: assert e.errnum == errno.ENOSPC, e; return True
    return False
$1"
}

say "written until it is refused"
client '
h.pwrite(b"a" * 4 * M, 0); h.flush()
at = 4
while not refused(at): at += 1
assert 16 < at < 130, at
assert h.pread(M, at * M) in (bytes(M), b"x" * M)
h.flush(); print(at)' >"$DIR/at"
at=$(cat "$DIR/at")
volume_json v1 | jq -e '.state == "serving"' >/dev/null || fail "v1 does not serve"

say "an initiator hears that space allocation failed"
[ "$(sense "$(iscsi_url v1)" write $(((at + 1) * 2048)))" = "7 2707" ] || fail "it heard something else"

say "what needs no space goes on, and what needs some is refused again"
client "
h.pwrite(b'c' * M, 1 * M); assert refused($at)
assert h.pread(2 * M, 0) == b'a' * M + b'c' * M
h.trim(6 * M, 8 * M); h.flush(); assert h.pread(M, 8 * M) == bytes(M)"

say "there is space: it is written"
more() { client "assert not refused($at)" 2>/dev/null; }
wait_for 60 "a write that has space" more
client "h.flush(); assert h.pread(M, $at * M) == b'x' * M"
in_sync() { volume_json v1 | jq -e '[.members[] | select(.in_sync)] | length >= 2' >/dev/null; }
in_sync || fail "too few are in sync"
client "h.trim(100 * M, 20 * M); h.flush()"
wait_in_sync v1 60
replicas_equal
