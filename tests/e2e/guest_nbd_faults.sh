#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# XFS over the kernel's NBD never sees an error while a replica and the target are killed.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/guest_fault.sh"
cluster_start 3
volume_create v1 512M
guest_fault "$guest/scripts/nbd_xfs_under_fault.sh" 127.0.0.1 "$NBD_PORT" v1 45
