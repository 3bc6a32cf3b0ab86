#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two replicas with data and a witness: any one may die, two may not.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/members.sh"
cluster_start 3
volume_create v1 16M --witness
witness=$(volume_json v1 | jq -r '.members[] | select(.kind == "witness") | .replica')
data=()
for i in 1 2 3; do
  if [ "$witness" = "$(replica_address $i)" ]; then w=$i; else data+=("$i"); fi
done
[ "${#data[@]}" -eq 2 ] || fail "there is no witness, or no two replicas with data"
acked write "$(nbd_uri v1)" "$DIR/acked" 1 &
writer=$!
written() { volume_json v1 | jq .counters.writes; }
goes_on() {
  local before
  before=$(written)
  more() { [ "$(written)" -gt $((before + 100)) ]; }
  wait_for 30 "writes to go on without replica $1" more
}
for i in "${data[@]}" "$w"; do
  replica_kill "$i"
  goes_on "$i"
  replica_start "$i"
  wait_in_sync v1
done

say "two are away"
stands_still() {
  local before
  before=$(written)
  sleep 0.5
  [ "$(written)" -eq "$before" ]
}
replica_kill "${data[0]}"
replica_kill "$w"
wait_for 20 "writes to wait" stands_still
volume_json v1 | jq -e '.state == "frozen" and .why != ""' >/dev/null || fail "it is not frozen"
replica_start "${data[0]}"
replica_start "$w"
goes_on nobody
wait_in_sync v1
target_kill
wait $writer || fail "the writer failed"
target_start
wait_serving v1
acked check "$(nbd_uri v1)" "$DIR/acked"
pools_check
