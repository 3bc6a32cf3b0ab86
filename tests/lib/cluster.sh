# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A small cluster for the end-to-end tests: replicas and a target on loopback, in a directory that is
# removed at the end. Source it; BIN is the folder of the binaries.
#
#   cluster_start 3                 three replicas and a target, ready
#   volume_create NAME SIZE         a volume, serving
#   replica_kill 2; replica_start 2 kill -9, and back on the same pool and port
#   target_kill; target_start
#   wait_in_sync NAME               every member is in sync again
#
# For tests that need more: REPLICA_HOST[2] and REPLICA_EXEC[2] are the address replica 2 listens on
# and the words its command begins with (in a network namespace, say); TARGET_EXEC likewise.
# TARGET_LOG and NBD_SOCKET are another target's. at_end COMMAND runs when the test is over.
set -euo pipefail

: "${BIN:?BIN is the folder of strake, strake-target and strake-replica}"
PATH="$BIN:/usr/sbin:/sbin:$PATH"
DIR=$(mktemp -d "${TMPDIR:-/tmp}/strake-test.XXXXXX")
export STRAKE_CONTROL="$DIR/target.sock"
export GUEST_STRAKE="$BIN/strake-guest"
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}"
declare -A REPLICA_PORT REPLICA_PID REPLICA_HOST REPLICA_EXEC
TARGET_PID=""
TARGET_ARGS=()
TARGET_EXEC=""
TARGET_LOG="$DIR/target.log"
NBD_SOCKET="$DIR/nbd.sock"
AT_END=()
DAMAGED=""

LIB=$(dirname "${BASH_SOURCE[0]}")
# rot REPLICA BYTE: blocks full of this byte go bad on its disk.
rot() { /usr/bin/python3 "$LIB/rot" "$DIR/pool$1" "$2"; }
same_data() { /usr/bin/python3 "$LIB/same_data" "$@"; }

say() { printf '%s\n' "-- $*"; }
fail() {
  printf 'FAIL: %s\n' "$*" >&2
  exit 1
}

# The last one said is run first.
at_end() { AT_END=("$*" "${AT_END[@]}"); }

cluster_logs() {
  local log
  for log in "$DIR"/*.log; do
    [ -e "$log" ] || continue
    printf '== %s\n' "${log##*/}"
    tail -n "${1:-60}" "$log"
  done
}

# Every test ends in a crash of all processes: each pool is sound after it, but for what the next
# start clears, and for one that is told to be DAMAGED or cannot be read for want of space.
cluster_check() {
  local pool status
  for pool in "$DIR"/pool*; do
    [ -e "$pool/map/data.mdb" ] && [ -e "$pool/journal" ] && [ -z "$DAMAGED" ] || continue
    status=0
    strake-check "$pool" >"$DIR/check" 2>&1 || status=$?
    if [ "$status" -eq 0 ] || grep -q "No space left" "$DIR/check"; then continue; fi
    if [ "$status" -eq 1 ] && ! grep -v -e ": left over" -e "it has no files" -e " found, " "$DIR/check"; then
      continue
    fi
    printf 'FAIL: %s is not sound after the end:\n' "${pool##*/}" >&2
    cat "$DIR/check" >&2
    return 1
  done
}

