#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Clients and peers as nobody wants them, against the processes as they are started.

hostile.py KIND PORT|PATH [NAME]   KIND is iscsi, nbd, replica or control; NAME the volume or IQN
hostile.py crowd PORT              connects, more often than there is room for, and stays

Each attack says what must become of its connection; that nobody else notices is the caller's to see.
"""
import socket
import struct
import sys
import time

CROWD = 300  # more than a process lets in at once
PATIENCE_S = 15


def connected(where):
    if where.startswith("/"):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(PATIENCE_S)
        sock.connect(where)
        return sock
    return socket.create_connection(("127.0.0.1", int(where)), timeout=PATIENCE_S)


def say(sock, data):
    """False: the other end has closed, or takes no more for now."""
    try:
        sock.sendall(data)
        return True
    except OSError:
        return False


def take(sock, length):
    data = b""
    while len(data) < length:
        piece = sock.recv(length - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def closes(sock, what):
    """What still comes is read; then the other end must close."""
    try:
        while sock.recv(1 << 16):
            pass
    except socket.timeout:
        sys.exit(f"{what}: the connection stays")
    except OSError:
        pass
    sock.close()


def stuff(sock, data, limit=64 << 20):
    """Sends it again and again until the other end takes no more: how many bytes that were."""
    sock.settimeout(0.5)
    sent = 0
    try:
        while sent < limit:
            sent += sock.send(data)
    except OSError:
        pass
    sock.settimeout(PATIENCE_S)
    return sent


def crowd(where):
    """More connections than there is room for, which say nothing."""
    return [connected(where) for _ in range(CROWD)]


def rush(where, count=500):
    for _ in range(count):
        connected(where).close()


def half_closed(sock, request, what):
    say(sock, request)
    sock.shutdown(socket.SHUT_WR)
    closes(sock, what)


# ---- iSCSI ----

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return struct.pack("<I", crc ^ 0xFFFFFFFF)


def pdu(opcode, flags=0x80, ahs=0, length=None, data=b"", lun_or_isid=bytes(8), itt=1, rest=b""):
    length = len(data) if length is None else length
    head = struct.pack(">BBH", opcode, flags, 0) + bytes([ahs]) + length.to_bytes(3, "big")
    head += lun_or_isid + struct.pack(">I", itt) + rest
    return head.ljust(48, b"\0") + data + bytes(-len(data) % 4)


def pairs(*texts):
    return b"".join(text.encode() + b"\0" for text in texts)


def login_pdu(flags, data, isid=b"\x80\0\0\0\0\1\0\0", itt=1):
    return pdu(0x43, flags, data=data, lun_or_isid=isid, itt=itt, rest=struct.pack(">III", 0, 1, 0))


def login(where, iqn, *more, isid=1):
    sock = connected(where)
    names = ["InitiatorName=iqn.hostile", "TargetName=" + iqn, "SessionType=Normal"]
    say(sock, login_pdu(0x87, pairs(*names, *more), isid=struct.pack(">BHBHH", 0x80, 0, 0, isid, 0)))
    head = take(sock, 48)
    take(sock, int.from_bytes(head[5:8], "big") + 3 & ~3)
    if head[36] != 0:
        sys.exit(f"login: {head[36:38].hex()}")
    return sock


def command(cdb, sn, flags, length, data=b"", **more):
    rest = struct.pack(">III", length, sn, 0) + cdb.ljust(16, b"\0")
    return pdu(0x01, flags, data=data, itt=sn + 16, rest=rest, **more)


def read10(sn, blocks):
    return command(struct.pack(">BBIBHB", 0x28, 0, 0, 0, blocks, 0), sn, 0xC1, blocks * 512)


def write10(sn, blocks, data=b""):
    cdb = struct.pack(">BBIBHB", 0x2A, 0, 0, 0, blocks, 0)
    return command(cdb, sn, 0xA1, blocks * 512, data)


def iscsi_login(where, iqn):
    before = {
        "a command before login": read10(1, 1),
        "a text request before login": pdu(0x04, data=pairs("SendTargets=All")),
        "an opcode that is none": pdu(0x3B),
        "a login as long as can be said": pdu(0x43, 0x87, length=0xFFFFFF),
        "text without an end": login_pdu(0x87, b"A" * 8000),
        "a reserved stage": login_pdu(0x8B, pairs("InitiatorName=iqn.h")),
    }
    for what, data in before.items():
        sock = connected(where)
        say(sock, data)
        closes(sock, what)
    for what, flags in (("text flood", 0x44), ("negotiation without end", 0x04)):
        sock = connected(where)
        data = pairs("InitiatorName=iqn.hostile", "TargetName=" + iqn)
        for i in range(10000):
            if not say(sock, login_pdu(flags, data)):
                break
            data = pairs(*(f"X-{i}-{k}={'x' * 200}" for k in range(16)))
        else:
            sys.exit(f"{what}: taken without end")
        closes(sock, what)
    sock = connected(where)
    for byte in login_pdu(0x87, pairs("InitiatorName=iqn.slow", "SessionType=Discovery")):
        say(sock, bytes([byte]))
    take(sock, 48)
    half_closed(sock, b"", "half-closed after login")


def iscsi_session(where, iqn):
    sock = login(where, iqn)
    say(sock, command(bytes(16), 1, 0x81, 0, ahs=255)[:48] + bytes(range(255)) * 4)
    if take(sock, 48)[0] != 0x21:
        sys.exit("additional header segments: no answer to the command")
    closes_after = {
        "data beyond the longest segment": pdu(0x05, length=0xFFFFFF),
        "login in a session": login_pdu(0x87, b""),
        "a gap in CmdSN": read10(99, 1) * 1000,
    }
    for what, data in closes_after.items():
        sock = login(where, iqn)
        half_closed(sock, data, what)
    sock = login(where, iqn, "HeaderDigest=CRC32C")
    say(sock, read10(1, 1) + b"none")
    closes(sock, "header digest")
    sock = login(where, iqn, "DataDigest=CRC32C", "ImmediateData=Yes")
    say(sock, write10(1, 1, bytes(512)) + b"none")
    closes(sock, "data digest")
    sock = login(where, iqn)
    say(sock, pdu(0x04, 0x00, itt=9, rest=struct.pack(">III", 0xFFFFFFFF, 1, 0)))
    stuff(sock, pdu(0x04, 0x40, itt=9, data=b"Y" * 8192,
                    rest=struct.pack(">III", 0xFFFFFFFF, 1, 0)), 16 << 20)
    sock.close()


def iscsi_unread(where, iqn):
    """Reads whose data nobody takes, pings likewise, writes whose data never comes."""
    socks = []
    for isid in range(8):
        sock = login(where, iqn, "MaxRecvDataSegmentLength=1048576", isid=100 + isid)
        sock.settimeout(1)
        for sn in range(1, 200):
            if not say(sock, read10(sn, 4096)):
                break
        socks.append(sock)
    for isid in range(8):
        sock = login(where, iqn, isid=200 + isid)
        for sn in range(1, 33):
            say(sock, write10(sn, 65535))
        socks.append(sock)
    sock = login(where, iqn, isid=300)
    ping = pdu(0x40, data=bytes(8192), itt=7, rest=struct.pack(">III", 0xFFFFFFFF, 1, 0))
    if stuff(sock, ping, 256 << 20) >= 256 << 20:
        sys.exit("pings: taken without end, though the answers are not")
    for sock in socks:
        sock.close()


def iscsi_hoard(where, iqn):
    """Many who each send the first part of many writes, or leave one long answer unread."""
    socks = []
    part = bytes(64 << 10)
    for isid in range(64):
        sock = login(where, iqn, "ImmediateData=Yes", isid=400 + isid)
        sock.settimeout(0.2)
        for sn in range(1, 64):
            if not say(sock, write10(sn, 1024, part)):
                break
        socks.append(sock)
    for isid in range(64):
        sock = login(where, iqn, "MaxRecvDataSegmentLength=1048576", isid=500 + isid)
        say(sock, read10(1, 16384))
        socks.append(sock)
    time.sleep(1)
    for sock in socks:
        sock.close()


# ---- NBD ----

OPTION = b"IHAVEOPT"


def option(number, data=b"", length=None):
    return OPTION + struct.pack(">II", number, len(data) if length is None else length) + data


def nbd_greeted(where):
    sock = connected(where)
    take(sock, 18)
    say(sock, struct.pack(">I", 3))
    return sock


def nbd_open(where, name):
    sock = nbd_greeted(where)
    say(sock, option(1, name.encode()))
    take(sock, 10)
    return sock


def nbd_request(number, kind, offset, length, magic=0x25609513):
    return struct.pack(">IHHQQI", magic, 0, kind, number, offset, length)


def nbd_handshake(where, _name):
    for what, data in {
            "client flags nobody knows": b"\xff" * 4,
            "an option without its magic": struct.pack(">I", 3) + b"x" * 64,
            "a name of 4 GiB": struct.pack(">I", 3) + option(1, length=0xFFFFFFFF),
            "no name that is known": struct.pack(">I", 3) + option(1, b"nobody"),
    }.items():
        sock = connected(where)
        half_closed(sock, data, what)
    sock = nbd_greeted(where)
    say(sock, option(3, length=0xFFFFFFFF))
    stuff(sock, bytes(1 << 16))
    sock.close()
    sock = nbd_greeted(where)
    if stuff(sock, option(3) * 1000) >= 64 << 20:
        sys.exit("options: taken without end, though the answers are not")
    sock.close()
    sock = connected(where)
    for byte in struct.pack(">I", 3) + option(2):
        say(sock, bytes([byte]))
    closes(sock, "abort, byte by byte")


def nbd_session(where, name):
    for what, data in {
            "a request without its magic": nbd_request(1, 0, 0, 4096, magic=1),
            "a write of 4 GiB": nbd_request(1, 1, 0, 0xFFFFFFFF),
            "half a write": nbd_request(1, 1, 0, 1 << 20) + bytes(1000),
            "half a request": nbd_request(1, 0, 0, 4096)[:9],
    }.items():
        half_closed(nbd_open(where, name), data, what)
    sock = nbd_open(where, name)
    say(sock, b"".join(nbd_request(i, 0, 0, 4096) for i in range(16)) + nbd_request(99, 2, 0, 0))
    take(sock, 16 * (16 + 4096))
    closes(sock, "a disconnect with replies in flight")


def nbd_unread(where, name):
    socks = []
    for _ in range(8):
        sock = nbd_open(where, name)
        stuff(sock, b"".join(nbd_request(i, 0, 0, 8 << 20) for i in range(1000)), 1 << 18)
        socks.append(sock)
    for _ in range(8):
        sock = nbd_open(where, name)
        say(sock, nbd_request(1, 1, 0, 32 << 20))
        stuff(sock, bytes(1 << 16), (32 << 20) - (1 << 16))
        socks.append(sock)
    for sock in socks:
        sock.close()


# ---- all of it ----

def iscsi(where, iqn):
    iscsi_login(where, iqn)
    iscsi_session(where, iqn)
    rush(where)
    iscsi_unread(where, iqn)
    iscsi_hoard(where, iqn)


def nbd(where, name):
    nbd_handshake(where, name)
    nbd_session(where, name)
    rush(where)
    nbd_unread(where, name)


def replica(where, _name):
    for what, data in {
            "garbage": b"\x5a" * 4096,
            "HTTP": b"GET / HTTP/1.1\r\nHost: r\r\n\r\n" * 10,
            "lengths as long as can be said": b"\xff" * 256,
            "zeros": bytes(4096),
            "half a frame": b"\0" * 7,
    }.items():
        half_closed(connected(where), data, what)
    rush(where)


def control(where, _name):
    for data in (b"\x5a" * 4096, b"GET /v1/volumes HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                 b"POST /v1/volumes HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n{",
                 b"GET /" + b"a" * 100000, b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10000):
        half_closed(connected(where), data, repr(data[:60]))
    rush(where)


def main():
    kind, where, name = sys.argv[1], sys.argv[2], (sys.argv + [""])[3]
    if kind == "crowd":
        socks = crowd(where)
        print(len(socks), flush=True)
        time.sleep(3600)
    begin = time.monotonic()
    {"iscsi": iscsi, "nbd": nbd, "replica": replica, "control": control}[kind](where, name)
    print(f"{kind}: {time.monotonic() - begin:.1f} s")


main()
