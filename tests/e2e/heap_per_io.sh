#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A steady flow of reads and writes takes nothing from the heap, in any process.
. "$(dirname "$0")/../lib/cluster.sh"

COUNTER="$BIN/libheap_count.so"
ASAN=$(ldd "$BIN/strake-target" | awk '/libasan/ {print $3}')
[ -e "$COUNTER" ] && [ -n "$ASAN" ] || {
  echo "skipped: counting needs the build with AddressSanitizer as a shared library"
  exit 77
}

counted() { printf 'env LD_PRELOAD=%s:%s HEAP_COUNT=%s' "$ASAN" "$COUNTER" "$DIR/count.$1"; }
for i in 1 2 3; do
  REPLICA_EXEC[$i]=$(counted "replica$i")
done
TARGET_EXEC=$(counted target)
cluster_start 3
volume_create disk 64M

# What each process took so far.
heap_counts() {
  local name pid
  for name in target replica1 replica2 replica3; do
    pid=$TARGET_PID
    [ "$name" = target ] || pid=${REPLICA_PID[${name#replica}]}
    rm -f "$DIR/count.$name"
    kill -USR2 "$pid"
    wait_for 10 "$name to tell its count" test -s "$DIR/count.$name"
    cat "$DIR/count.$name"
  done
}

IOS=8000
load() {
  iscsi_load -w -q 32 -b 4096 -c $IOS -z $((64 << 20)) "$(iscsi_url disk)" >/dev/null
  iscsi_load -q 32 -b 4096 -c $IOS -z $((64 << 20)) "$(iscsi_url disk)" >/dev/null
  fio --name=load --ioengine=nbd --uri="$(nbd_uri disk)" --rw=randrw --bs=4k --iodepth=32 \
    --size=64M --number_ios=$IOS --output=/dev/null
}

say "the first load fills the pools"
load
mapfile -t before < <(heap_counts)
say "the second one"
load
mapfile -t after < <(heap_counts)

# Connections, logins and the checkpoints of a few seconds take some; one an I/O would be thousands.
for i in 0 1 2 3; do
  [ "${before[i]}" -gt 10 ] || fail "process $i is not counted: ${before[i]}"
  taken=$((after[i] - before[i]))
  say "process $i took $taken pieces in $((3 * IOS)) I/Os"
  [ "$taken" -lt $((IOS / 20)) ] || fail "process $i takes from the heap for each I/O"
done
