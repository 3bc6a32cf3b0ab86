#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Overlapping reads, writes and flushes from several NBD clients, and a judge of all answers.

torture.py [options] URI [URI]

Every write has a number of its own in each of its blocks, so a block is a register with unique
values. It is linearizable exactly when, with the zone of a value reaching from the earliest end to
the latest start of all operations on it (Gibbons and Korach, 1997), no two forward zones overlap
and no forward zone holds a backward one. A write without an answer may have happened or not; but
once another target has answered, it has happened or never will.

A lost connection begins a new reign: all clients connect again. Signals:
  SIGUSR1  the power of everything is about to fail: what was not flushed may be gone afterwards
  SIGUSR2  another target, at the next URI, takes over; clients of the old one stay and go on
  SIGTERM  enough: read everything once more and judge

Exit status: 0 all is well; 10 a flushed write is lost; 11 an acknowledged write is lost; 12 a read
went back in time; 13 an operation is seen in part; 14 foreign content; 15 an error was answered;
16 an operation took too long; 17 an old target acknowledged a write.
"""
import argparse
import errno
import random
import select
import signal
import struct
import sys
import time

import nbd

BLOCK = 4096
SPAN = 16
LOST_FLUSHED, LOST, BACK, TORN, FOREIGN, ERROR, STALL, OLD_ACK = range(10, 18)
WORDS = {LOST_FLUSHED: "a flushed write is lost", LOST: "an acknowledged write is lost",
         BACK: "a read went back in time", TORN: "an operation is seen in part",
         FOREIGN: "foreign content", ERROR: "an error was answered",
         STALL: "an operation took too long", OLD_ACK: "an old target acknowledged a write"}
NEVER = float("inf")


class Violation(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def content(number, block):
    return struct.pack(">QQ", number, block) * (BLOCK // 16) if number else bytes(BLOCK)


class Write:
    """One write; times count events. `end`: answered, or settled by the next target's answer."""

    def __init__(self, number, start, end, reign):
        self.number, self.start, self.end, self.reign = number, start, end, reign
        self.acked = self.durable = False


class Zone:
    """What happened to one value in one block."""

    def __init__(self, write):
        self.write = write
        self.first_read_end, self.last_read_start, self.last_read_end = NEVER, -1, -1

    def happened(self):
        return self.write.acked or self.last_read_end >= 0

    def begin(self):
        return min(self.write.end if self.write.acked else NEVER, self.first_read_end)

    def until(self):
        return max(self.write.start, self.last_read_start)


