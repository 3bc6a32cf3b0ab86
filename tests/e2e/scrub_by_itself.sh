#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A damaged block at one replica is found and repaired by a scrub that nobody asked for. What it
# found is still told by the next target after a kill -9.
. "$(dirname "$0")/../lib/cluster.sh"
TARGET_ARGS=(--scrub-every 8s)
cluster_start 3
volume_create v1 16M >/dev/null
qemu-io -f raw -c "write -P 0x41 4M 64k" -c flush "$(nbd_uri v1)" >/dev/null
rot 2 0x41
found() { volume_json v1 | jq -e '.scrub.found > 0'; }
wait_for 60 "a scrub to find the damage" found
kept=$(volume_json v1 | jq -c '.scrub | [.ended_s, .found, .repaired, .unrepaired]')
target_kill
TARGET_ARGS=(--scrub-every 0)
target_start
wait_serving v1
told() { [ "$(volume_json v1 | jq -c '.scrub | [.ended_s, .found, .repaired, .unrepaired]')" = "$kept" ]; }
wait_for 20 "the next target to tell what was found ($kept)" told
volume_json v1 | jq -e '.scrub.unrepaired == 0 and .scrub.repaired > 0' || fail "it was not repaired"
strake volume show v1 | grep '^scrubbed:' || fail "volume show does not tell"
strake volume scrub v1 --wait
volume_json v1 | jq -e '.scrub.found == 0' || fail "it is still damaged"
