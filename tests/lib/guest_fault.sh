# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A kernel's file system under load while processes are killed outside: a replica with SIGKILL and
# back, then the target with SIGKILL and back, twice. Source it after cluster.sh; call guest_fault
# with the guest's script and its arguments.

guest=$(dirname "${BASH_SOURCE[0]}")/../guest

guest_runs_or_ended() {
  log_says "$DIR/guest.log" "GUEST: load running" || ! kill -0 "$1" 2>/dev/null
}

guest_fault() {
  "$guest/run" --timeout 250 "$@" >"$DIR/guest.log" 2>&1 &
  local pid=$!
  wait_for 120 "the load to run" guest_runs_or_ended "$pid"
  log_says "$DIR/guest.log" "GUEST: load running" || {
    cat "$DIR/guest.log"
    fail "the guest ended before its load"
  }
  sleep 2
  say "replica 2 is killed"
  replica_kill 2
  sleep 4
  replica_start 2
  wait_in_sync v1 60
  local round
  for round in 1 2; do
    say "the target is killed ($round)"
    target_kill
    sleep 1
    target_start
    wait_serving v1
    sleep 4
  done
  ! log_says "$DIR/guest.log" "GUEST: load done" || fail "the load ended before the faults did"
  wait "$pid" || {
    tail -n 80 "$DIR/guest.log"
    fail "the guest saw an error"
  }
  wait_in_sync v1 60
  target_stop
  for i in 1 2 3; do replica_stop "$i"; done
  same_data "$DIR/pool1" "$DIR/pool2"
  same_data "$DIR/pool1" "$DIR/pool3"
}
