#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The four numbers of a volume's space are what was written, shared and given back, by trims and
# zeroes of NBD and UNMAP of iSCSI too; and the disks agree.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 64M >/dev/null
M=$((1 << 20))
nbd() { /usr/bin/python3 -c "import nbd; h = nbd.NBD(); h.connect_uri('$(nbd_uri "$1")')
M = 1 << 20
$2
h.flush()"; }
numbers() {
  strake --json volume show "$1" | jq -r ".space | \"\(.logical_bytes / $M) \(.unique_bytes / $M) \
\(.shared_bytes / $M) \(.reclaimable_bytes / $M)\""
}
# space_is VOLUME LOGICAL UNIQUE SHARED RECLAIMABLE, in MiB.
numbers_are() { [ "$(numbers "$1")" = "$2" ]; }
space_is() {
  local volume=$1
  shift
  wait_for 20 "the numbers of $volume to be $*, not $(numbers "$volume")" numbers_are "$volume" "$*"
}
used_mib() { du -sm "$DIR"/pool?/data | awk '{ sum += $1 } END { print sum }'; }
used_below() { [ "$(used_mib)" -lt "$1" ]; }

space_is v1 0 0 0 0
nbd v1 'h.pwrite(b"a" * 32 * M, 0)'
space_is v1 32 32 0 0

say "the same blocks again; trims and zeroes"
nbd v1 'h.pwrite(b"b" * 8 * M, 0)'
space_is v1 32 32 0 0
nbd v1 'h.trim(4 * M, 0); h.zero(4 * M, 4 * M)'
space_is v1 24 24 0 0
qemu-io -f raw -c "discard 8M 8M" "$(iscsi_url v1)" >/dev/null
space_is v1 16 16 0 0
wait_for 20 "the disks to have it back" used_below $((3 * 18))

say "a snapshot keeps what the volume gives up; a clone shares"
strake snapshot create v1 s1 >/dev/null
nbd v1 'h.trim(8 * M, 16 * M)'
space_is v1 8 16 0 0
strake volume clone v1@s1 c1 >/dev/null
space_is c1 16 0 16 0
nbd c1 'h.pwrite(b"c" * 4 * M, 16 * M)'
space_is c1 16 4 12 0

say "they go, and all comes back"
strake snapshot delete v1@s1 >/dev/null
strake volume delete c1 >/dev/null
space_is v1 8 8 0 0
strake volume delete v1 >/dev/null
wait_for 20 "the disks to be empty" used_below 6
