#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# All replicas restart under another boot id while clients are connected: what was answered and not
# flushed may be gone. An initiator hears of it by a unit attention, a client of NBD by its next
# flush, people by the event list.
. "$(dirname "$0")/../lib/cluster.sh"
new_boot() { cat /proc/sys/kernel/random/uuid >"$DIR/boot_id$1"; }
for i in 1 2 3; do
  new_boot "$i"
  REPLICA_EXEC[$i]="env STRAKE_BOOT_ID_FILE=$DIR/boot_id$i"
done
cluster_start 3
volume_create v1 16M >/dev/null

mkfifo "$DIR/go"
/usr/bin/python3 - "$(nbd_uri v1)" "$ISCSI_PORT" "$(iscsi_iqn v1)" "$DIR/go" "$DIR/written" <<'PY' &
import socket, struct, sys, nbd

class Initiator:
    def __init__(self, port, name):
        self.socket = socket.create_connection(("127.0.0.1", int(port)))
        self.serial = 1
        keys = ["InitiatorName=iqn.2026-11.test:host", "TargetName=" + name, "SessionType=Normal"]
        text = b"".join(key.encode() + b"\0" for key in keys)
        # Login, from operational negotiation to the full feature phase.
        self.send(0x43, 0x87, text, bytes(8) + struct.pack(">IIII", 0, 0, 1, 0))
        header, _ = self.receive()
        assert header[0] == 0x23 and header[36] == 0, header.hex()

    def send(self, opcode, flags, data, rest):
        header = struct.pack(">BBHI", opcode, flags, 0, len(data)) + rest
        self.socket.sendall(header.ljust(48, b"\0") + data + bytes(-len(data) % 4))

    def receive(self):
        header = self.socket.recv(48, socket.MSG_WAITALL)
        length = int.from_bytes(header[5:8], "big")
        return header, self.socket.recv(length + -length % 4, socket.MSG_WAITALL)

    # TEST UNIT READY: 0, or sense key, code and qualifier.
    def ready(self):
        rest = bytes(8) + struct.pack(">IIII", self.serial, 0, self.serial, 0)
        self.send(0x01, 0x80, b"", rest)
        self.serial += 1
        while True:
            header, sense = self.receive()
            if header[0] == 0x21:
                return header[3] and (sense[4] & 15, sense[14], sense[15])

def ready_at_last(initiator):
    heard = []
    while True:
        news = initiator.ready()
        if news == 0:
            return heard
        heard.append(news)

initiator = Initiator(sys.argv[2], sys.argv[3])
ready_at_last(initiator)
disk = nbd.NBD()
disk.connect_uri(sys.argv[1])
disk.pwrite(b"f" * 4096, 0)
disk.flush()
disk.pwrite(b"u" * 4096, 4096)
open(sys.argv[5], "w").close()
open(sys.argv[4]).read()
# Not lost: what was flushed.
assert disk.pread(4096, 0) == b"f" * 4096
try:
    disk.flush()
    sys.exit("the first flush says nothing of the loss")
except nbd.Error:
    pass
disk.flush()
heard = ready_at_last(initiator)
assert (6, 0x29, 0x01) in heard, heard
PY
clients=$!
wait_for 30 "the clients to write" test -e "$DIR/written"

say "every machine restarts"
for i in 1 2 3; do
  replica_kill "$i"
  new_boot "$i"
done
for i in 1 2 3; do replica_start "$i"; done
wait_in_sync v1
timeout 10 sh -c "echo >$DIR/go"
wait "$clients" || fail "the clients did not hear of it"
strake --json status | jq -e '.events[] | select(.text | test("lost its memory: goes on"))' ||
  fail "no event tells of it"
