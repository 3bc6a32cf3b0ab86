#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Both processes give up what they do not need: started by root they become another user, gain no
# rights, and make only the system calls of their profiles; and serve all the same.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/faults.sh" 0
need_root
user=nobody
chmod 1777 "$DIR"
for i in 1 2 3; do
  mkdir -p "$DIR/pool$i"
  chown "$user" "$DIR/pool$i"
  replica_start "$i" --user "$user"
done
TARGET_ARGS=(--user "$user")
target_start
wait_for 20 "3 replicas to be up" replicas_up 3

status_of() { awk -v name="$2:" '$1 == name { print $2 }' "/proc/$1/status"; }
confined() {
  [ "$(status_of "$1" Uid)" = "$(id -u "$user")" ] || fail "process $1 is another user"
  [ "$(status_of "$1" Gid)" = "$(id -g "$user")" ] || fail "process $1 is of another group"
  [ "$(status_of "$1" NoNewPrivs)" = 1 ] || fail "process $1 may gain rights"
  for set in CapPrm CapEff CapBnd CapAmb; do
    [ "$(status_of "$1" $set)" = 0000000000000000 ] || fail "process $1: $set"
  done
  for task in "/proc/$1/task"/*/status; do
    grep -q '^Seccomp:.2' "$task" || log_says "$2" "not confined" || fail "$task: no seccomp"
  done
}
for i in 1 2 3; do confined "${REPLICA_PID[$i]}" "$DIR/replica$i.log"; done
confined "$TARGET_PID" "$TARGET_LOG"

volume_create v1 64M
head -c 64M /dev/urandom >"$DIR/in"
nbdcopy --flush "$DIR/in" "$(nbd_uri v1)"
replica_kill 2
replica_start 2 --user "$user"
wait_in_sync v1
nbdcopy "$(nbd_uri v1)" "$DIR/out"
cmp "$DIR/in" "$DIR/out"
target_stop
for i in 1 2 3; do replica_stop "$i"; done

say "once more, without the filter"
chown -R 0 "$DIR"/pool*
for i in 1 2 3; do replica_start "$i" --no-seccomp; done
TARGET_ARGS=(--no-seccomp)
target_start
wait_serving v1
grep -q '^Seccomp:.0' "/proc/$TARGET_PID/status" || fail "--no-seccomp has no effect"
target_stop

say "what is refused at the start"
refuses() {
  local why=$1
  shift
  ! "$@" 2>"$DIR/refusal" || fail "starts: $*"
  grep -q -- "$why" "$DIR/refusal" || fail "$(cat "$DIR/refusal")"
}
mkdir "$DIR/roots"
refuses "user nobody: may not make files in" strake-replica --pool "$DIR/roots" \
  --listen 127.0.0.1:0 --user nobody
refuses "there is none of this name" strake-target --pool "$DIR/roots" --iscsi none --nbd none \
  --control "$DIR/other.sock" --user nobody-of-this-name
