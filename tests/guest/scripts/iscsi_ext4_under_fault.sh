#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# iscsi_ext4_under_fault.sh PORTAL IQN SECONDS [MIB]: as iscsi_ext4.sh, but writes and verifies
# MIB (default 16) of data again and again for SECONDS, while the caller kills, stops and restarts
# things outside. Between the lines "GUEST: load running" and "GUEST: load done" is the time for
# it. Fails when the file system, or its user, saw an error, or different data.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

portal=$1 iqn=$2 seconds=$3 mib=${4:-16}
iscsi_attach "$portal" "$iqn"
ext4_make
load_for "$seconds" /mnt "$mib"
ext4_mount_again
load_verify /mnt "$mib" "$seed"
ext4_check
iscsi_detach "$portal" "$iqn"
dmesg_clean
say "iscsi_ext4_under_fault passed"
