#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# NBD within TLS, certificates both ways: libnbd and qemu get in and read what they wrote; who has
# no certificate, or one of another authority, does not, and the log says why.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/certificates.sh"
authority_new "$DIR/authority" "Test authority"
authority_new "$DIR/strangers" "Another authority"
certificate_new "$DIR/server" target.example "$DIR/authority"
certificate_new "$DIR/client" alice "$DIR/authority"
certificate_new "$DIR/stranger" mallory "$DIR/strangers"
cp "$DIR/authority/ca.pem" "$DIR/stranger/ca.pem"
certificate_for_clients "$DIR/client"
certificate_for_clients "$DIR/stranger"
mkdir "$DIR/nobody"
cp "$DIR/authority/ca.pem" "$DIR/nobody/ca-cert.pem"

TARGET_ARGS=(--nbd-tls require --nbd-tls-dir "$DIR/server" --debug)
cluster_start 3
volume_create v1 64M
where=localhost:$NBD_PORT
uri="nbds://$where/v1?tls-certificates=$DIR/client"

say "libnbd"
nbdinfo --size "$uri" | grep -qx 67108864 || fail "nbdinfo shows another size"
nbdinfo "$uri" | grep -q 'using TLS' || nbdinfo "$uri" | grep -qi tls || fail "not within TLS"
head -c 64M /dev/urandom >"$DIR/in"
nbdcopy --flush "$DIR/in" "$uri"
nbdcopy "$uri" "$DIR/out"
cmp "$DIR/in" "$DIR/out"
nbdcopy "nbds+unix:///v1?socket=$DIR/nbd.sock&tls-certificates=$DIR/client&tls-hostname=localhost" \
  "$DIR/out"
cmp "$DIR/in" "$DIR/out"
log_says "$DIR/target.log" 'within TLS (certificate alice)' || fail "the log does not know alice"

say "qemu"
image="driver=nbd,host=localhost,port=$NBD_PORT,export=v1,tls-creds=tls0"
tls="tls-creds-x509,id=tls0,dir=$DIR/client,endpoint=client"
qemu-img convert --object "$tls" --image-opts "$image" -O raw "$DIR/out"
cmp "$DIR/in" "$DIR/out"
qemu-io --object "$tls" --image-opts "$image" -c 'write -P 0x5a 512 70000' \
  -c 'read -P 0x5a 512 70000' | grep -q 'read 70000' || fail "qemu-io"

say "refusals"
refused() {
  local what=$1 why=$2
  shift 2
  : >"$DIR/target.log"
  ! "$@" >"$DIR/refused.out" 2>&1 || fail "$what was let in"
  wait_for 5 "the log to say: $why" log_says "$DIR/target.log" "$why"
}
refused "a client without a certificate" 'the other end shows no certificate' \
  nbdinfo "nbds://$where/v1?tls-certificates=$DIR/nobody"
# GnuTLS does not even show a certificate that the server's authority did not issue.
refused "a stranger's certificate" "TLS: the other end" \
  nbdinfo "nbds://$where/v1?tls-certificates=$DIR/stranger"
refused "a client that does not speak TLS" 'closed' nbdinfo "nbd://$where/v1"
grep -qi 'TLS' "$DIR/refused.out" || fail "the client was not told to use TLS"
refused "an old client" 'EXPORT_NAME without TLS' python3 - "$NBD_PORT" <<'END'
import socket, sys
s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
s.recv(18, socket.MSG_WAITALL)
s.sendall(bytes.fromhex("00000003") + b"IHAVEOPT" + bytes.fromhex("00000001 00000002") + b"v1")
sys.exit(0 if s.recv(100) else 1)
END
nbdinfo --size "$uri" >/dev/null || fail "who may come in no longer can"

say "rules for those who are known by TLS, and an authority that is added without a restart"
target_stop
certificate_new "$DIR/second" bob "$DIR/authority"
certificate_for_clients "$DIR/second"
printf '[volume v1]\ntls = alice\n' >"$DIR/access"
chmod 600 "$DIR/access"
TARGET_ARGS+=(--access "$DIR/access")
target_start
wait_serving v1
nbdinfo --size "$uri" | grep -qx 67108864 || fail "alice"
refused "bob" "closed" nbdinfo "nbds://$where/v1?tls-certificates=$DIR/second"
printf '[volume v1]\ntls = alice, b*\n' >"$DIR/access"
nbdinfo --size "nbds://$where/v1?tls-certificates=$DIR/second" >/dev/null || fail "bob, by now"
! iscsi-inq "$(iscsi_url v1)" 2>/dev/null || fail "an initiator gets in by a rule for NBD"
certificate_new "$DIR/friend" b-of-elsewhere "$DIR/strangers"
cp "$DIR/authority/ca.pem" "$DIR/friend/ca.pem"
certificate_for_clients "$DIR/friend"
friend="nbds://$where/v1?tls-certificates=$DIR/friend"
! nbdinfo --size "$friend" 2>/dev/null || fail "another authority's"
cat "$DIR/strangers/ca.pem" >>"$DIR/server/ca.pem"
nbdinfo --size "$friend" >/dev/null || fail "the authority is not believed"
! grep -r -F "$(sed -n 2p "$DIR/server/key.pem")" "$DIR"/*.log || fail "a key is in a log"
target_stop
for i in 1 2 3; do replica_stop "$i"; done
