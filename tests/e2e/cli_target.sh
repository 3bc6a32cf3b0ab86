#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The target as a process: settings from a file, chosen ports, one to a socket, a clean end under
# load, and a volume in use that is deleted only by force.
. "$(dirname "$0")/../lib/cluster.sh"
for i in 1 2 3; do replica_start "$i"; done

cat >"$DIR/target.conf" <<CONF
# replicas, one a line
replica = 127.0.0.1:${REPLICA_PORT[1]}
replica = 127.0.0.1:${REPLICA_PORT[2]}
replica = 127.0.0.1:${REPLICA_PORT[3]}
iscsi = 127.0.0.1:0
nbd = 127.0.0.1:0
nbd = unix:$DIR/nbd.sock
control = $STRAKE_CONTROL
CONF
start() {
  strake-target --config "$DIR/target.conf" 2>>"$DIR/target.log" &
  TARGET_PID=$!
  wait_for 20 "the target to answer" strake status
  wait_for 20 "replicas" replicas_up 3
}
start
status=$(strake --json status)
jq -e '.listeners.iscsi[0] | test(":[1-9][0-9]*$")' <<<"$status" || fail "no port was chosen"
uri=$(volume_create v1 64M >/dev/null && volume_json v1 | jq -r '.nbd.uris[0]')
nbdinfo --size "$uri" | grep -qx 67108864 || fail "$uri does not lead to v1"
strake events | grep -q 'v1: created' || fail "the creation is no event"

say "one target to a control socket"
got=0
timeout 20 strake-target --config "$DIR/target.conf" 2>"$DIR/err" || got=$?
[ "$got" -eq 1 ] || fail "a second target ends with $got"
grep -q "in use by another target" "$DIR/err" || fail "it does not say why: $(cat "$DIR/err")"
strake status >/dev/null || fail "the first one was harmed"

say "a line that makes no sense"
echo 'colour = red' >"$DIR/bad.conf"
got=0
strake-target --config "$DIR/bad.conf" 2>"$DIR/err" || got=$?
[ "$got" -eq 2 ] && grep -q 'bad.conf:1: colour' "$DIR/err" || fail "$got: $(cat "$DIR/err")"

say "a clean end under load"
fio --name=load --ioengine=nbd --uri="$uri" --rw=randwrite --bs=64k --iodepth=16 --size=64M \
  --time_based --runtime=30 --output="$DIR/fio.out" >/dev/null 2>&1 &
fio=$!
sleep 2
begin=$SECONDS
target_stop
[ $((SECONDS - begin)) -le 8 ] || fail "it took $((SECONDS - begin)) s to stop"
wait "$fio" || true
grep -q ' stopped$' "$DIR/target.log" || fail "the log does not end well"
! grep -q 'not everything ended' "$DIR/target.log" || fail "the end was not clean"

say "deleted only by force while in use"
start
wait_serving v1
uri=$(volume_json v1 | jq -r '.nbd.uris[0]')
qemu-io -f raw -c 'sleep 20000' "$uri" >/dev/null 2>&1 &
client=$!
wait_for 10 "the client" sh -c "strake --json volume show v1 | jq -e '.sessions > 0'"
got=0
strake volume delete v1 2>"$DIR/err" || got=$?
[ "$got" -eq 1 ] && grep -q 'in use' "$DIR/err" || fail "$got: $(cat "$DIR/err")"
strake volume delete v1 --force
kill "$client" 2>/dev/null || true
[ "$(strake --json volume list | jq '.volumes | length')" -eq 0 ] || fail "v1 is still there"
target_stop
