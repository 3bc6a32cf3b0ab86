#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# At random moments the target, replicas, or all of them are killed and started again, under load:
# no answer is ever taken back. STRAKE_FAULT_SEED repeats a sequence of faults.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/faults.sh" 20 "$@"
seed=${STRAKE_FAULT_SEED:-$RANDOM}
say "seed $seed, $FAULT_SECONDS s"
RANDOM=$seed
cluster_start 3
volume_create v1 16M >/dev/null
load_start --seconds 100000 --stall 40 --seed "$seed" "$(load_uri)"

nap() { sleep "$((RANDOM % $1 / 1000)).$(printf '%03d' $((RANDOM % 1000)))"; }
end=$((SECONDS + FAULT_SECONDS))
kills=0
while [ "$SECONDS" -lt "$end" ]; do
  a=$((RANDOM % 3 + 1)) b=$((RANDOM % 3 + 1))
  case $((RANDOM % 6)) in
  0) victims=(target) ;;
  1) victims=("$a") ;;
  2) victims=("$a" "$b") ;;
  3) victims=(target "$a") ;;
  4) victims=(target "$a" "$b") ;;
  5) victims=(target 1 2 3) ;;
  esac
  say "killed: ${victims[*]}"
  pids=()
  for v in "${victims[@]}"; do
    [ "$v" = target ] && pids+=("$TARGET_PID") || pids+=("${REPLICA_PID[$v]}")
  done
  kill -9 "${pids[@]}"
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  nap 2000
  for v in "${victims[@]}"; do
    if [ "$v" = target ]; then
      target_start
    elif ! kill -0 "${REPLICA_PID[$v]}" 2>/dev/null; then
      replica_start "$v"
    fi
  done
  kills=$((kills + 1))
  load_lives
  [ $((RANDOM % 3)) -ne 0 ] || wait_in_sync v1
  nap 2000
done
wait_in_sync v1
load_stop
say "$kills times"
replicas_equal
