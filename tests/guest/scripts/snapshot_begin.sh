#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# snapshot_begin.sh FS HOST PORT EXPORT: in the guest, makes a file system on a volume, writes "first",
# freezes the file system and says so; goes on writing after some seconds. (A snapshot of a file
# system that is not frozen needs its journal, which a read-only disk cannot replay.)
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

fs=$1
nbd_attach "$2" "$3" "$4"
"${fs}_make"
seq 1 200000 >/mnt/first
fsfreeze -f /mnt || fail "fsfreeze"
say "first is written"
sleep 10
fsfreeze -u /mnt || fail "fsfreeze -u"
load_for 5 /mnt 16
"${fs}_check"
nbd_detach "$4"
dmesg_clean
