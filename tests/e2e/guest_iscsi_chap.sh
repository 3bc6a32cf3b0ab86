#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A real kernel and open-iscsi: CHAP one-way and mutual, and every way to send data.
. "$(dirname "$0")/../lib/cluster.sh"
guest=$(dirname "$0")/../guest
cat >"$DIR/access" <<'END'
[volume v1]
user = alice
secret = the-secret-of-alice
mutual-user = strake
mutual-secret = the-secret-of-ours
END
chmod 600 "$DIR/access"
TARGET_ARGS=(--access "$DIR/access")
cluster_start 3
volume_create v1 64M
"$guest/run" --timeout 200 "$guest/scripts/iscsi_chap.sh" "127.0.0.1:$ISCSI_PORT" \
  "$(iscsi_iqn v1)" alice the-secret-of-alice strake the-secret-of-ours
log_says "$TARGET_LOG" "user alice: wrong secret" || fail "the refusal is not in the log"
volume_in_sync v1 >/dev/null || fail "not in sync afterwards"
