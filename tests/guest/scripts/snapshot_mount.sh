#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# snapshot_mount.sh FS HOST PORT EXPORT: in the guest, mounts a snapshot read-only, without replaying
# its journal, and reads what snapshot_begin.sh wrote first.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

fs=$1
nbd_attach "$2" "$3" "$4"
[[ $(blockdev --getro "$device") == 1 ]] || fail "$device can be written"
options=ro,noload
[[ $fs == xfs ]] && options=ro,norecovery,nouuid
mount -t "$fs" -o "$options" "$device" /mnt || fail "mount"
seq 1 200000 | cmp - /mnt/first || fail "first is not what was written"
umount /mnt
nbd_detach "$4"
say "snapshot_mount passed"
