#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Bytes change on the disk of one replica while it runs: a scrub finds them, in the volume and in a
# snapshot, brings them from the others, and tells of it.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 16M >/dev/null
poke() { qemu-io -f raw -c "write -P $1 $2 64k" -c flush "$(nbd_uri v1)" >/dev/null; }
poke 0x41 4M
strake snapshot create v1 s1 >/dev/null
poke 0x42 8M

rot 2 0x41
rot 2 0x42
strake volume scrub v1 --wait
volume_json v1 | jq -e '.scrub.found > 0 and .scrub.unrepaired == 0' || fail "nothing was found"
strake volume show v1 | grep '^scrubbed:' || fail "volume show does not tell"
[ "$(strake --json status | jq '[.events[] | select(.text | test("damaged.*copied"))] | length')" -ge 2 ] ||
  fail "no events tell of it"
strake volume scrub v1 --wait
volume_json v1 | jq -e '.scrub.found == 0' || fail "it is still damaged"
strake snapshot verify v1@s1
