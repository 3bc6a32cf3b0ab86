#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The target is killed in the midst of replacing a member: the next one goes on with it, or finds
# nothing of it, and what was left at a replica is deleted.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/members.sh"
TARGET_ARGS=(--resync-limit 8)
cluster_start 4
volume_create v1 16M >/dev/null
id=$(volume_json v1 | jq -r .id)
head -c 16M /dev/urandom >"$DIR/a"
nbdcopy --flush "$DIR/a" "$(nbd_uri v1)"
# The limit is kept while a client is at work.
busy() {
  while sleep 0.2; do
    qemu-io -r -f raw -c "read 0 4k" "$(nbd_uri v1)" >/dev/null 2>&1 || true
  done
}
busy &
at_end kill $!
out_of_it() {
  local i
  for i in 1 2 3 4; do has_member v1 $i || echo $i; done
}
settled() {
  volume_in_sync v1 && [ "$(volume_json v1 | jq '.members | length')" -eq 3 ] &&
    [ "$(find "$DIR"/pool?/volumes -maxdepth 1 -name "$id" | wc -l)" -eq 3 ]
}
for delay in 0 0.03 0.1 1; do
  old=$(volume_json v1 | jq -r '.members[0].replica')
  new=$(replica_address "$(out_of_it)")
  strake member replace v1 "$old" --replica "$new" >"$DIR/out" 2>&1 &
  command=$!
  sleep $delay
  target_kill
  replaced=yes
  wait $command || replaced=maybe
  target_start
  wait_for 60 "three members, and nothing beside them, after $delay s" settled
  if [ $replaced = yes ]; then
    volume_json v1 | jq -e --arg old "$old" 'all(.members[]; .replica != $old)' >/dev/null ||
      fail "the replacement that was answered did not happen"
  fi
done
[ $replaced = yes ] || fail "no replacement was ever begun"
nbdcopy "$(nbd_uri v1)" "$DIR/out"
cmp "$DIR/a" "$DIR/out"
only_at v1 "$(for i in 1 2 3 4; do has_member v1 $i && echo $i; done | tail -1)"
nbdcopy "$(nbd_uri v1)" "$DIR/out"
cmp "$DIR/a" "$DIR/out"
pools_check
