# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For scripts that run in the guest (see run): attach and detach volumes by the kernel's iSCSI and
# NBD initiators, put load on a file system and tell whether anybody saw an error.
#
#   iscsi_attach PORTAL IQN    discovery, login; sets $device
#   iscsi_detach PORTAL IQN
#   nbd_attach HOST PORT EXPORT   sets $device; it rides out a restarted server
#   nbd_detach
#   load_once DIR MIB SEED     writes files in DIR and verifies them
#   load_verify DIR MIB SEED   verifies them once more, without writing
#   load_for SECONDS DIR MIB   load_once again and again; sets $seed to the last one's
#   dmesg_clean                fails if the kernel logged an error of a disk or file system
#   fail MESSAGE
#
# Environment, which run passes on:
#   GUEST_REPLACEMENT_TIMEOUT  iSCSI, default 120 s: a disk without its target fails requests then
#   GUEST_NBD_TIMEOUT          default 10 s: a request unanswered for so long is sent again on a new
#                              connection
set -euo pipefail

guest_dir=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")

say() {
  echo "GUEST: $*"
}

fail() {
  say "FAIL: $*"
  exit 1
}

guest_ended() {
  local status=$?
  if ((status != 0)); then
    say "status $status; the end of the kernel's log:"
    dmesg | tail -n 40
  fi
}
trap guest_ended EXIT

dmesg_clean() {
  local bad='I/O error|EXT4-fs (error|warning)|EXT4-fs.*(failed|remount|[Cc]orrupt)'
  bad+='|JBD2: .*[Ee]rror|Aborting journal|XFS .*(error|shut ?down|[Cc]orrupt|failed)|rejecting I/O|offline device'
  bad+='|critical (medium|target|space)|Sense Key|BUG:|WARNING:|Oops|blocked for more than'
  if dmesg | grep -E "$bad"; then
    fail "the kernel logged the errors above"
  fi
}

# wait_until SECONDS COMMAND...
wait_until() {
  local end=$((SECONDS + $1))
  until "${@:2}"; do
    ((SECONDS < end)) || return 1
    sleep 0.1
  done
}

iscsid_start() {
  iscsid_runs && return
  busybox modprobe -a iscsi_tcp sd_mod
  mkdir -p /run/lock/iscsi /etc/iscsi
  rm -rf /etc/iscsi/nodes /etc/iscsi/send_targets /etc/iscsi/ifaces
  echo "InitiatorName=iqn.2026-11.io.strake:guest-$RANDOM$RANDOM" >/etc/iscsi/initiatorname.iscsi
  sed -i -e '/^iscsid.startup/d' -e "s/^\(node.session.timeo.replacement_timeout\) .*/\1 = \
${GUEST_REPLACEMENT_TIMEOUT:-120}/" /etc/iscsi/iscsid.conf
  iscsid -f >/run/iscsid.log 2>&1 &
  wait_until 10 iscsid_runs || fail "iscsid does not start: $(</run/iscsid.log)"
}

iscsid_runs() {
  grep -q ISCSIADM_ABSTRACT_NAMESPACE /proc/net/unix
}

# The disk of the session with a target: has it a size yet?
iscsi_disk_of() {
  local name disk
  for name in /sys/class/iscsi_session/session*/targetname; do
    [[ -r $name && $(<"$name") == "$1" ]] || continue
    for disk in "${name%/targetname}"/device/target*/*/block/sd*; do
      [[ -r $disk/size && $(<"$disk/size") -gt 0 ]] || continue
      device=/dev/${disk##*/}
      [[ -b $device ]] && return
    done
  done
  return 1
}

iscsi_attach() {
  iscsid_start
  iscsiadm -m discovery -t sendtargets -p "$1" | grep -F "$2" ||
    fail "discovery at $1 does not show $2"
  iscsiadm -m node -T "$2" -p "$1" --login || fail "login to $2 at $1"
  wait_until 20 iscsi_disk_of "$2" || fail "no disk of $2"
  say "$2 is $device, $(blockdev --getsize64 "$device") bytes"
}

iscsi_detach() {
  iscsiadm -m node -T "$2" -p "$1" --logout || fail "logout from $2"
}

nbd_attach() {
  local number
  [[ -e /sys/block/nbd0 ]] || busybox modprobe nbd nbds_max=4
  [[ -x /run/nbd_attach ]] || gcc -O1 -Wall -o /run/nbd_attach "$guest_dir/nbd_attach.c"
  for number in 0 1 2 3; do
    [[ -e /sys/block/nbd$number/pid ]] || break
  done
  nbd_keeper=$(/run/nbd_attach "$1" "$2" "$3" "$number" "${GUEST_NBD_TIMEOUT:-10}") ||
    fail "cannot attach $3 at $1:$2"
  device=/dev/nbd$number
  say "export '$3' is $device, $(blockdev --getsize64 "$device") bytes"
}

nbd_detach() {
  kill "$nbd_keeper"
  wait_until 10 nbd_gone || fail "$device does not detach"
}

nbd_gone() {
  ! [[ -e /sys/block/${device#/dev/}/pid ]]
}

# fio_run DIR MIB SEED OPTIONS...: half the data past the page cache, half through it.
fio_run() {
  local half=$(($2 / 2))m
  fio --directory="$1" --size="$half" --randseed="$3" --verify=crc32c --verify_fatal=1 \
    --group_reporting --eta=never --output=/run/fio.log "${@:4}" \
    --name=direct --rw=randwrite --bsrange=4k-64k --direct=1 --ioengine=libaio --iodepth=16 \
    --name=buffered --rw=randwrite --bsrange=4k-64k --fsync=64 --ioengine=psync ||
    {
      cat /run/fio.log
      fail "fio: see above"
    }
}

load_once() {
  fio_run "$@" --do_verify=1
}

load_verify() {
  fio_run "$@" --verify_only
}

load_for() {
  local end=$((SECONDS + $1))
  seed=0
  say "load running"
  while ((SECONDS < end)); do
    seed=$((seed + 1))
    load_once "$2" "$3" "$seed"
    dmesg_clean
    say "pass $seed verified"
  done
  say "load done"
}

# A file system on $device, mounted at /mnt.

ext4_make() {
  mkfs.ext4 -q -F "$device" || fail "mkfs.ext4"
  mount -t ext4 "$device" /mnt || fail "mount"
}

ext4_mount_again() {
  umount /mnt || fail "umount"
  mount -t ext4 "$device" /mnt || fail "mount again"
}

ext4_check() {
  [[ $(<"/sys/fs/ext4/${device#/dev/}/errors_count") == 0 ]] || fail "ext4 counted errors"
  umount /mnt || fail "umount"
  fsck.ext4 -f -n "$device" || fail "fsck.ext4"
}

xfs_make() {
  mkfs.xfs -q -f "$device" || fail "mkfs.xfs"
  mount -t xfs "$device" /mnt || fail "mount"
}

xfs_mount_again() {
  umount /mnt || fail "umount"
  mount -t xfs "$device" /mnt || fail "mount again"
}

xfs_check() {
  umount /mnt || fail "umount"
  xfs_repair -n "$device" || fail "xfs_repair"
}
