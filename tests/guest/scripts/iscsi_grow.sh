#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# iscsi_grow.sh PORTAL IQN BYTES [MIB]: in the guest (see ../run), makes ext4 on a volume attached by
# the kernel's iSCSI initiator, says so, waits until the volume is grown to BYTES, and grows the
# mounted file system, which keeps its data (MIB, default 16) and takes more than it could before.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

portal=$1 iqn=$2 bytes=$3 mib=${4:-16}
iscsi_attach "$portal" "$iqn"
ext4_make
load_once /mnt "$mib" 1
before=$(blockdev --getsize64 "$device")
say "waits to be grown"
told() { dmesg | grep -q "Capacity data has changed"; }
while ! told && ((SECONDS < 120)); do
  dd if="$device" of=/dev/null bs=4k count=1 iflag=direct status=none
  sleep 0.2
done
told || fail "the kernel was not told"
echo 1 >"/sys/block/${device#/dev/}/device/rescan"
[[ $(blockdev --getsize64 "$device") == "$bytes" ]] || fail "$(blockdev --getsize64 "$device") bytes"
resize2fs "$device" || fail "the file system does not grow"
head -c "$before" /dev/urandom >/mnt/more || fail "it takes no more than before"
rm /mnt/more
load_verify /mnt "$mib" 1
ext4_mount_again
load_verify /mnt "$mib" 1
ext4_check
iscsi_detach "$portal" "$iqn"
dmesg_clean
say "iscsi_grow passed"
