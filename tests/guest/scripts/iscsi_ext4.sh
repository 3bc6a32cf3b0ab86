#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# iscsi_ext4.sh PORTAL IQN [MIB]: in the guest (see ../run), attaches a volume by the kernel's
# iSCSI initiator, makes ext4 on it, writes and verifies MIB (default 64) of data, mounts anew and
# verifies again, checks the file system, detaches. Wipes the volume.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

portal=$1 iqn=$2 mib=${3:-64}
iscsi_attach "$portal" "$iqn"
ext4_make
load_once /mnt "$mib" 1
ext4_mount_again
load_verify /mnt "$mib" 1
ext4_check
iscsi_detach "$portal" "$iqn"
dmesg_clean
say "iscsi_ext4 passed"
