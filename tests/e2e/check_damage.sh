#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# S11: strake-check finds nothing in a sound pool, names each damage of another one, and repairs what
# can be proved, saying what it did.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 1
volume_create v1 16M
head -c 8M /dev/urandom | nbdcopy --flush - "$(nbd_uri v1)"
strake snapshot create v1 s1
strake snapshot digest v1@s1
pool=$DIR/pool1
! strake-check "$pool" 2>/dev/null || fail "a pool that is served is checked"
target_stop
replica_stop 1

# says STATUS WORDS ARGUMENTS...
says() {
  local status=0 words=$2 want=$1
  shift 2
  strake-check "$@" >"$DIR/out" 2>&1 || status=$?
  cat "$DIR/out"
  grep -q -- "$words" "$DIR/out" || fail "it does not say '$words'"
  [ "$status" -eq "$want" ] || fail "status $status, not $want"
}
keep() { rm -rf "$DIR/kept"; cp -a --sparse=always "$pool" "$DIR/kept"; }
restore() { rm -rf "$pool"; cp -a --sparse=always "$DIR/kept" "$pool"; }
keep
file=$(echo "$pool"/data/*/00000000)
spoil() { printf 'spoiled' | dd of="$file" bs=1 seek="$1" conv=notrunc status=none; }

says 0 ": 0 found" "$pool"
says 0 ": 0 found" --data "$pool"
says 2 "cannot open 'lock'" "$DIR"

say "a block"
spoil $((1 << 20))
says 0 ": 0 found" "$pool"
says 1 "generation 1: the block at byte 1048576 does not agree with its checksum" --data "$pool"
grep -q "generation 1: its content is not the one its digest is of" "$DIR/out" ||
  fail "the digest is not checked"
says 1 ": 2 found, 0 repaired" --data --repair "$pool"
restore

say "a checksum"
spoil $(((1 << 40) + (1 << 10)))
says 1 "generation 1: the block at byte 1048576 does not agree with its checksum" --data "$pool"
! grep -q "its digest" "$DIR/out" || fail "the content is said to be another one"
restore

say "a file that ends early"
truncate -s 1M "$file"
says 1 "the block at byte 1048576 cannot be read" --data "$pool"
restore

say "files of nobody"
mkdir "$pool/data/000000ff"
echo left >"$pool/data/000000ff/00000000"
says 1 "data/000000ff: left over" "$pool"
says 0 "repaired: data/000000ff: removed" --repair "$pool"
says 0 ": 0 found" --data "$pool"

say "files the map does not know, and the other way round"
mv "$pool"/volumes/???????? "$DIR/aside" 2>/dev/null || mv "$pool"/volumes/*-* "$DIR/aside"
says 1 "and it has no files" --repair "$pool"
mkdir "$pool/volumes/11111111-2222-4333-8444-555555555555"
says 1 "the map does not know it" --repair "$pool"
rmdir "$pool"/volumes/1111*
mv "$DIR/aside" "$pool/volumes/$(sed -n 's/^volume \([-0-9a-f]*\): the map knows.*/\1/p' "$DIR/out")"
says 0 ": 0 found" --data "$pool"

say "a page of the map"
DAMAGED=yes
size=$(stat -c %s "$pool/map/data.mdb")
head -c $((size - 8192)) /dev/zero | tr '\0' s | dd of="$pool/map/data.mdb" bs=4096 seek=2 conv=notrunc status=none
says 2 "^strake-check: .*\(map\|damaged\)" --repair "$pool"
