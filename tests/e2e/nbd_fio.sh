#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fio over NBD: random writes of mixed sizes with flushes, then everything verified.
. "$(dirname "$0")/../lib/cluster.sh"
cluster_start 3
volume_create v1 128M
fio --name=mixed --ioengine=nbd --uri="$(nbd_uri v1)" --rw=randwrite --bsrange=4k-128k \
  --iodepth=16 --size=128M --io_size=192M --fsync=64 --verify=crc32c --verify_fatal=1 \
  --verify_state_save=0 --do_verify=1 --randseed=7 --output="$DIR/fio.out" ||
  { cat "$DIR/fio.out"; fail "fio"; }
