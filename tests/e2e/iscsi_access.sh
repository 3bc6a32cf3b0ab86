#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The access file with libiscsi's tools: CHAP one-way and mutual, names, discovery, a secret that
# changes under way, NBD bound by the same rules, files that are too open; sessions seen and dropped.
. "$(dirname "$0")/../lib/cluster.sh"

cat >"$DIR/access" <<'END'
[volume chap]
user = alice
secret = alice's long secret
mutual-user = strake
mutual-secret-file = ours

[volume named]
initiators = iqn.2007-10.com.github:sahlberg:*, iqn.2008-11.org.linux-kvm*
END
echo "the target's secret" >"$DIR/ours"
chmod 600 "$DIR/access" "$DIR/ours"

TARGET_ARGS=(--access "$DIR/access")
cluster_start 3
volume_create chap 16M
volume_create named 16M
volume_create open 16M
host=127.0.0.1:$ISCSI_PORT
iqn=$(iscsi_iqn chap)
chap_url() { printf 'iscsi://%s@%s/%s/0%s' "$1" "$host" "$iqn" "${2:-}"; }
log_since() { tail -n +"$1" "$TARGET_LOG"; }

say "CHAP, one-way and mutual"
iscsi-inq "$(chap_url "alice%alice's long secret")" | grep -q STRAKE || fail "CHAP"
mutual="?target_user=strake&target_password=the target's secret"
iscsi-inq "$(chap_url "alice%alice's long secret" "$mutual")" | grep -q STRAKE || fail "mutual CHAP"
mutual="?target_user=strake&target_password=another one's secret"
! iscsi-inq "$(chap_url "alice%alice's long secret" "$mutual")" 2>/dev/null ||
  fail "libiscsi believes in another target"
! iscsi-inq "$(chap_url "alice%another long secret")" 2>/dev/null || fail "a wrong secret"
! iscsi-inq "$(chap_url "bob%alice's long secret")" 2>/dev/null || fail "an unknown user"
! iscsi-inq "iscsi://$host/$iqn/0" 2>/dev/null || fail "no CHAP"
wait_for 5 "reasons in the log" log_says "$TARGET_LOG" "login to chap refused: user bob"
log_says "$TARGET_LOG" "user alice: wrong secret" || fail "the wrong secret is not in the log"
! grep -qE "long secret|target's secret" "$TARGET_LOG" || fail "a secret is in the log"

say "names, and discovery that shows what may be used"
iscsi-inq -i iqn.2007-10.com.github:sahlberg:h "$(iscsi_url named)" >/dev/null || fail "its initiator"
! iscsi-inq -i iqn.1994-05.org.other:h "$(iscsi_url named)" 2>/dev/null || fail "another initiator"
log_says "$TARGET_LOG" "iqn.1994-05.org.other:h" || fail "who was refused is not in the log"
iscsi-ls -i iqn.1994-05.org.other:h "iscsi://$host" >"$DIR/ls"
grep -q "$(iscsi_iqn open)" "$DIR/ls" || fail "the open volume is not shown"
! grep -q "$(iscsi_iqn named)" "$DIR/ls" || fail "a volume is shown to who may not use it"

say "NBD"
nbdinfo --size "$(nbd_uri open)" >/dev/null || fail "the open volume"
! nbdinfo --size "$(nbd_uri chap)" 2>/dev/null || fail "NBD opens a volume that demands CHAP"
! nbdinfo --list "nbd://127.0.0.1:$NBD_PORT" | grep -q named || fail "NBD shows such a volume"

say "a new secret, while a session goes on; sessions seen and dropped"
qemu-io -f raw "$(iscsi_url open)" >"$DIR/io" 2>&1 < <(
  echo "write 0 64k"
  while [ ! -e "$DIR/changed" ]; do sleep 0.1; done
  echo "read -P 0xcd 0 64k"
  while [ ! -e "$DIR/dropped" ]; do sleep 0.1; done
) &
io=$!
wait_for 10 "a write" grep -q "wrote 65536" "$DIR/io"
sed -i 's/alice.s long secret/a newer secret of alice/' "$DIR/access"
iscsi-inq "$(chap_url "alice%a newer secret of alice")" >/dev/null || fail "the new secret"
! iscsi-inq "$(chap_url "alice%alice's long secret")" 2>/dev/null || fail "the old secret"
touch "$DIR/changed"
wait_for 10 "the session to go on" grep -q "read 65536" "$DIR/io"
id=$(strake --json session list | jq '.sessions[] | select(.volume == "open") | .id')
strake session list | grep -q "^$id .*iscsi .*open" || fail "the session is not listed"
strake session drop "$id"
wait_for 5 "the log to say so" log_says "$TARGET_LOG" "dropped by an administrator"
! strake session drop "$id" 2>/dev/null || fail "it is dropped twice"
touch "$DIR/dropped"
wait "$io" || true

say "a bad change leaves the rules; SIGHUP says so"
chmod 644 "$DIR/access"
kill -HUP "$TARGET_PID"
wait_for 5 "the reason" log_says "$TARGET_LOG" "too open"
iscsi-inq "$(chap_url "alice%a newer secret of alice")" >/dev/null || fail "the rules are lost"

say "what is refused at the start"
refuses() {
  local why=$1
  shift
  ! strake-target --replica "$(replica_address 1)" --control "$DIR/other.sock" "$@" \
    2>"$DIR/refusal" || fail "starts with $*"
  grep -q -- "$why" "$DIR/refusal" || fail "$(cat "$DIR/refusal")"
}
refuses "too open" --access "$DIR/access" --iscsi none --nbd none
refuses "--insecure" --iscsi 0.0.0.0:0 --nbd none
refuses "--insecure" --iscsi none --nbd 0.0.0.0:0
