#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The link to one replica carries a few Mbit/s, the load is far more: the target's memory stays
# bounded, no write takes longer than the configured bound, and the replica returns by itself.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/faults.sh" 6 "$@"
need tc
need fio
TARGET_ARGS=(--slow 2000 --grace 500)
net_cluster_start
volume_create v1 128M >/dev/null
rss_mib() { awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$TARGET_PID/status"; }
load() {
  fio --name=load --ioengine=nbd --uri="$(load_uri)" --rw=randwrite --bsrange=4k-128k --iodepth=32 \
    --size=128M --time_based --runtime="$1" --output-format=json --output="$DIR/fio.json" || {
    cat "$DIR/fio.json"
    fail "fio saw an error"
  }
  jq -r '"   \(.jobs[0].write.bw / 1024 | floor) MiB/s, slowest write " +
    "\(.jobs[0].write.lat_ns.max / 1e6 | floor) ms"' "$DIR/fio.json"
}

load 3
before=$(rss_mib)
for rate in 1mbit 10mbit; do
  say "the link to replica 3 carries $rate"
  in_net switch tc qdisc add dev p-r3 root tbf rate "$rate" burst 32kb latency 400ms 2>/dev/null ||
    skip "no tbf"
  load "$FAULT_SECONDS"
  after=$(rss_mib)
  echo "   memory of the target: $before MiB before, $after MiB now"
  [ $((after - before)) -le 128 ] || fail "it grew by $((after - before)) MiB"
  slowest=$(jq '.jobs[0].write.lat_ns.max / 1e6 | floor' "$DIR/fio.json")
  [ "$slowest" -le 5000 ] || fail "a write took $slowest ms"
  strake volume show v1 | grep -F "$(replica_address 3)" || true
  in_net switch tc qdisc del dev p-r3 root
  wait_in_sync v1 90
done
replicas_equal
