#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ext4 over the kernel's iSCSI never sees an error while a replica and the target are killed.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/guest_fault.sh"
cluster_start 3
volume_create v1 512M
guest_fault "$guest/scripts/iscsi_ext4_under_fault.sh" "127.0.0.1:$ISCSI_PORT" "$(iscsi_iqn v1)" 45
