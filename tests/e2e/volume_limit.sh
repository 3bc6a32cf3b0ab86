#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Limits of how fast a volume is used: they hold for all clients together, change at once, are there
# after a crash, and clients wait instead of failing.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 16M >/dev/null
volume_create v2 16M >/dev/null

# writes VOLUME COUNT: writes so many blocks, 8 at a time; prints the seconds it took.
writes() {
  /usr/bin/python3 - "$(nbd_uri "$1")" "$2" <<'END'
import sys, time, nbd
h = nbd.NBD()
h.connect_uri(sys.argv[1])
left, flying, began = int(sys.argv[2]), [], time.monotonic()
while left or flying:
    while left and len(flying) < 8:
        flying.append(h.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(4096)), left % 4096 * 4096))
        left -= 1
    h.poll(-1)
    flying = [c for c in flying if not h.aio_command_completed(c)]
print(time.monotonic() - began)
END
}
at_least() { /usr/bin/python3 -c "import sys; sys.exit(not $1 >= $2)"; }

say "a limit holds"
strake volume limit v1 --iops 200 >/dev/null
took=$(writes v1 600)
at_least "$took" 2.8 || fail "600 writes took $took s at 200 a second"

say "what several clients do counts together"
BEGAN=$(date +%s%N)
writes v1 300 >/dev/null &
ONE=$!
writes v1 300 >/dev/null
wait "$ONE"
[ $(($(date +%s%N) - BEGAN)) -ge 2800000000 ] || fail "two clients do more than one"

say "by iSCSI as well"
strake volume limit v1 --bandwidth 4M --iops none >/dev/null
BEGAN=$(date +%s%N)
sense "$(iscsi_url v1)" write 0 2048 4096 6144 8192 10240 12288 14336 >/dev/null
[ $(($(date +%s%N) - BEGAN)) -ge 1700000000 ] || fail "8 MiB are written faster than 4 MiB a second"

say "bytes are limited too, and burst saves up"
strake volume limit v1 --burst 2 >/dev/null
took=$(writes v1 4096)
at_least "$took" 1.9 || fail "16 MiB took $took s at 4 MiB a second with a burst of 2 s"

say "it is there after a crash"
target_kill
for i in 1 2 3; do replica_kill "$i"; done
for i in 1 2 3; do replica_start "$i"; done
target_start
wait_serving v1
strake volume show v1 | grep -q "^limits: *4 MiB a second, burst 2 s$" ||
  fail "it is not told: $(strake volume show v1)"
took=$(writes v1 4096)
at_least "$took" 1.9 || fail "16 MiB took $took s after the crash"

say "others are not slowed, and it can be taken away while a client waits"
strake volume limit v1 --bandwidth none --iops 10 >/dev/null
writes v1 4096 >"$DIR/waited" &
WAITS=$!
writes v2 4096 >/dev/null
kill -0 "$WAITS" || fail "4096 writes at 10 a second are over"
strake volume limit v1 --iops none >/dev/null
wait "$WAITS" || fail "the client that waited failed"

say "what is no limit is refused"
! strake volume limit v1 --iops 3 2>"$DIR/error" || fail "3 a second are taken"
grep -q "from 10" "$DIR/error" || fail "no reason: $(cat "$DIR/error")"
! strake volume limit v1 2>"$DIR/error" || fail "nothing is a limit"
