#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# NBD within TLS by shared keys: libnbd and qemu get in with the right one only. TLS is offered, so
# a plain client gets in as well.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/certificates.sh"
key=$(openssl rand -hex 32)
mkdir "$DIR/server" "$DIR/alice" "$DIR/mallory"
printf 'bob:%s\nalice:%s\n' "$(openssl rand -hex 32)" "$key" >"$DIR/server/keys.psk"
printf 'alice:%s\n' "$key" >"$DIR/alice/keys.psk"
printf 'alice:%s\n' "$(openssl rand -hex 32)" >"$DIR/mallory/keys.psk"

TARGET_ARGS=(--nbd-tls on --nbd-tls-dir "$DIR/server" --debug)
cluster_start 1
volume_create v1 32M --replicas 1
psk_uri() { printf 'nbds://%s@127.0.0.1:%s/v1?tls-psk-file=%s/keys.psk' "$1" "$NBD_PORT" "$DIR/$2"; }

say "libnbd"
nbdinfo --size "$(psk_uri alice alice)" | grep -qx 33554432 || fail "nbdinfo shows another size"
head -c 32M /dev/urandom >"$DIR/in"
nbdcopy --flush "$DIR/in" "$(psk_uri alice alice)"
nbdcopy "$(psk_uri alice alice)" "$DIR/out"
cmp "$DIR/in" "$DIR/out"
log_says "$DIR/target.log" 'within TLS (key alice)' || fail "the log does not know alice"

say "qemu"
qemu-img convert --object "tls-creds-psk,id=tls0,dir=$DIR/alice,endpoint=client,username=alice" \
  --image-opts "driver=nbd,host=127.0.0.1,port=$NBD_PORT,export=v1,tls-creds=tls0" \
  -O raw "$DIR/out"
cmp "$DIR/in" "$DIR/out"

say "refusals"
! nbdinfo "$(psk_uri alice mallory)" >/dev/null 2>&1 || fail "a wrong key was let in"
wait_for 5 "the log to say so" log_says "$DIR/target.log" 'TLS: binder does not verify'
cp "$DIR/alice/keys.psk" "$DIR/mallory/keys.psk"
sed -i 's/^alice/eve/' "$DIR/mallory/keys.psk"
! nbdinfo "$(psk_uri eve mallory)" >/dev/null 2>&1 || fail "an unknown identity was let in"
wait_for 5 "the log to say so" log_says "$DIR/target.log" "key identity is not known here"

say "in the clear"
nbdinfo --size "$(nbd_uri v1)" | grep -qx 33554432 || fail "a plain client was refused"

say "both kinds in one directory: who has a key needs no certificate"
target_stop
authority_new "$DIR/authority" "Test authority"
certificate_new "$DIR/server" target.example "$DIR/authority"
certificate_new "$DIR/client" carol "$DIR/authority"
certificate_for_clients "$DIR/client"
TARGET_ARGS=(--nbd-tls require --nbd-tls-dir "$DIR/server" --debug)
target_start
wait_serving v1
nbdinfo --size "$(psk_uri alice alice)" >/dev/null || fail "the key no longer lets in"
nbdinfo --size "nbds://localhost:$NBD_PORT/v1?tls-certificates=$DIR/client" >/dev/null ||
  fail "the certificate does not let in"
! grep -q "$key" "$DIR"/*.log || fail "a key is in a log"
target_stop
replica_stop 1
