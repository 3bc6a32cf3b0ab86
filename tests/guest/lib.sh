# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# For scripts that run in the guest (see run): attach and detach volumes by the kernel's iSCSI and
# NBD initiators, put load on a file system and tell whether anybody saw an error.
#
#   iscsi_attach PORTAL IQN    by strake attach; sets $device
#   iscsi_detach PORTAL IQN
#   nbd_attach HOST PORT EXPORT   likewise
#   nbd_detach EXPORT
#   load_once DIR MIB SEED     writes files in DIR and verifies them
#   load_verify DIR MIB SEED   verifies them once more, without writing
#   load_for SECONDS DIR MIB   load_once again and again; sets $seed to the last one's
#   dmesg_clean                fails if the kernel logged an error of a disk or file system
#   fail MESSAGE
#
# Environment, which run passes on:
#   GUEST_REPLACEMENT_TIMEOUT  iSCSI, default 120 s: a disk without its target fails requests then
#   GUEST_NBD_OPTIONS          of strake attach
#   GUEST_STRAKE               the command line, built without sanitizers
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

strake() {
  "${GUEST_STRAKE:?}" "$@"
}

# volume_attach WAY URI: sets $device; it rides out a restarted target
volume_attach() {
  device=$(strake attach "--$1" "$2" "${@:3}") || fail "cannot attach $2"
  [[ -b $device ]] || fail "$device is no block device"
  say "$2 is $device, $(blockdev --getsize64 "$device") bytes"
}

volume_detach() {
  local log=/run/strake/attach/$1.log
  [[ ! -e $log ]] || sed 's/^/GUEST: keeper: /' "$log"
  strake detach "$1" || fail "cannot detach $1"
  [[ -z $(ls /run/strake/attach/*.json 2>/dev/null) ]] || fail "something is left of $1"
}

iscsi_attach() {
  iscsid_start
  volume_attach iscsi "iscsi://$1/$2" --timeout "${GUEST_REPLACEMENT_TIMEOUT:-120}"
}

iscsi_detach() {
  volume_detach "${2##*:}"
}

nbd_attach() {
  [[ -e /sys/block/nbd0 ]] || busybox modprobe nbd nbds_max=4
  # shellcheck disable=SC2086  # the options are words
  volume_attach nbd "nbd://$1:$2/$3" ${GUEST_NBD_OPTIONS:-}
}

nbd_detach() {
  volume_detach "${1:-default}"
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
