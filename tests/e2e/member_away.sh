#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A replica that stays away is replaced elsewhere, if that was set; what it still keeps is deleted
# when it comes back, and it may be used again.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/members.sh"
TARGET_ARGS=(--replace-after 1)
cluster_start 4
volume_create v1 16M >/dev/null
head -c 16M /dev/urandom >"$DIR/a"
nbdcopy --flush "$DIR/a" "$(nbd_uri v1)"
for i in 1 2 3 4; do has_member v1 $i || spare=$i; done
away=$((spare % 4 + 1))
replica_kill $away
wait_member v1 $spare
wait_for 20 "the one that is away to be given up" has_none v1 $away
wait_in_sync v1
[ "$(volume_json v1 | jq '.members | length')" -eq 3 ] || fail "there are not three members"
strake events | grep -q 'was away for too long' || fail "there is no event"

replica_start $away
wait_for 20 "its data to be gone" keeps_none v1 $away
wait_for 20 "all replicas" replicas_up 4
member_add v1 $away
wait_member v1 $away
strake snapshot create v1 s1 >/dev/null
strake snapshot verify v1@s1 | tee "$DIR/verified"
only_at v1 $away
nbdcopy "$(nbd_uri v1)" "$DIR/out"
cmp "$DIR/a" "$DIR/out"
pools_check
