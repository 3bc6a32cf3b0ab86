#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Mistakes get one clear line that names the thing and the reason, and a non-zero status.
. "$(dirname "$0")/../lib/cluster.sh"

# refused STATUS TEXT COMMAND...: ends with that status and says that text in one line.
refused() {
  local status=$1 text=$2 got=0
  shift 2
  timeout 20 "$@" >"$DIR/out" 2>"$DIR/err" || got=$?
  [ "$got" -eq "$status" ] || fail "$*: status $got, not $status: $(cat "$DIR/out" "$DIR/err")"
  grep -q -i -- "$text" "$DIR/err" || fail "$*: does not say '$text': $(cat "$DIR/err")"
  [ "$(wc -l <"$DIR/err")" -eq 1 ] || fail "$*: more than one line: $(cat "$DIR/err")"
}

refused 2 "bogus" strake-replica --bogus
refused 2 "pool" strake-replica
refused 1 "$DIR/nowhere" strake-replica --pool "$DIR/nowhere" --listen 127.0.0.1:0
refused 2 "bogus" strake-target --bogus
refused 2 "replica" strake-target
refused 2 "no-such-verb" strake no-such-verb
refused 3 "$DIR/none.sock" strake --control "$DIR/none.sock" status
mkdir "$DIR/full" && touch "$DIR/full/file"
refused 1 "not a.*pool" strake-replica --pool "$DIR/full" --listen 127.0.0.1:0

cluster_start 3
refused 1 "in use" strake-replica --pool "$(mktemp -d "$DIR/p.XXX")" \
  --listen "127.0.0.1:${REPLICA_PORT[1]}"
refused 1 "$DIR/pool1" strake-replica --pool "$DIR/pool1" --listen 127.0.0.1:0
mkdir "$DIR/poolx"
refused 1 "in use" strake-target --pool "$DIR/poolx" --nbd "127.0.0.1:$NBD_PORT" --iscsi none \
  --control "$DIR/x.sock"
refused 2 "banana" strake volume create v1 banana
refused 2 "size" strake volume create v1
refused 1 "name" strake volume create 'UPPER/slash' 16M
refused 1 "block" strake volume create v1 16M --block-size 1000
refused 1 "replicas" strake volume create v1 16M --replicas 5
refused 1 "v9" strake volume show v9
refused 1 "v9" strake volume delete v9
volume_create v1 16M
refused 1 "v1" strake volume create v1 16M
replica_kill 3
wait_for 10 "replica 3 to be missed" replicas_up 2
refused 1 "replica" strake volume create v2 16M --replicas 3
[ "$(strake --json volume list | jq '.volumes | length')" -eq 1 ] ||
  fail "something half done is left"
[ "$(find "$DIR"/pool?/volumes -mindepth 1 -maxdepth 1 -type d | wc -l)" -eq 3 ] ||
  fail "files of a refused volume are left"
