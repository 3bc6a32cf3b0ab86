#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# As guest_nbd_faults, by a single connection.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/guest_fault.sh"
export GUEST_NBD_OPTIONS="--connections 1"
cluster_start 3
volume_create v1 512M
guest_fault "$guest/scripts/nbd_xfs_under_fault.sh" 127.0.0.1 "$NBD_PORT" v1 45
