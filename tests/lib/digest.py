#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the digest of a file, computed from its definition (common/digest/digest.h) alone."""
import hashlib
import sys

PIECE, PIECES = 1 << 20, 1024


def sha256(data):
    return hashlib.sha256(data).digest()


def digest(file):
    groups, last = [], 0
    while True:
        pieces, some = [], False
        while len(pieces) < PIECES and (piece := file.read(PIECE)):
            some = some or any(piece)
            pieces.append(sha256(piece.ljust(PIECE, b"\0")))
        if not pieces:
            break
        pieces += [sha256(bytes(PIECE))] * (PIECES - len(pieces))
        groups.append(sha256(b"".join(pieces)))
        last = len(groups) if some else last
    return "sha256:" + sha256(b"strake digest 1\n" + b"".join(groups[:last])).hex()


if __name__ == "__main__":
    with open(sys.argv[1], "rb") as content:
        print(digest(content))
