#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A deleted volume's data is gone, also at a replica that was away; its record stays.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 16M
volume_create v2 16M
head -c 16M /dev/urandom | nbdcopy - "$(nbd_uri v1)"
replica_kill 3
sleep 1
strake volume delete v1
! strake volume show v1 2>/dev/null || fail "v1 is still shown"
strake --json volume list --deleted | jq -e '.volumes[] | select(.name == "v1")' >/dev/null ||
  fail "the record of v1 is gone"
replica_start 3
wait_in_sync v2
gone() { [ "$(find "$DIR"/pool?/volumes -mindepth 1 -maxdepth 1 -type d | wc -l)" -eq 3 ]; }
wait_for 20 "the data of v1 to go everywhere" gone
! nbdinfo "$(nbd_uri v1)" 2>/dev/null || fail "v1 can still be opened"
volume_create v1 32M
[ "$(volume_json v1 | jq .size_bytes)" -eq 33554432 ] || fail "the name cannot be used again"
