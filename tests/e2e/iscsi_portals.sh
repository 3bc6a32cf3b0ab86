#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Several portals, IPv4 and IPv6: discovery through each tells all of them, the volume is reached
# through each; header digests; a rule that sends initiators from one portal's target elsewhere.
. "$(dirname "$0")/../lib/cluster.sh"
second=$(free_port) third=$(free_port) ISCSI_PORT=$(free_port)
both=$(free_port)
elsewhere=$(free_port)
printf '[volume away]\nredirect = 127.0.0.1:%s\n' "$elsewhere" >"$DIR/access"
chmod 600 "$DIR/access"
TARGET_ARGS=(--access "$DIR/access" --iscsi "127.0.0.1:$second" --iscsi "[::1]:$third"
  --iscsi "[::]:$both" --portal "127.0.0.1:$ISCSI_PORT" --portal "portal.example:3260")
cluster_start 3
volume_create v1 16M
volume_create away 16M
iqn=$(iscsi_iqn v1)

# told AT PORTAL...: discovery at AT tells of v1 at these portals and no others.
told() {
  iscsi-ls "iscsi://$1" | grep -F "Target:$iqn " | sed 's/.*Portal://; s/,.*//' | sort >"$DIR/told"
  shift
  printf '%s\n' "$@" | sort | diff - "$DIR/told" || fail "told portals"
}

known=("127.0.0.1:$ISCSI_PORT" portal.example:3260 "[::1]:$third")
told "127.0.0.1:$ISCSI_PORT" "${known[@]}"
told "[::1]:$third" "${known[@]}"
say "a socket for all addresses: the one that was reached is told too"
told "127.0.0.1:$both" "${known[@]}" "127.0.0.1:$both"
told "[::1]:$both" "${known[@]}" "[::1]:$both"
volume_json v1 | jq -e '.iscsi.portals[1] == "portal.example:3260"' >/dev/null ||
  fail "people are told of other portals"

head -c 16M /dev/urandom >"$DIR/in"
qemu-img convert -n -f raw -O raw "$DIR/in" "iscsi://127.0.0.1:$second/$iqn/0"
for portal in "127.0.0.1:$ISCSI_PORT" "[::1]:$third" "127.0.0.1:$both" "[::1]:$both"; do
  qemu-img compare -f raw -F raw "$DIR/in" "iscsi://$portal/$iqn/0" || fail "through $portal"
done
drive="driver=raw,file.driver=iscsi,file.transport=tcp,file.portal=127.0.0.1:$second"
qemu-img compare --image-opts "driver=raw,file.filename=$DIR/in" \
  "$drive,file.target=$iqn,file.lun=0,file.header-digest=crc32c" || fail "with header digests"

say "a redirected login ends, and is told where to go"
! timeout 3 iscsi-inq "$(iscsi_url away)" 2>/dev/null || fail "it is served"
log_says "$TARGET_LOG" "login to away refused: an access rule sends it elsewhere" || fail "the log"

say "a redirect to a portal of its own: not at the start, and not later"
for loop in "127.0.0.1:$second" "[::1]:$third" "127.0.0.1:$both" "127.0.0.1:$ISCSI_PORT"; do
  printf '[volume away]\nredirect = %s\n' "$loop" >"$DIR/access"
  : >"$TARGET_LOG"
  kill -HUP "$TARGET_PID"
  wait_for 5 "the reason" log_says "$TARGET_LOG" \
    "the rules stay as they were (volume away: redirect .* is a portal of this target itself"
done
target_stop
! strake-target --pool "$DIR/pool1" --control "$STRAKE_CONTROL" "${TARGET_ARGS[@]}" \
  --nbd none 2>"$DIR/refusal" || fail "starts with a redirect to itself"
grep -q "volume away: redirect 127.0.0.1:$ISCSI_PORT is a portal of this target itself" \
  "$DIR/refusal" || fail "$(cat "$DIR/refusal")"
