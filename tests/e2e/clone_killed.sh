#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A target is killed while it makes a clone: the next one completes it or knows nothing of it, and
# then it can be made again; it has the origin's content in either case, at every replica.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 16M
head -c 16M /dev/urandom >"$DIR/old"
nbdcopy --flush "$DIR/old" "$(nbd_uri v1)"
strake snapshot create v1 s1 >/dev/null
digest=$(strake snapshot digest v1@s1)

clone_is_there() { strake --json volume list | jq -e ".volumes[] | select(.name == \"$1\")"; }
clone_or_wait() { clone_is_there "$1" || strake volume clone v1@s1 "$1"; }
# How many replicas have made their part of what is being made.
parts=("$DIR"/pool?/volumes/*)
before=${#parts[@]}
for wanted in 1 2 3; do
  name=c$wanted
  strake volume clone v1@s1 "$name" >/dev/null 2>&1 &
  client=$!
  while parts=("$DIR"/pool?/volumes/*) && [ ${#parts[@]} -lt $((before + wanted)) ]; do
    kill -0 "$client" 2>/dev/null || break
  done
  target_kill
  wait "$client" || true
  parts=("$DIR"/pool?/volumes/*)
  say "killed when ${#parts[@]} - $before replicas had it"
  target_start
  wait_for 20 "3 replicas to be up" replicas_up 3
  wait_for 30 "$name to be there" clone_or_wait "$name"
  wait_in_sync "$name"
  nbdcopy "$(nbd_uri "$name")" "$DIR/out"
  cmp "$DIR/old" "$DIR/out"
  strake snapshot create "$name" s >/dev/null
  [ "$(strake snapshot digest "$name@s")" = "$digest" ] || fail "$name has another content"
  parts=("$DIR"/pool?/volumes/*)
  before=${#parts[@]}
done
