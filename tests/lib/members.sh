# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# For tests of changing members; after cluster.sh.

HERE=$(dirname "$0")
acked() { /usr/bin/python3 "$HERE/acked_writes.py" "$@"; }

# member_json VOLUME I: the replica's member as JSON; fails where it has none.
member_json() {
  volume_json "$1" | jq -e --arg at "$(replica_address "$2")" '.members[] | select(.replica == $at)'
}
has_member() { member_json "$1" "$2" >/dev/null; }
has_none() { ! has_member "$1" "$2"; }
member_in_sync() { member_json "$1" "$2" | jq -e .in_sync; }
wait_member() { wait_for 60 "$1 to be in sync at replica $2" member_in_sync "$1" "$2"; }
member_add() { strake member add "$1" --replica "$(replica_address "$2")"; }
# And all that was left of it there.
member_remove() {
  strake member remove "$1" "$(replica_address "$2")"
  wait_for 60 "$1 to leave replica $2" has_none "$1" "$2"
  wait_for 20 "replica $2 to keep nothing of $1" keeps_none "$1" "$2"
}
keeps_none() { [ ! -d "$DIR/pool$2/volumes/$(volume_json "$1" | jq -r .id)" ]; }

content() { nbdcopy "$(nbd_uri "$1")" - | sha256sum; }

# only_at VOLUME I: whatever is read from now on is what replica I has.
only_at() {
  local i
  for i in "${!REPLICA_PORT[@]}"; do
    if [ "$i" -ne "$2" ] && has_member "$1" "$i"; then member_remove "$1" "$i" >/dev/null; fi
  done
  [ "$(volume_json "$1" | jq '.members | length')" -eq 1 ] || fail "$1 is not at replica $2 alone"
}

# Everything is stopped, and each pool is looked at.
pools_check() {
  local i
  target_stop
  for i in "${!REPLICA_PORT[@]}"; do
    # Its next start clears the empty files of volumes that are gone.
    replica_stop "$i"
    replica_start "$i"
    replica_stop "$i"
    strake-check "$DIR/pool$i" || fail "pool $i is not as it should be"
  done
}
