#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# strake attach without the kernel's initiators: a volume as a file, written, read, detached; and
# what attach and detach refuse.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/faults.sh" 0
need nbdfuse
[ "$(id -u)" -eq 0 ] || need fusermount3
[ -w /dev/fuse ] || skip "no /dev/fuse"
export XDG_RUNTIME_DIR="$DIR"
cluster_start 3
volume_create v1 64M

says() {
  local what=$1
  shift
  ! "$@" 2>"$DIR/said" || fail "$* is not refused"
  grep -q -- "$what" "$DIR/said" || fail "$* says: $(cat "$DIR/said")"
}

device=$(strake attach v1 --fuse) || fail "attach"
at_end "umount -l $DIR/strake/attach/v1.mount || fusermount3 -u -z $DIR/strake/attach/v1.mount"
[ "$(stat -c %s "$device")" -eq 67108864 ] || fail "$device has another size"
head -c 64M /dev/urandom >"$DIR/in"
dd if="$DIR/in" of="$device" bs=1M conv=notrunc,fsync status=none
nbdcopy "$(nbd_uri v1)" "$DIR/out"
cmp "$DIR/in" "$DIR/out"

say "attached already: the same device"
[ "$(strake attach v1 --fuse)" = "$device" ] || fail "another device"
[ "$(strake --json attach v1 | jq -r .way)" = fuse ] || fail "another way"
says "another volume of this name" strake attach --fuse "nbd://localhost:$NBD_PORT/v1"

say "in use: not detached"
exec 9<"$device"
says "busy" strake detach v1
exec 9<&-
strake detach "$device"
[ ! -e "$device" ] || fail "$device is still there"
says "not attached" strake detach v1

say "read-only"
device=$(strake attach v1 --fuse --read-only) || fail "attach"
cmp "$DIR/in" "$device"
! dd if=/dev/zero of="$device" bs=4k count=1 conv=notrunc status=none 2>/dev/null ||
  fail "it is written to"
strake detach v1

say "what cannot be attached"
says "there is none of this name" strake attach v2 --fuse
says "nbdfuse: " strake attach "nbd://127.0.0.1:$NBD_PORT/v2" --fuse
says "only one way" strake attach v1 --fuse --nbd
says "not a URI" strake attach "http://127.0.0.1/v1"
[ -z "$(ls "$DIR"/strake/attach/*.json 2>/dev/null)" ] || fail "something is left"
if [ ! -e /sys/module/nbd ] && [ ! -e /sys/class/iscsi_transport/tcp ]; then
  says "the kernel has no nbd" strake attach v1 --nbd
  says "the kernel has no iscsi_tcp\|not installed" strake attach v1 --iscsi
fi
