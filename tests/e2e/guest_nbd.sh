#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real kernel: its NBD client, mkfs.xfs, fio with verify and O_DIRECT, xfs_repair, disconnect.
. "$(dirname "$0")/../lib/cluster.sh"
guest=$(dirname "$0")/../guest
cluster_start 3
volume_create v1 512M
"$guest/run" --timeout 200 "$guest/scripts/nbd_xfs.sh" 127.0.0.1 "$NBD_PORT" v1
volume_in_sync v1 >/dev/null || fail "not in sync afterwards"
