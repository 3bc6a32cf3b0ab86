#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# nbd_xfs_under_fault.sh HOST PORT EXPORT SECONDS [MIB]: as nbd_xfs.sh, but writes and verifies MIB
# (default 16) of data again and again for SECONDS, while the caller kills, stops and restarts
# things outside. Between the lines "GUEST: load running" and "GUEST: load done" is the time for
# it. Fails when the file system, or its user, saw an error, or different data.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

host=$1 port=$2 name=$3 seconds=$4 mib=${5:-16}
nbd_attach "$host" "$port" "$name"
xfs_make
load_for "$seconds" /mnt "$mib"
xfs_mount_again
load_verify /mnt "$mib" "$seed"
xfs_check
nbd_detach "$name"
dmesg_clean
say "nbd_xfs_under_fault passed"
