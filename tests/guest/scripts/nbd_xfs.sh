#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# nbd_xfs.sh HOST PORT EXPORT [MIB]: in the guest (see ../run), attaches a volume (300 MiB or more)
# by the kernel's NBD client, makes XFS on it, writes and verifies MIB (default 64) of data, mounts
# anew and verifies again, checks the file system, detaches. Wipes the volume.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

host=$1 port=$2 name=$3 mib=${4:-64}
nbd_attach "$host" "$port" "$name"
xfs_make
load_once /mnt "$mib" 1
xfs_mount_again
load_verify /mnt "$mib" 1
xfs_check
nbd_detach
dmesg_clean
say "nbd_xfs passed"
