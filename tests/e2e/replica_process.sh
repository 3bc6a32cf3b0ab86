#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The replica's process: what it tells, what it refuses and in which words, and how it ends.
. "$(dirname "$0")/../lib/cluster.sh"

# refused STATUS TEXT COMMAND...: ends with that status and says that text in its only line.
refused() {
  local status=$1 text=$2 got=0
  shift 2
  timeout 20 "$@" >"$DIR/out" 2>"$DIR/err" || got=$?
  [ "$got" -eq "$status" ] || fail "$*: status $got, not $status: $(cat "$DIR/out" "$DIR/err")"
  grep -q -- "$text" "$DIR/err" || fail "$*: does not say '$text': $(cat "$DIR/err")"
  [ "$(wc -l <"$DIR/err")" -eq 1 ] || fail "$*: more than one line: $(cat "$DIR/err")"
}

say "help and version go to standard output"
strake-replica --help | grep -q -- "--address-file PATH" || fail "the help is not helpful"
strake-replica --version | grep -q "^strake-replica [0-9]" || fail "no version"

say "wrong command lines"
mkdir "$DIR/p"
refused 2 "--pool DIR is missing" strake-replica
refused 2 "--pool: its value is missing" strake-replica --pool
refused 2 "'fast' is none of auto, uring, threads" strake-replica --pool "$DIR/p" --engine fast
refused 2 "'loud' is none of warn, info, debug" strake-replica --pool "$DIR/p" --log-level loud
refused 2 "--memory: 'much' is not a number" strake-replica --pool "$DIR/p" --memory much
refused 2 "--listen: 127.0.0.1" strake-replica --pool "$DIR/p" --listen 127.0.0.1
refused 2 "'extra'" strake-replica --pool "$DIR/p" extra
[ -z "$(ls -A "$DIR/p")" ] || fail "a wrong command line touched the pool"

say "pools that cannot be served"
listen=(--listen 127.0.0.1:0)
touch "$DIR/file"
mkdir "$DIR/other" "$DIR/later" "$DIR/locked"
touch "$DIR/other/letter.txt"
printf 'strake pool\nformat 99\nuuid %s\n' "$(cat /proc/sys/kernel/random/uuid)" >"$DIR/later/pool"
refused 1 "$DIR/none: No such file" strake-replica --pool "$DIR/none" "${listen[@]}"
refused 1 "$DIR/file: Not a directory" strake-replica --pool "$DIR/file" "${listen[@]}"
refused 1 "not a Strake pool.*letter.txt" strake-replica --pool "$DIR/other" "${listen[@]}"
refused 1 "format 99 is not known" strake-replica --pool "$DIR/later" "${listen[@]}"
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
  chmod 755 "$DIR" "$DIR/locked"
  cp "$BIN/strake-replica" "$DIR/strake-replica"
  refused 1 "$DIR/locked: cannot write: Permission denied" \
    setpriv --reuid 65534 --clear-groups "$DIR/strake-replica" --pool "$DIR/locked" "${listen[@]}"
fi

say "ready: the log line, the address file, the service manager"
coproc MANAGER { exec python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print("bound", flush=True)
s.settimeout(20)
for _ in range(2):
    print(s.recv(64).decode(), flush=True)' "$DIR/notify"; }
read -r line <&"${MANAGER[0]}"
NOTIFY_SOCKET="$DIR/notify" strake-replica --pool "$DIR/p" "${listen[@]}" \
  --address-file "$DIR/address" 2>"$DIR/replica1.log" &
REPLICA_PID[1]=$!
read -r line <&"${MANAGER[0]}"
[ "$line" = READY=1 ] || fail "the service manager was told '$line'"
address=$(cat "$DIR/address")
uuid=$(sed -n 's/^uuid //p' "$DIR/p/pool")
log_says "$DIR/replica1.log" "ready: listening on $address, pool $uuid, disk by .*, 0 volumes" ||
  fail "no such line in the log"
port_open "${address##*:}" || fail "nobody listens at $address"

say "in use: the address, and the pool"
refused 1 "$address: Address already in use" strake-replica --pool "$DIR/locked" --listen "$address"
[ -z "$(ls -A "$DIR/locked")" ] || fail "the pool was touched though the address is taken"
refused 1 "$DIR/p: in use: process ${REPLICA_PID[1]} holds its lock" \
  strake-replica --pool "$DIR/p" "${listen[@]}"

say "a clean end"
kill -TERM "${REPLICA_PID[1]}"
read -r line <&"${MANAGER[0]}"
[ "$line" = STOPPING=1 ] || fail "the service manager was told '$line'"
wait "${REPLICA_PID[1]}" || fail "the end was not clean"
log_says "$DIR/replica1.log" "stopped" || fail "the end is not in the log"

say "killed, and at once there again on the same pool"
for engine in uring threads; do
  strake-replica --pool "$DIR/p" --listen "unix:$DIR/r.sock" --engine $engine \
    2>>"$DIR/$engine.log" &
  REPLICA_PID[1]=$!
  wait_for 10 "the replica" log_says "$DIR/$engine.log" "ready: listening on unix:$DIR/r.sock"
  kill_now "${REPLICA_PID[1]}"
done
REPLICA_PID=()
