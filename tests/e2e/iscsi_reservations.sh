#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Persistent reservations kept with APTPL: over kill -9 of the target and a move to another one on
# other ports they fence as before, initiators and clients of NBD; what was not kept is gone.
. "$(dirname "$0")/../lib/cluster.sh"
command -v reserve >/dev/null || {
  say "built without libiscsi"
  exit 77
}

A=iqn.2026-11.example:a B=iqn.2026-11.example:b
as() { # as NAME COMMAND [KEYS]: at whichever target there is
  reserve "$(iscsi_url v1)" "$@"
}
conflicts() {
  local status=0
  as "$@" 2>/dev/null || status=$?
  [ "$status" -eq 3 ] || fail "$*: ended with $status, not with a reservation conflict"
}
nbd_writes() { qemu-io -f raw "$(nbd_uri v1)" -c "write 4k 4k" 2>&1 | grep -q "wrote 4096"; }
keys_are() {
  local keys
  keys=$(as "$A" keys)
  [ "$(tr ' ' '\n' <<<"$keys" | sort | xargs)" = "$1" ] || fail "keys: $keys, not $1"
}

# The next target: another process, on other ports, that finds the volume at the replicas.
moves() {
  target_kill
  unset ISCSI_PORT NBD_PORT
  target_start
  wait_serving v1
}

cluster_start 3
volume_create v1 16M --block-size 4096 >/dev/null
as "$A" keep 0xa1
as "$A" reserve 0xa1
as "$A" write
conflicts "$B" write
! nbd_writes || fail "NBD writes to a volume that is reserved"

say "another target takes over: A holds, B and NBD are kept out"
moves
conflicts "$B" write
! nbd_writes || fail "NBD writes after the move"
keys_are "0xa1*"
as "$A" write

say "B preempts A, and that is so at the next target"
as "$B" keep 0xb2
as "$B" preempt 0xb2 0xa1
moves
conflicts "$A" write
as "$B" write
keys_are "0xb2*"

say "cleared is cleared, and without APTPL nothing is kept"
as "$B" clear 0xb2
as "$A" write
nbd_writes || fail "NBD cannot write though nobody has reserved"
as "$A" register 0xa3
as "$A" reserve 0xa3
conflicts "$B" write
moves
keys_are ""
as "$B" write
nbd_writes || fail "NBD cannot write though nothing was kept"
