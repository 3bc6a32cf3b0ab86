#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A deleted snapshot gives its space back, at every replica.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 64M
used_mib() { du -sm "$DIR"/pool?/ | awk '{ sum += $1 } END { print sum }'; }
used_below() { [ "$(used_mib)" -lt "$1" ]; }
fill() { head -c 64M /dev/urandom | nbdcopy --flush - "$(nbd_uri v1)"; }
empty=$(used_mib)
fill
strake snapshot create v1 s1
fill
strake snapshot create v1 s2
fill
full=$(used_mib)
[ "$full" -ge $((empty + 3 * 3 * 60)) ] || fail "three generations take only $((full - empty)) MiB"
strake --json volume show v1 | jq -e '.space.unique_bytes >= 3 * 60 * 1048576' >/dev/null || fail "no space is told"
strake snapshot delete v1@s2
wait_for 60 "the space of s2" used_below $((full - 3 * 60))
strake snapshot delete v1@s1
wait_for 60 "the space of s1" used_below $((empty + 3 * 80))
/usr/bin/python3 -c "
import nbd
h = nbd.NBD(); h.connect_uri('$(nbd_uri v1)'); h.trim(64 << 20, 0); h.flush()"
wait_for 60 "the space of all" used_below $((empty + 3 * 16))
