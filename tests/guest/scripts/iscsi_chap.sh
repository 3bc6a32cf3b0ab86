#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# iscsi_chap.sh PORTAL IQN USER SECRET MUTUAL_USER MUTUAL_SECRET: in the guest (see ../run), logs in
# by CHAP one-way and mutual with each digest algorithm, is refused with a wrong secret, and moves
# data with every combination of InitialR2T, ImmediateData and digests. Wipes the volume.
# shellcheck source-path=SCRIPTDIR source=../lib.sh
. "$(dirname "$(readlink -f "$0")")/../lib.sh"

portal=$1 iqn=$2 user=$3 secret=$4 mutual_user=$5 mutual_secret=$6
sessions=0
iscsid_start
iscsiadm -m discovery -t sendtargets -p "$portal" | grep -F "$iqn" || fail "discovery"

# setting NAME VALUE...
setting() {
  while (($# > 0)); do
    iscsiadm -m node -T "$iqn" -p "$portal" -o update -n "$1" -v "$2" || fail "setting $1"
    shift 2
  done
}
logout() { iscsiadm -m node -T "$iqn" -p "$portal" --logout || fail "logout"; }
login() { iscsiadm -m node -T "$iqn" -p "$portal" --login >/run/login.log 2>&1; }
# Of the sessions so far: a logout while the kernel still reads the partition table fails its reads.
disks_attached() { (($(dmesg | grep -c 'Attached SCSI disk') >= sessions)); }

setting node.session.initial_login_retry_max 1
! login || fail "let in without CHAP"
setting node.session.auth.authmethod CHAP node.session.auth.username "$user" \
  node.session.auth.password "not the secret of it"
! login || fail "let in with a wrong secret"
setting node.session.auth.password "$secret"
for algorithm in MD5 SHA1 SHA256 SHA3-256; do
  setting node.session.auth.chap_algs "$algorithm"
  login || fail "CHAP with $algorithm: $(</run/login.log)"
  ((++sessions))
  wait_until 20 disks_attached || fail "CHAP with $algorithm: no disk"
  logout
done
say "CHAP passed"

setting node.session.auth.username_in "$mutual_user" node.session.auth.password_in "not that of it"
! login || fail "the initiator believes in another target"
setting node.session.auth.password_in "$mutual_secret"
busybox modprobe crc32c || say "no module crc32c"
dd if=/dev/urandom of=/run/data bs=1M count=4 status=none
for digest in None CRC32C; do
  for first in Yes No; do
    for immediate in Yes No; do
      setting node.conn[0].iscsi.HeaderDigest "$digest" node.conn[0].iscsi.DataDigest "$digest" \
        node.session.iscsi.InitialR2T "$first" node.session.iscsi.ImmediateData "$immediate" \
        node.session.iscsi.MaxOutstandingR2T 4
      what="digests $digest, InitialR2T=$first, ImmediateData=$immediate"
      login || fail "mutual CHAP, $what: $(</run/login.log)"
      ((++sessions))
      wait_until 20 disks_attached && iscsi_disk_of "$iqn" || fail "no disk of $iqn"
      dd if=/run/data of="$device" bs=1M oflag=direct status=none || fail "$what: write"
      dd if="$device" bs=1M count=4 iflag=direct status=none | cmp - /run/data || fail "$what: read"
      logout
    done
  done
done
dmesg_clean
say "iscsi_chap passed"
