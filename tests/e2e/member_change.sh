#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# From one replica to three and back to another one, one of them replaced while it lives, one removed
# while it is away, all under a client that writes.
. "$(dirname "$0")/../lib/cluster.sh"
. "$(dirname "$0")/../lib/members.sh"
cluster_start 4
volume_create v1 16M --replicas 1 >/dev/null
first=$(volume_json v1 | jq -r '.members[0].replica')
for i in 1 2 3 4; do [ "$first" != "$(replica_address $i)" ] || a=$i; done
b=$((a % 4 + 1)) c=$(((a + 1) % 4 + 1)) d=$(((a + 2) % 4 + 1))
acked write "$(nbd_uri v1)" "$DIR/acked" 1 &
writer=$!
least() { strake --json member list v1 | jq .min_in_sync; }

say "one becomes three"
member_add v1 $b
wait_member v1 $b
member_add v1 $c
wait_member v1 $c
[ "$(least)" -eq 2 ] || fail "writes are answered by $(least)"

say "what is refused"
! strake member remove v1 "$(replica_address $d)" 2>"$DIR/err" || fail "a stranger was removed"
grep -q 'has no replica' "$DIR/err" || fail "$(cat "$DIR/err")"
! member_add v1 $b 2>"$DIR/err" || fail "a replica has two members"
grep -q 'already' "$DIR/err" || fail "$(cat "$DIR/err")"

say "one that lives is replaced"
strake member replace v1 "$first" --replica "$(replica_address $d)"
wait_member v1 $d
wait_for 60 "the old one to be gone" has_none v1 $a
wait_for 20 "its data to be gone" keeps_none v1 $a

say "one that is away is removed"
replica_kill $c
strake member remove v1 "$(replica_address $c)"
wait_for 60 "it to be gone" has_none v1 $c
replica_start $c
wait_for 20 "its data to be gone" keeps_none v1 $c

say "back to one"
wait_in_sync v1
member_remove v1 $b
[ "$(least)" -eq 1 ] || fail "writes wait for $(least)"
! strake member remove v1 "$(replica_address $d)" 2>"$DIR/err" || fail "nothing is left"
grep -q 'its only replica' "$DIR/err" || fail "$(cat "$DIR/err")"
kill -0 $writer || fail "the writer ended"
target_kill
wait $writer || fail "the writer failed"
target_start
wait_serving v1
acked check "$(nbd_uri v1)" "$DIR/acked"
pools_check
