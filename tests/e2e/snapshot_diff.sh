#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What a diff tells is what was written and discarded; a copy of the changed ranges makes the copy
# of the first snapshot one of the second.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 64M
head -c 64M /dev/urandom >"$DIR/a"
nbdcopy --flush "$DIR/a" "$(nbd_uri v1)"
strake snapshot create v1 a
/usr/bin/python3 -c "
import nbd
h = nbd.NBD(); h.connect_uri('$(nbd_uri v1)')
for at in (0, 4096, 1 << 20, 63 << 20):
    h.pwrite(b'x' * 4096, at)
h.zero(1 << 20, 8 << 20)
h.trim(4096, 32 << 20)
h.flush()"
strake snapshot create v1 b
strake snapshot diff v1@a v1@b | tee "$DIR/diff"
cat >"$DIR/expected" <<'END'
0 8192 data
1048576 4096 data
8388608 1048576 zero
33554432 4096 zero
66060288 4096 data
END
grep -v changed "$DIR/diff" | diff - "$DIR/expected" || fail "other ranges"
/usr/bin/python3 - "$DIR/a" "$DIR/diff" "$(nbd_uri v1@b)" <<'END'
import nbd, sys
h = nbd.NBD(); h.connect_uri(sys.argv[3])
with open(sys.argv[1], "r+b") as copy:
    for line in open(sys.argv[2]):
        if line.startswith("changed"):
            continue
        at, length = map(int, line.split()[:2])
        copy.seek(at)
        copy.write(h.pread(length, at))
END
nbdcopy "$(nbd_uri v1@b)" "$DIR/b"
cmp "$DIR/a" "$DIR/b"
strake --json snapshot diff v1@b --totals | jq -e '.data_bytes == 0 and .zero_bytes == 0' >/dev/null ||
  fail "something changed since b"
