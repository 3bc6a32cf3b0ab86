#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A clone begins as its origin was; then each changes, and goes, without the other.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 64M
head -c 64M /dev/urandom >"$DIR/old"
nbdcopy --flush "$DIR/old" "$(nbd_uri v1)"
strake snapshot create v1 s1
strake volume clone v1@s1 c1 --owner ann --label use=scratch
nbdcopy "$(nbd_uri c1)" "$DIR/out"
cmp "$DIR/old" "$DIR/out"
wait_for 20 "the owner to be kept" sh -c "strake --json volume show c1 | jq -e '.owner == \"ann\"'"
strake --json volume show c1 | jq -e '.origin == "v1@s1"' >/dev/null || fail "no origin"

say "the clone changes, the origin does not"
head -c 64M /dev/urandom >"$DIR/new"
nbdcopy --flush "$DIR/new" "$(nbd_uri c1)"
nbdcopy "$(nbd_uri v1)" "$DIR/out"
cmp "$DIR/old" "$DIR/out"

say "a clone of a clone; the volumes between go"
strake snapshot create c1 s2
strake volume clone c1@s2 c2
strake snapshot delete v1@s1
strake volume delete v1
strake volume delete c1
nbdcopy "$(nbd_uri c2)" "$DIR/out"
cmp "$DIR/new" "$DIR/out"
volume_in_sync c2 >/dev/null || fail "not in sync"
strake --json volume list --deleted | jq -e '[.volumes[] | select(.state == "deleted")] | length == 2' \
  >/dev/null || fail "the records of the deleted are gone"
