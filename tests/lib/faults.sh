# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What the fault tests share. Source it after cluster.sh, with the default length in seconds:
#
#   . faults.sh 20 "$@"      sets FAULT_SECONDS: the test's argument, STRAKE_FAULT_SECONDS, or 20
#   load_start ARGS...       clients with a judge on v1 (tests/faults/torture.py), running
#   load_end                 all answers were right, or the test fails
#   replicas_equal           everything ends cleanly, and the replicas hold the same
#   net_start HOST...        a network namespace for each name, 10.77.0.1 and so on
#   net_cut A B; net_heal    nothing from A reaches B any more; all of it does again
#   disk_make I MIB          the pool of replica I on an ext4 of its own

FAULT_SECONDS=${2:-${STRAKE_FAULT_SECONDS:-$1}}
torture="$(dirname "${BASH_SOURCE[0]}")/../faults/torture.py"
LOAD_PID=""

skip() {
  printf 'SKIP: %s\n' "$*" >&2
  exit 77
}
need_root() { [ "$(id -u)" -eq 0 ] || skip "needs root"; }
need() { command -v "$1" >/dev/null || skip "$1 is missing"; }

now_ms() { date +%s%3N; }
load_uri() { printf 'nbd+unix:///v1?socket=%s' "${1:-$NBD_SOCKET}"; }

load_start() {
  /usr/bin/python3 "$torture" "$@" >"$DIR/load.log" 2>&1 &
  LOAD_PID=$!
  at_end "kill -9 $LOAD_PID 2>/dev/null"
  wait_for 30 "the load to run" log_says "$DIR/load.log" running
}

load_lives() {
  kill -0 "$LOAD_PID" 2>/dev/null || load_end
}

load_end() {
  local status=0
  wait "$LOAD_PID" || status=$?
  tail -n 1 "$DIR/load.log"
  [ "$status" -eq 0 ] || {
    tail -n 30 "$DIR/load.log"
    fail "the load ended with status $status"
  }
}
load_stop() {
  kill -TERM "$LOAD_PID" 2>/dev/null || true
  load_end
}

replicas_equal() {
  local i first=""
  wait_in_sync v1 90 # the load's last writes may have left one behind
  target_stop
  for i in "${!REPLICA_PORT[@]}"; do replica_stop "$i"; done
  for i in "${!REPLICA_PORT[@]}"; do
    : "${first:=$i}"
    same_data "$DIR/pool$first" "$DIR/pool$i" ||
      fail "replicas $first and $i differ"
  done
}

# The first byte of the block at 8 MiB, as hex; nothing when no answer comes within a few seconds.
peek() {
  timeout 4 /usr/bin/python3 -c 'import sys, nbd
h = nbd.NBD()
h.connect_uri(sys.argv[1])
print(h.pread(4096, 8 << 20)[:1].hex(), flush=True)' "$1" 2>/dev/null || true
}
poke() { qemu-io -f raw -c "write -P 0x$1 8M 4k" "$2" >/dev/null; }

# The member of v1 that replica I keeps, as JSON.
member_json() {
  volume_json v1 | jq --arg a "$(replica_address "$1")" '.members[] | select(.replica == $a)'
}
member_is_in_sync() { member_json "$1" | jq -e .in_sync; }
member_is_out() { member_json "$1" | jq -e '.in_sync | not'; }

# ---- networks ----

net_name() { printf 'strake%d-%s' "$$" "$1"; }
in_net() {
  local name=$1
  shift
  ip netns exec "$(net_name "$name")" "$@"
}

net_add() {
  ip netns add "$(net_name "$1")" 2>/dev/null || skip "no network namespaces"
  at_end "ip netns del $(net_name "$1")"
  in_net "$1" ip link set lo up
}

net_start() {
  need_root
  need ip
  need nft
  net_add switch
  in_net switch ip link add hub type bridge 2>/dev/null || skip "no bridges"
  in_net switch ip link set hub up
  local host
  NET_HOSTS=("$@")
  for host in "$@"; do
    net_add "$host"
    ip link add "p-$host" netns "$(net_name switch)" type veth peer name eth0 \
      netns "$(net_name "$host")" 2>/dev/null || skip "no veth"
    in_net switch ip link set "p-$host" master hub up
    in_net "$host" ip addr add "$(net_address "$host")/24" dev eth0
    in_net "$host" ip link set eth0 up
    in_net "$host" nft add table ip strake 2>/dev/null || skip "no nftables"
    in_net "$host" nft add chain ip strake in '{ type filter hook input priority 0; }'
  done
}

net_address() {
  local i
  for i in "${!NET_HOSTS[@]}"; do
    [ "${NET_HOSTS[$i]}" != "$1" ] || printf '10.77.0.%d' $((i + 1))
  done
}

net_cut() { in_net "$2" nft add rule ip strake in ip saddr "$(net_address "$1")" drop; }
net_part() {
  net_cut "$1" "$2"
  net_cut "$2" "$1"
}
net_heal() {
  local host
  for host in "${NET_HOSTS[@]}"; do
    in_net "$host" nft flush chain ip strake in
  done
}

# Three replicas and a target, each in a namespace of its own.
net_cluster_start() {
  local i
  net_start t r1 r2 r3 "$@"
  for i in 1 2 3; do
    REPLICA_HOST[$i]=$(net_address "r$i")
    REPLICA_PORT[$i]=10900
    REPLICA_EXEC[$i]="ip netns exec $(net_name "r$i")"
    replica_start "$i"
  done
  TARGET_EXEC="ip netns exec $(net_name t)"
  target_start
  wait_for 20 "3 replicas to be up" replicas_up 3
}

# ---- disks ----

disk_mount() {
  mount -o loop "$DIR/disk$1.img" "$DIR/pool$1" 2>/dev/null || skip "no loop devices"
}

disk_make() {
  need_root
  need mkfs.ext4
  mkdir -p "$DIR/pool$1"
  truncate -s "$2M" "$DIR/disk$1.img"
  mkfs.ext4 -q -m 0 "$DIR/disk$1.img"
  disk_mount "$1"
  at_end "umount -l $DIR/pool$1"
}