cluster_end() {
  local status=$?
  trap - EXIT
  ! grep -h "seccomp: refused" "$DIR"/*.log 2>/dev/null || status=1 # a call is missing in a profile
  [ "$status" -eq 0 ] || cluster_logs >&2
  local pid
  for pid in $TARGET_PID "${REPLICA_PID[@]}"; do
    kill_now "$pid"
  done
  [ "$status" -ne 0 ] || cluster_check || status=1
  local command
  for command in "${AT_END[@]}"; do
    eval "$command" || true
  done
  wait 2>/dev/null || true
  rm -rf "$DIR"
  exit "$status"
}
trap cluster_end EXIT
trap 'exit 130' INT TERM

# A TCP port of loopback that nobody uses at the moment.
free_port() {
  python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || fail "waited in vain for: $what"
    sleep 0.1
  done
}

log_says() { grep -q -- "$2" "$1"; }

replica_start() {
  local i=$1
  shift
  : "${REPLICA_PORT[$i]:=$(free_port)}"
  mkdir -p "$DIR/pool$i"
  rm -f "$DIR/address$i"
  ${REPLICA_EXEC[$i]:-} strake-replica --pool "$DIR/pool$i" --listen "$(replica_address "$i")" \
    --address-file "$DIR/address$i" "$@" 2>>"$DIR/replica$i.log" &
  REPLICA_PID[$i]=$!
  wait_for 20 "replica $i to listen" test -s "$DIR/address$i"
}

replica_address() { printf '%s:%s' "${REPLICA_HOST[$1]:-127.0.0.1}" "${REPLICA_PORT[$1]}"; }
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Ends a process by SIGKILL and waits until it is gone.
kill_now() {
  kill -9 "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# A clean end: SIGTERM, exit status 0.
stop_cleanly() {
  local status=0
  kill -TERM "$1"
  wait "$1" || status=$?
  [ "$status" -eq 0 ] || fail "$2 ended with status $status"
}

replica_kill() { kill_now "${REPLICA_PID[$1]}"; }
replica_stop() { stop_cleanly "${REPLICA_PID[$1]}" "replica $1"; }

target_start() {
  : "${ISCSI_PORT:=$(free_port)}" "${NBD_PORT:=$(free_port)}"
  local i replicas=()
  for i in "${!REPLICA_PORT[@]}"; do
    replicas+=(--replica "$(replica_address "$i")")
  done
  $TARGET_EXEC strake-target "${replicas[@]}" --iscsi "127.0.0.1:$ISCSI_PORT" --nbd "127.0.0.1:$NBD_PORT" \
    --nbd "unix:$NBD_SOCKET" --control "$STRAKE_CONTROL" "${TARGET_ARGS[@]}" "$@" \
    2>>"$TARGET_LOG" &
  TARGET_PID=$!
  wait_for 20 "the target to answer" strake status
}

target_kill() { kill_now "$TARGET_PID"; }
target_stop() { stop_cleanly "$TARGET_PID" "the target"; }

replicas_up() { [ "$(strake --json status | jq '[.replicas[] | select(.up)] | length')" -eq "$1" ]; }

cluster_start() {
  local i
  for i in $(seq 1 "$1"); do
    replica_start "$i"
  done
  target_start
  wait_for 20 "$1 replicas to be up" replicas_up "$1"
}

volume_create() { strake volume create "$@"; }
volume_json() { strake --json volume show "$1"; }
volume_in_sync() {
  volume_json "$1" | jq -e '.state == "serving" and
    all(.members[]; .attached and (.in_sync or .kind == "witness"))'
}
members_in_sync() { volume_json "$1" | jq '[.members[] | select(.in_sync)] | length'; }
wait_in_sync() { wait_for "${2:-60}" "all members of $1 to be in sync" volume_in_sync "$1"; }
wait_serving() {
  wait_for "${2:-30}" "$1 to serve" sh -c "strake --json volume show $1 | jq -e '.state == \"serving\"'"
}

nbd_uri() { printf 'nbd://127.0.0.1:%s/%s' "$NBD_PORT" "$1"; }
iscsi_iqn() { volume_json "$1" | jq -r .iscsi.iqn; }
iscsi_url() { printf 'iscsi://127.0.0.1:%s/%s/0' "$ISCSI_PORT" "$(iscsi_iqn "$1")"; }
iscsi_snapshot_url() {
  printf 'iscsi://127.0.0.1:%s/%s/0' "$ISCSI_PORT" "$(strake --json snapshot show "$1@$2" | jq -r .iscsi.iqn)"
}
