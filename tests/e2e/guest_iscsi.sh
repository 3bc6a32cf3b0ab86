#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real kernel: discovery, iscsiadm login, mkfs.ext4, fio with verify and O_DIRECT, fsck, logout.
. "$(dirname "$0")/../lib/cluster.sh"
guest=$(dirname "$0")/../guest
cluster_start 3
volume_create v1 512M
"$guest/run" --timeout 200 "$guest/scripts/iscsi_ext4.sh" "127.0.0.1:$ISCSI_PORT" "$(iscsi_iqn v1)"
volume_in_sync v1 >/dev/null || fail "not in sync afterwards"
