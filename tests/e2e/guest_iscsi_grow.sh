#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real kernel: a volume grows under a mounted ext4, which is grown then.
. "$(dirname "$0")/../lib/cluster.sh"
guest=$(dirname "$0")/../guest
cluster_start 3
volume_create v1 32M
"$guest/run" --timeout 200 "$guest/scripts/iscsi_grow.sh" "127.0.0.1:$ISCSI_PORT" "$(iscsi_iqn v1)" \
  $((96 << 20)) >"$DIR/guest" 2>&1 &
GUEST=$!
at_end "kill $GUEST 2>/dev/null"
wait_for 100 "the guest to use it" log_says "$DIR/guest" "waits to be grown"
strake volume grow v1 96M >/dev/null
wait "$GUEST" || fail "the guest: $(tail -n 30 "$DIR/guest")"
volume_in_sync v1 >/dev/null || fail "not in sync afterwards"
