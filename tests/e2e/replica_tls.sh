#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Replicas and a target within TLS: data passes, and whoever has no certificate of the authority is
# refused at either end with a reason: a replica of another authority, a plain replica, a plain
# target, a target of another authority; and so is one of the authority that is not the one that a
# member was made under.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/certificates.sh"
authority_new "$DIR/authority" "Test authority"
authority_new "$DIR/strangers" "Another authority"
for i in 1 2 3; do certificate_new "$DIR/replica$i" "replica$i" "$DIR/authority"; done
certificate_new "$DIR/target" target1 "$DIR/authority"
certificate_new "$DIR/stranger" mallory "$DIR/strangers"
certificate_new "$DIR/old" replica3 "$DIR/authority" -1

reason_of() { strake --json status | jq -r ".replicas[] | select(.address == \"$1\") | .why"; }
reason_is() { reason_of "127.0.0.1:${REPLICA_PORT[$1]}" | grep -q -- "$2"; }

for i in 1 2 3; do replica_start "$i" --tls-dir "$DIR/replica$i"; done
TARGET_ARGS=(--tls-dir "$DIR/target")
target_start
wait_for 20 "3 replicas to be up" replicas_up 3
log_says "$DIR/replica1.log" 'connected (strake-target .*, certificate target1)' ||
  fail "replica 1 does not know who connected"
volume_create v1 64M
head -c 64M /dev/urandom >"$DIR/in"
nbdcopy --flush "$DIR/in" "$(nbd_uri v1)"
nbdcopy "$(nbd_uri v1)" "$DIR/out"
cmp "$DIR/in" "$DIR/out"

say "a replica is killed and comes back"
replica_kill 2
sleep 1
replica_start 2 --tls-dir "$DIR/replica2"
wait_in_sync v1

say "a replica of another authority"
replica_kill 3
replica_start 3 --tls-dir "$DIR/stranger"
wait_for 10 "the target to say why" reason_is 3 "TLS: the other end's certificate: "
wait_for 10 "the replica to say why" log_says "$DIR/replica3.log" \
  'connection ended (TLS: refused by the other end: unknown CA)'

say "a replica with an expired certificate"
replica_kill 3
replica_start 3 --tls-dir "$DIR/old"
wait_for 10 "the target to say why" reason_is 3 'certificate has expired'

say "a replica without TLS"
replica_kill 3
replica_start 3
wait_for 10 "the replica to say why" log_says "$DIR/replica3.log" \
  'the other end speaks TLS, this one was not told to'
wait_for 10 "the target to say why" reason_is 3 'closed by the other end in the TLS handshake'

say "the right one again"
replica_kill 3
replica_start 3 --tls-dir "$DIR/replica3"
wait_in_sync v1

say "a replica that is not the one that was meant at this address"
target_stop
TARGET_ARGS=(--tls-dir "$DIR/target" --replica "replica1@127.0.0.1:${REPLICA_PORT[1]}"
  --replica "replica2@127.0.0.1:${REPLICA_PORT[2]}" --replica "other@127.0.0.1:${REPLICA_PORT[3]}")
pinned_start() {
  strake-target --iscsi none --nbd "unix:$NBD_SOCKET" --nbd "127.0.0.1:$NBD_PORT" \
    --control "$STRAKE_CONTROL" "${TARGET_ARGS[@]}" 2>>"$TARGET_LOG" &
  TARGET_PID=$!
  wait_for 20 "the target to answer" strake status
}
pinned_start
wait_for 10 "the target to say why" reason_is 3 'the other end is certificate replica3, not other'
wait_for 10 "the others to be up" replicas_up 2

say "the name that was meant, but not the one that the member was made under"
certificate_new "$DIR/other" other "$DIR/authority"
replica_kill 3
replica_start 3 --tls-dir "$DIR/other"
wait_for 10 "the target to say why" \
  reason_is 3 'certificate other is not what its replica of volume v1 was made under'
replica_kill 3
replica_start 3 --tls-dir "$DIR/replica3"
target_kill
TARGET_ARGS[7]="127.0.0.1:${REPLICA_PORT[3]}"
pinned_start
wait_for 10 "the one it was made under" replicas_up 3

say "a replica that lets only certain targets in"
replica_kill 2
replica_start 2 --tls-dir "$DIR/replica2" --target target7 --target target8
wait_for 10 "the replica to say why" log_says "$DIR/replica2.log" \
  'TLS: the other end is certificate target1, not target7 or another that may be there'
replica_kill 2
replica_start 2 --tls-dir "$DIR/replica2" --target target7 --target target1
wait_for 10 "it to let this one in" replicas_up 3

say "a certificate that is renewed while they run"
certificate_new "$DIR/new" replica3 "$DIR/authority"
cp "$DIR/new/key.pem" "$DIR/new/cert.pem" "$DIR/replica3/"
kill -HUP "${REPLICA_PID[3]}"
wait_for 10 "the replica to read it" log_says "$DIR/replica3.log" 'tls-dir: read again'
target_kill
pinned_start
wait_for 10 "the renewed one to be believed" replicas_up 3
echo nonsense >"$DIR/replica3/cert.pem"
kill -HUP "${REPLICA_PID[3]}"
wait_for 10 "the reason" log_says "$DIR/replica3.log" 'what was read before stays (.*cert.pem'
cp "$DIR/new/cert.pem" "$DIR/replica3/"
wait_in_sync v1

say "a target without TLS"
target_stop
: >"$DIR/replica1.log"
TARGET_ARGS=()
target_start
wait_for 10 "the replica to say why" log_says "$DIR/replica1.log" \
  'connection ended (TLS: the other end does not speak it)'
wait_for 10 "the target to say why" reason_is 1 'the other end speaks TLS'
replicas_up 0 || fail "a plain target was let in"
target_stop

say "a target of another authority, that believes the replicas"
cp "$DIR/authority/ca.pem" "$DIR/stranger/ca.pem"
TARGET_ARGS=(--tls-dir "$DIR/stranger")
target_start
wait_for 10 "the replica to say why" log_says "$DIR/replica1.log" \
  "connection ended (TLS: the other end's certificate: "
wait_for 10 "the target to say why" reason_is 1 'TLS: refused by the other end: unknown CA'
replicas_up 0 || fail "a stranger was let in"
target_stop

TARGET_ARGS=(--tls-dir "$DIR/target")
target_start
wait_serving v1
nbdcopy "$(nbd_uri v1)" "$DIR/out"
cmp "$DIR/in" "$DIR/out"
target_stop
for i in 1 2 3; do replica_stop "$i"; done
for i in 2 3; do same_data "$DIR/pool1" "$DIR/pool$i"; done
