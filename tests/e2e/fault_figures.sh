#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures what faults cost: how soon another target answers, how long writes stall, how much is
# copied after an absence.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/faults.sh" 8 "$@"
need ss
cluster_start 3
volume_create v1 64M >/dev/null

# Waits at the socket for the first block.
first_answer() {
  /usr/bin/python3 - "$(load_uri)" <<'PY'
import sys, time, nbd
while True:
    try:
        handle = nbd.NBD()
        handle.connect_uri(sys.argv[1])
        handle.pwrite(bytes(4096), 0)
        break
    except nbd.Error:
        time.sleep(0.005)
print(int(time.time() * 1000))
PY
}
for round in 1 2; do
  fio --name=load --ioengine=nbd --uri="$(load_uri)" --rw=randwrite --bs=16k --iodepth=16 \
    --size=64M --time_based --runtime=20 --output=/dev/null >/dev/null 2>&1 &
  fio=$!
  sleep 2
  killed=$(now_ms)
  target_kill
  first_answer >"$DIR/answered" &
  answer=$!
  target_start
  wait "$answer" "$fio" || true
  took=$(($(cat "$DIR/answered") - killed))
  echo "FIGURE takeover_ms $took"
  wait_in_sync v1 120
done

say "one replica is stopped"
fio --name=load --ioengine=nbd --uri="$(load_uri)" --rw=randwrite --bs=16k --iodepth=16 \
  --size=64M --time_based --runtime=9 --output-format=json --output="$DIR/fio.json" &
fio=$!
sleep 2
kill -STOP "${REPLICA_PID[3]}"
wait "$fio" || fail "fio saw an error"
kill -CONT "${REPLICA_PID[3]}"
echo "FIGURE longest_write_ms $(jq '.jobs[0].write.lat_ns.max / 1e6 | floor' "$DIR/fio.json")"
wait_in_sync v1 120

say "one replica is away for $FAULT_SECONDS s"
# Two checkpoints: nothing is in doubt any more.
sleep 6
# What came to the replica over its present connections.
received() {
  ss -Htino "sport = :${REPLICA_PORT[3]}" | grep -o 'bytes_received:[0-9]*' |
    awk -F: '{ sum += $2 } END { print sum + 0 }'
}
replica_kill 3
wait_for 20 "replica 3 to be left behind" member_is_out 3
fio --name=load --ioengine=nbd --uri="$(load_uri)" --rw=randwrite --bs=16k \
  --rate=4m --size=64M --time_based --runtime="$FAULT_SECONDS" --output-format=json \
  --output="$DIR/fio.json"
written=$(jq '.jobs[0].write.io_bytes' "$DIR/fio.json")
began=$(now_ms)
replica_start 3
wait_in_sync v1 120
copied=$(received)
echo "FIGURE absence_written_bytes $written"
echo "FIGURE absence_received_bytes $copied (in $(($(now_ms) - began)) ms, with the start)"
[ "$copied" -le $((written * 3 / 2 + (4 << 20))) ] || fail "far more is copied than was written"
replicas_equal