class History:
    def __init__(self, blocks):
        self.clock = self.flushed = 0
        self.reign = 0
        self.next = 1
        self.blocks = blocks
        self.open = {}
        self.zones = []
        for _ in range(blocks):
            self.zones.append({0: Zone(self.settled(0))})

    def settled(self, number):
        write = Write(number, self.clock, self.clock, self.reign)
        write.acked = write.durable = True
        return write

    def tick(self):
        self.clock += 1
        return self.clock

    def write_begin(self, first, count, reign):
        write = Write(self.next, self.tick(), NEVER, reign)
        self.next += 1
        self.open[write.number] = write
        for block in range(first, first + count):
            self.zones[block][write.number] = Zone(write)
        return write

    def write_end(self, write, fua):
        if write.end < write.start:
            raise Violation(OLD_ACK, f"write {write.number} of reign {write.reign}")
        write.end = min(write.end, self.tick())
        write.acked = True
        write.durable = fua
        self.open.pop(write.number, None)

    def flush_end(self, start):
        self.tick()
        self.flushed = max(self.flushed, start)

    def settle_old(self):
        """A target of this reign answered: nothing of an older one happens any more."""
        now = self.tick()
        for write in list(self.open.values()):
            if write.reign < self.reign:
                write.end = min(write.end, now)
                del self.open[write.number]

    def is_durable(self, write):
        return write.acked and (write.durable or write.end < self.flushed)

    def read_end(self, start, first, data, reign):
        now = self.tick()
        seen = {}
        for i in range(len(data) // BLOCK):
            block = first + i
            raw = data[i * BLOCK:(i + 1) * BLOCK]
            number = self.number_of(raw, block)
            zone = self.zones[block][number]
            zone.first_read_end = min(zone.first_read_end, now)
            zone.last_read_start = max(zone.last_read_start, start)
            zone.last_read_end = max(zone.last_read_end, now)
            seen[block] = zone
        for zone in set(seen.values()):
            self.check_whole(zone.write, seen, reign)

    def number_of(self, raw, block):
        number = struct.unpack(">Q", raw[:8])[0]
        if number >= self.next or raw != content(number, block):
            raise Violation(FOREIGN, f"block {block} holds {raw[:16].hex()}")
        if number not in self.zones[block]:
            raise Violation(BACK, f"block {block} holds write {number} again, long overwritten")
        return number

    def check_whole(self, write, seen, reign):
        if write.reign != reign:
            return
        for block, zone in seen.items():
            if write.number in self.zones[block] and zone.write.acked and \
                    zone.write.end < write.start:
                raise Violation(TORN, f"block {block} still holds {zone.write.number}, though "
                                f"write {write.number} is seen beside it")

    def check(self, block):
        zones = [zone for zone in self.zones[block].values() if zone.happened()]
        forward = sorted((z for z in zones if z.begin() < z.until()), key=Zone.begin)
        for one, two in zip(forward, forward[1:]):
            if two.begin() < one.until():
                self.blame(block, one, two)
        for inner in zones:
            if inner.begin() < inner.until():
                continue
            for outer in forward:
                if outer.begin() < inner.until() and inner.begin() < outer.until():
                    self.blame(block, outer, inner)

    def blame(self, block, one, two):
        old, new = (one, two) if one.write.start < two.write.start else (two, one)
        text = (f"block {block}: write {old.write.number} was read at {old.last_read_start} though "
                f"write {new.write.number} had begun at {new.write.start} and was settled at "
                f"{new.begin()}; reigns {old.write.reign}, {new.write.reign}, now {self.reign}")
        gone = new.last_read_end < old.last_read_start
        raise Violation(LOST if gone else BACK, text)

    def check_all(self, forget):
        """Judges every block; `forget`: nothing is under way and all is flushed."""
        for block in range(self.blocks):
            self.check(block)
            if not forget:
                continue
            zones = self.zones[block]
            newest = max(z.write.start for z in zones.values() if z.happened())
            for number, zone in list(zones.items()):
                if max(zone.write.end, zone.last_read_end) < newest:
                    del zones[number]

    def power_failed(self, block, raw):
        """The first look at a block after everything lost its memory; true: it lost something."""
        number = self.number_of(raw, block)
        holds = self.zones[block][number].write
        undone = any(z.happened() and holds.end < z.write.start for z in self.zones[block].values())
        for zone in self.zones[block].values():
            write = zone.write
            if self.is_durable(write) and holds.end < write.start:
                raise Violation(LOST_FLUSHED, f"block {block} holds {number}, not {write.number}, "
                                f"which was flushed")
        self.zones[block] = {number: Zone(self.settled(number))}
        return undone


class Client:
    """A connection, and what is under way on it."""

    def __init__(self, torture, uri, reign):
        self.torture, self.reign = torture, reign
        self.handle = nbd.NBD()
        self.began = {}
        self.answered = False
        self.lost = False
        try:
            self.handle.aio_connect_uri(uri)
        except nbd.Error:
            self.lost = True

    def ready(self):
        return not self.lost and self.handle.aio_is_ready()

    def events(self):
        direction = self.handle.aio_get_direction()
        return ((select.POLLIN if direction & nbd.AIO_DIRECTION_READ else 0) |
                (select.POLLOUT if direction & nbd.AIO_DIRECTION_WRITE else 0))

    def notify(self, events):
        try:
            direction = self.handle.aio_get_direction()
            if events & (select.POLLIN | select.POLLHUP) and direction & nbd.AIO_DIRECTION_READ:
                self.handle.aio_notify_read()
            elif events & select.POLLOUT and direction & nbd.AIO_DIRECTION_WRITE:
                self.handle.aio_notify_write()
            elif events & (select.POLLERR | select.POLLHUP | select.POLLNVAL):
                self.lost = True
        except nbd.Error:
            self.lost = True
        if self.handle.aio_is_dead() or self.handle.aio_is_closed():
            self.lost = True

    def done(self, token, error, then):
        kind, began = self.began.pop(token)
        if error.value:
            if error.value != errno.ENOTCONN:
                self.torture.refused(self, kind, error.value)
            return 1
        self.torture.answered(self, kind, time.monotonic() - began)
        try:
            then()
        except Violation as violation:
            self.torture.violation = self.torture.violation or violation
        return 1

    def begin(self, kind):
        token = object()
        self.began[token] = (kind, time.monotonic())
        return token

    def write(self, first, count, fua):
        history = self.torture.history
        write = history.write_begin(first, count, self.reign)
        data = b"".join(content(write.number, first + i) for i in range(count))
        token = self.begin("write")
        self.handle.aio_pwrite(
            nbd.Buffer.from_bytearray(bytearray(data)), first * BLOCK,
            lambda error: self.done(token, error, lambda: history.write_end(write, fua)),
            flags=nbd.CMD_FLAG_FUA if fua else 0)

    def read(self, first, count, then=None):
        history = self.torture.history
        start = history.tick()
        buffer = nbd.Buffer(count * BLOCK)
        token = self.begin("read")

        def ended():
            data = bytes(buffer.to_bytearray())
            if then:
                then(first, data)
            else:
                history.read_end(start, first, data, self.reign)

        self.handle.aio_pread(buffer, first * BLOCK, lambda error: self.done(token, error, ended))

    def flush(self):
        start = self.torture.history.tick()
        token = self.begin("flush")
        self.handle.aio_flush(
            lambda error: self.done(token, error, lambda: self.torture.history.flush_end(start)))


class Torture:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.clients = []
        self.history = None
        self.uri = 0
        self.violation = None
        self.counts = {"read": 0, "write": 0, "flush": 0}
        self.longest = {"read": 0.0, "write": 0.0, "flush": 0.0}
        self.errors = 0
        self.lost_at = None
        self.longest_gap = 0.0
        self.power_failing = self.moving = self.enough = False
        signal.signal(signal.SIGUSR1, lambda *_: setattr(self, "power_failing", True))
        signal.signal(signal.SIGUSR2, lambda *_: setattr(self, "moving", True))
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "enough", True))

    # ---- what clients tell ----

    def say(self, text):
        print(f"{time.time():.3f} {text}", flush=True)

    def answered(self, client, kind, seconds):
        self.counts[kind] += 1
        if client.reign != self.history.reign:
            return
        self.longest[kind] = max(self.longest[kind], seconds)
        if not client.answered:
            client.answered = True
            self.history.settle_old()
        if self.lost_at is not None:
            gap = time.monotonic() - self.lost_at
            self.longest_gap = max(self.longest_gap, gap)
            self.lost_at = None
            self.say(f"reign {client.reign}: first answer after {gap * 1000:.0f} ms")
        if sum(self.counts.values()) == 200:
            self.say("running")

    def refused(self, client, kind, number):
        self.errors += 1
        if self.errors <= 5:
            self.say(f"reign {client.reign}: {kind}: {errno.errorcode.get(number, number)}")
        if client.reign == self.history.reign and not self.options.errors:
            self.violation = self.violation or Violation(ERROR, f"{kind}: error {number}")

    # ---- connections ----

    def new_reign(self, why):
        self.say(f"reign {self.history.reign} ends: {why}")
        self.history.reign += 1
        self.lost_at = time.monotonic()

    def tend(self):
        """Connects, and drops what is lost."""
        if self.moving:
            self.moving = False
            self.uri += 1
            self.new_reign("another target takes over")
        for client in self.clients:
            client.lost = client.lost or client.handle.aio_is_dead() or client.handle.aio_is_closed()
        for client in [c for c in self.clients if c.lost]:
            if client.reign == self.history.reign and client.answered:
                self.new_reign("the connection was lost")
                for other in self.clients:
                    other.lost = other.lost or other.reign < self.history.reign
            self.clients.remove(client)
        uris = self.options.uri
        missing = self.options.clients - sum(c.reign == self.history.reign for c in self.clients)
        for _ in range(missing):
            self.clients.append(
                Client(self, uris[self.uri % len(uris)], self.history.reign))
        return any(c.lost for c in self.clients)

    def turn(self):
        """One round: connections, then what has happened on them."""
        pause = self.tend()
        poll = select.poll()
        by_fd = {}
        for client in self.clients:
            if not client.lost:
                by_fd[client.handle.aio_get_fd()] = client
                poll.register(client.handle.aio_get_fd(), client.events())
        if pause:
            time.sleep(0.02)
        for fd, events in poll.poll(50):
            by_fd[fd].notify(events)
        if self.violation:
            raise self.violation
        now = time.monotonic()
        for client in self.clients:
            if client.reign == self.history.reign and client.began and self.options.stall:
                kind, began = next(iter(client.began.values()))
                if now - began > self.options.stall:
                    raise Violation(STALL, f"{kind} for more than {self.options.stall} s")
        if self.lost_at is not None and self.options.stall and \
                now - self.lost_at > self.options.stall:
            raise Violation(STALL, f"no target answered for more than {self.options.stall} s")

    # ---- load ----

    def submit(self, client):
        blocks = self.history.blocks
        count = self.random.choice((1, 1, 1, 2, 3, 8, SPAN))
        area = max(SPAN, blocks // 20) if self.random.random() < 0.5 else blocks
        first = self.random.randrange(area - count + 1)
        dice = self.random.random()
        if dice < 0.5:
            client.write(first, count, self.random.random() < 0.1)
        elif dice < 0.97:
            client.read(first, count)
        else:
            client.flush()

    def quiet(self):
        """Until nothing is under way in the present reign."""
        while any(c.began for c in self.clients if c.reign == self.history.reign and not c.lost):
            self.turn()

    def current(self):
        """A client that is connected in the present reign."""
        while True:
            for client in self.clients:
                if client.reign == self.history.reign and client.ready():
                    return client
            self.turn()

    def read_all(self, then=None):
        """Reads every block in one reign, again if that ends meanwhile."""
        while True:
            reign = self.history.reign
            for first in range(0, self.history.blocks, SPAN):
                client = self.current()
                if client.reign != reign:
                    break
                client.read(first, SPAN, then)
                if len(client.began) >= self.options.depth:
                    self.turn()
            self.quiet()
            if self.history.reign == reign:
                return

    def judge(self):
        """At a quiet moment: everything so far, and what need not be remembered is forgotten."""
        self.quiet()
        reign = self.history.reign
        self.current().flush()
        self.quiet()
        idle = not self.history.open and not any(c.began for c in self.clients)
        self.history.check_all(forget=idle and reign == self.history.reign)

    def after_power_failure(self):
        found = {}
        self.say("reads everything after the loss of power")
        self.read_all(found.__setitem__)
        undone = 0
        for first, data in found.items():
            for i in range(SPAN):
                undone += self.history.power_failed(first + i, data[i * BLOCK:(i + 1) * BLOCK])
        self.say(f"{undone} blocks lost what was acknowledged but not flushed")
        self.power_failing = False

    def run(self):
        handle = nbd.NBD()
        handle.connect_uri(self.options.uri[0])
        self.history = History(min(handle.get_size(), self.options.mib << 20) // BLOCK)
        handle.shutdown()
        end = time.monotonic() + self.options.seconds
        judged, reign = time.monotonic(), 0
        while time.monotonic() < end and not self.enough:
            for client in self.clients:
                while client.ready() and len(client.began) < self.options.depth and \
                        not (self.power_failing and client.reign > reign):
                    self.submit(client)
            self.turn()
            if self.history.reign > reign and self.power_failing:
                self.current()
                self.after_power_failure()
            if not self.power_failing:
                reign = self.history.reign
            if time.monotonic() - judged > 5 and not self.power_failing:
                self.judge()
                judged = time.monotonic()
        self.say("reads everything once more")
        self.judge()
        self.read_all()
        self.judge()

    def summary(self):
        counts = ", ".join(f"{count} {kind}s" for kind, count in self.counts.items())
        longest = ", ".join(f"{kind} {1000 * t:.0f} ms" for kind, t in self.longest.items())
        return (f"{counts}; {self.errors} errors; {self.history.reign + 1} reigns; longest: "
                f"{longest}, between targets {1000 * self.longest_gap:.0f} ms")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("uri", nargs="+")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--depth", type=int, default=8)
    parser.add_argument("--mib", type=int, default=4, help="of the volume, from its beginning")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stall", type=float, default=0, help="seconds an operation may take")
    parser.add_argument("--errors", action="store_true", help="errors may be answered")
    torture = Torture(parser.parse_args())
    code = 0
    try:
        torture.run()
    except Violation as violation:
        code = violation.code
        torture.say(f"VIOLATION {code}: {WORDS[code]}: {violation}")
    torture.say(f"done: {torture.summary()}")
    return code


if __name__ == "__main__":
    sys.exit(main())
