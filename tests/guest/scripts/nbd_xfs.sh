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

say "in use: it stays, and is not attached twice; a keeper that was killed gets a successor"
! strake detach "$name" || fail "detached while it is mounted"
[[ $(strake attach "nbd://$host:$port/$name") == "$device" ]] || fail "attached twice"
[[ $(strake attach "nbd://$host:$port/$name" --json | grep -c '"way": "nbd"') == 1 ]] || fail "json"
keeper=$(</run/strake/attach/$name.keeper)
kill -KILL "$keeper"
wait_until 5 test ! -e "/proc/$keeper" || fail "the keeper lives on"
"$GUEST_STRAKE" attach "nbd://$host:$port/$name" --foreground >/run/device &
wait_until 10 grep -q "$device" /run/device || fail "no keeper in the foreground"
kill $!
wait $! || fail "the keeper in the foreground ends badly"
[[ -e /sys/block/${device#/dev/}/pid ]] || fail "it was detached while it is mounted"
load_verify /mnt "$mib" 1
xfs_check
nbd_detach "$name"
dmesg_clean
say "nbd_xfs passed"
