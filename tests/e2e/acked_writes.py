#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes blocks over NBD until the server goes away, and remembers what was acknowledged.

acked_writes.py write URI STATE ROUND   until the connection is lost
acked_writes.py check URI STATE         each block holds its last acknowledged write or a later one

Every write has a number of its own in the block. STATE keeps, for each block, the number that was
acknowledged last and the highest that was ever sent.
"""
import json
import os
import random
import struct
import sys

import nbd

BLOCK = 4096
DEPTH = 16


def load(path):
    if not os.path.exists(path):
        return {"next": 1, "acked": {}, "sent": {}}
    with open(path, encoding="ascii") as file:
        return json.load(file)


def content(number):
    return struct.pack(">Q", number) * (BLOCK // 8)


def write(uri, state_path, round_number):
    state = load(state_path)
    rng = random.Random(round_number)
    handle = nbd.NBD()
    handle.connect_uri(uri)
    blocks = handle.get_size() // BLOCK
    busy = {}
    acked = 0

    def finished(block, number, error):
        del busy[block]
        if error.value == 0:
            state["acked"][str(block)] = number

    try:
        while True:
            while len(busy) < DEPTH:
                block = rng.randrange(blocks)
                if block in busy:
                    continue
                number = state["next"]
                state["next"] += 1
                state["sent"][str(block)] = number
                busy[block] = number
                data = nbd.Buffer.from_bytearray(bytearray(content(number)))
                handle.aio_pwrite(
                    data, block * BLOCK,
                    lambda error, block=block, number=number: finished(block, number, error) or 1)
            handle.poll(-1)
            acked += 1
    except nbd.Error:
        pass
    with open(state_path, "w", encoding="ascii") as file:
        json.dump(state, file)
    print(f"round {round_number}: {len(state['acked'])} blocks acknowledged, next {state['next']}")
    return 0 if len(state["acked"]) > 100 else 1


def check(uri, state_path):
    state = load(state_path)
    handle = nbd.NBD()
    handle.connect_uri(uri)
    wrong = 0
    for text, sent in state["sent"].items():
        block = int(text)
        data = bytes(handle.pread(BLOCK, block * BLOCK))
        number = struct.unpack(">Q", data[:8])[0]
        least = state["acked"].get(text, 0)
        if data != content(number) or not least <= number <= sent:
            print(f"block {block}: holds {number}, acknowledged {least}, sent up to {sent}")
            wrong += 1
        # What was read is settled: it must not be un-read later.
        state["acked"][text] = number
    with open(state_path, "w", encoding="ascii") as file:
        json.dump(state, file)
    print(f"checked {len(state['sent'])} blocks, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    if sys.argv[1] == "write":
        sys.exit(write(sys.argv[2], sys.argv[3], int(sys.argv[4])))
    sys.exit(check(sys.argv[2], sys.argv[3]))
