#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every port is spoken to by those who mean harm: their connections pay, memory stays bounded, and the
# processes and two clients that work beside them, over iSCSI and NBD, do not notice. A crowd that
# only connects keeps nobody out.
export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:quarantine_size_mb=8
. "$(dirname "$0")/../lib/cluster.sh"
here=$(dirname "$0")
memory_mib=64
TARGET_ARGS=(--memory "$memory_mib")
at_end 'touch "$DIR/enough"'
cluster_start 3
volume_create prey 64M >"$DIR/created"
volume_create v1 16M >"$DIR/created"
iqn=$(iscsi_iqn prey)

# bystander NAME URL: writes and reads on one connection until $DIR/enough is there.
bystander() {
  qemu-io -f raw "$2" >"$DIR/$1.io" 2>&1 < <(
    for ((i = 1; ; i = i % 250 + 1)); do
      [ ! -e "$DIR/enough" ] || break
      printf 'write -P %d %dk 64k\nread -P %d %dk 64k\n' "$i" "$((i * 32))" "$i" "$((i * 32))"
      sleep 0.05
    done
  )
}
bystander iscsi "$(iscsi_url v1)" &
iscsi=$!
volume_create v2 16M >"$DIR/created"
bystander nbd "$(nbd_uri v2)" &
nbd=$!

peak_mib() { awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$TARGET_PID/status"; }
before_mib=$(peak_mib)
hostile() { /usr/bin/python3 "$here/hostile.py" "$@" || fail "hostile.py $1"; }

rounds() { grep -c "read 65536/65536" "$DIR/$1.io"; }
goes_on() {
  local before=$2
  [ "$(rounds "$1")" -gt "$before" ]
}
unnoticed() {
  local name
  for name in iscsi nbd; do
    wait_for 20 "the client of $name to go on" goes_on "$name" "$(rounds "$name")"
    ! grep -iE "fail|error|verif" "$DIR/$name.io" || fail "the client of $name noticed"
  done
}

for part in "iscsi $ISCSI_PORT $iqn" "nbd $NBD_PORT prey" "control $STRAKE_CONTROL" \
  "replica ${REPLICA_PORT[1]}"; do
  # shellcheck disable=SC2086
  hostile $part
  unnoticed
done
say "memory of the target: $before_mib MiB, at most $(peak_mib) MiB"
[ "$(peak_mib)" -lt $((before_mib + memory_mib * 3 / 2 + 128)) ] || fail "memory is not bounded"

CROWDS=()
at_end 'kill "${CROWDS[@]}"'
crowd() {
  /usr/bin/python3 "$here/hostile.py" crowd "$1" >"$DIR/crowd" &
  CROWDS+=($!)
  wait_for 20 "the crowd to be there" test -s "$DIR/crowd"
}
say "crowds"
for port in "$ISCSI_PORT" "$NBD_PORT" "${REPLICA_PORT[1]}"; do
  crowd "$port"
done
nbdinfo --size "$(nbd_uri prey)" >/dev/null || fail "the crowd keeps a client of NBD out"
iscsi-inq "iscsi://127.0.0.1:$ISCSI_PORT/$iqn/0" >/dev/null || fail "it keeps an initiator out"
unnoticed
touch "$DIR/enough"
wait "$iscsi" || fail "the client of iSCSI: $(tail "$DIR/iscsi.io")"
wait "$nbd" || fail "the client of NBD: $(tail "$DIR/nbd.io")"
target_stop
target_start
wait_for 20 "a new target to reach the replica with the crowd" replicas_up 3
target_stop
for i in 1 2 3; do replica_stop "$i"; done
