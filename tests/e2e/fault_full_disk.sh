#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The disk of one replica becomes full: the volume goes on with the others, the reason is shown, and
# the replica returns by itself when there is space again. A
# small disk is room enough for the witness of a large volume.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/faults.sh" 3 "$@"
disk_make 3 96
cluster_start 3
volume_create v1 48M >/dev/null

say "a witness of 4 TiB needs next to nothing of the small disk"
volume_create v2 4T --witness >/dev/null
volume_json v2 | jq -e --arg small "$(replica_address 3)" \
  '.members[] | select(.kind == "witness") | .replica == $small' >/dev/null || fail "no witness there"
strake volume delete v2 >/dev/null

fill() {
  local kib
  kib=$(df -k --output=avail "$DIR/pool3" | tail -n 1)
  fallocate -l "$((kib - $1))K" "$DIR/pool3/volumes/.filler"
}
unfill() { rm "$DIR/pool3/volumes/.filler"; }

say "6 MiB are left"
fill 6144
load_start --seconds 100000 --stall 20 --mib 32 "$(load_uri)"
wait_for 30 "replica 3 to be left behind" member_is_out 3
grep 'dropped' "$DIR/target.log"
sleep "$FAULT_SECONDS"
load_lives
volume_json v1 | jq -e '.state == "serving"' >/dev/null || fail "v1 does not go on"
kill -0 "${REPLICA_PID[3]}" || fail "replica 3 ended"
has_reason() { member_json 3 | jq -e '.why | length > 0'; }
wait_for 30 "a reason" has_reason

say "there is space again"
unfill
wait_in_sync v1 90
load_stop
replicas_equal
