#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A deleted volume's data is gone, also at a replica that was away; its record stays, with what it
# was: owner, labels, message, snapshots and their digests, also for a target that knew it not.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 16M --owner ann --label run=7 --message "the first one"
volume_create v2 16M
head -c 16M /dev/urandom | nbdcopy - "$(nbd_uri v1)"
id=$(volume_json v1 | jq -r .id)
strake snapshot create v1 s1 >/dev/null
strake snapshot create v1 s2 >/dev/null
digest=$(strake snapshot digest v1@s1)
replica_kill 3
sleep 1
strake volume delete v1
! strake volume show v1 2>/dev/null || fail "v1 is still shown"
strake --json volume list --deleted | jq -e '.volumes[] | select(.name == "v1")' >/dev/null ||
  fail "the record of v1 is gone"
was_told() {
  volume_json "$id" | jq -e ".was | .owner == \"ann\" and .labels.run == \"7\" and
    .message == \"the first one\" and .snapshots == 2 and .newest[0].name == \"s2\" and
    .newest[1].digest == \"$digest\"" >/dev/null
}
was_told || fail "the record does not say what v1 was"
strake volume show "$id"
replica_start 3
wait_in_sync v2
gone() { [ "$(find "$DIR"/pool?/volumes -mindepth 1 -maxdepth 1 -type d | wc -l)" -eq 3 ]; }
wait_for 20 "the data of v1 to go everywhere" gone
! nbdinfo "$(nbd_uri v1)" 2>/dev/null || fail "v1 can still be opened"
volume_create v1 32M
[ "$(volume_json v1 | jq .size_bytes)" -eq 33554432 ] || fail "the name cannot be used again"

target_stop
for i in 1 2 3; do replica_stop "$i"; done
for i in 1 2 3; do replica_start "$i"; done
target_start
wait_for 20 "3 replicas to be up" replicas_up 3
was_told || fail "after a restart the record does not say what v1 was"
