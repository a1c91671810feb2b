#!/usr/bin/env python3
"""A small fabric manager: keeps the memory of a device's hosts in balance by moving tagged capacity between them.

    fabric_manager.py SOCKET [--share HOST=WEIGHT ...] [--watch]

SOCKET is a link of role fm with the serial binding: a path, or ADDRESS:PORT. Capacity is what tagged backends bring
(fmapictl backend create); hosts need an agent that accepts and releases (host_agent.c, or fmapictl host N run). Without
--watch it ends when nothing is left to move. Needs Python 3.9 and nothing else; copy it as a start for your own.
"""

import argparse
import itertools
import math
import socket
import struct
import sys
import time
import uuid

GET_EVENTS, CLEAR_EVENTS = 0x0100, 0x0101
DCD_INFO, REGIONS, EXTENTS, ADD, RELEASE = 0x5600, 0x5601, 0x5603, 0x5604, 0x5605
LIST_BACKENDS = 0xC002
ADD_RESPONSE, CAPACITY_RELEASED = 4, 5  # event types in the fabric manager's log (CXL r3.1 table 8-50)
CONTIGUOUS, BY_TAG, BACKEND_IS_FREE = 1, 0, 0
PATIENCE = 10.0  # seconds in which a host should have answered
MIB = 1 << 20


class Refused(Exception):
    """The device's answer had a return code other than Success."""


# --- MCTP over the serial binding (DSP0236, DSP0253) ---------------------------------------------------------------


def check_sequence(data):
    """CRC-16/MCRF4XX."""
    check = 0xFFFF
    for byte in data:
        check ^= byte
        for _ in range(8):
            check = check >> 1 ^ 0x8408 if check & 1 else check >> 1
    return check


class Device:
    """The device at the other end of a link. `command` sends one request and waits for its answer."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        if port.isdigit():
            self.socket = socket.create_connection((host, int(port)))
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(address)
        self.stream = self.socket.makefile("rb")
        self.tags = itertools.cycle(range(256))

    def command(self, opcode, payload=b""):
        """The payload of the answer; Refused if the device says no."""
        kind = 0x07 if 0x51 <= opcode >> 8 <= 0x59 else 0x08  # FM API; all else is CCI
        tag = next(self.tags)
        body = bytes([kind]) + struct.pack("<BBxHHBHH", 0, tag, opcode, len(payload), 0, 0, 0) + payload
        for start in range(0, len(body), 64):
            first, last = start == 0, start + 64 >= len(body)
            flags = first << 7 | last << 6 | (start // 64 % 4) << 4 | 1 << 3 | tag % 8
            packet = bytes([0x01, 0, 8, flags]) + body[start : start + 64]
            escaped = packet.replace(b"\x7d", b"\x7d\x5d").replace(b"\x7e", b"\x7d\x5e")
            check = check_sequence(bytes([1, len(packet)]) + packet)
            self.socket.sendall(b"\x7e" + bytes([1, len(packet)]) + escaped + check.to_bytes(2, "big") + b"\x7e")
        answer = b""
        while True:
            packet = self.packet()
            answer = packet[4:] if packet[3] & 0x80 else answer + packet[4:]
            if packet[3] & 0x40 and answer[2] == tag:
                break
        code, reason = struct.unpack_from("<HH", answer, 9)
        if code:
            raise Refused(f"{opcode:04X}h: return code {code:04X}h, reason {reason}")
        return answer[13:]

    def packet(self):
        """The next packet; the link is a stream socket, so nothing is lost or damaged on the way."""
        while self.byte() != 0x7E:
            pass
        while (revision := self.byte()) == 0x7E:
            pass
        packet, length = b"", self.byte()
        while len(packet) < length:
            byte = self.byte()
            packet += bytes([self.byte() ^ 0x20 if byte == 0x7D else byte])
        check = self.stream.read(2)
        if check != check_sequence(bytes([revision, length]) + packet).to_bytes(2, "big"):
            raise ConnectionError("a damaged frame")
        return packet

    def byte(self):
        data = self.stream.read(1)
        if not data:
            raise ConnectionError("the device closed the link")
        return data[0]


# --- What the device tells -----------------------------------------------------------------------------------------


def extents(device, host):
    """(start, length, tag) of what a host has accepted."""
    found, total = [], 1
    while len(found) < total:
        answer = device.command(EXTENTS, struct.pack("<HxxII", host, 25, len(found)))
        returned, total = struct.unpack_from("<II", answer, 8)
        found += [struct.unpack_from("<QQ16s", answer, 24 + 40 * index) for index in range(returned)]
    return found


def free_backends(device):
    """(tag, size) of memory that is there and that nobody has."""
    found, first, total = [], 0, 1
    while first < total:
        answer = device.command(LIST_BACKENDS, struct.pack("<II", first, 20))
        _, total, returned = struct.unpack_from("<III", answer)
        entries = [struct.unpack_from("<16sQIBBB", answer, 16 + 40 * index) for index in range(returned)]
        found += [(tag, size) for tag, size, _, _, _, state in entries if state == BACKEND_IS_FREE]
        first += returned or total
    return found


def wait_for(device, event, host, tag):
    """Reads and clears the fabric manager's log until a host's event has this tag: the length, or None when patience ends.

    An offer of which the host wants nothing is answered with a length of 0, and without a tag.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        answer = device.command(GET_EVENTS, b"\x04")
        (count,) = struct.unpack_from("<H", answer, 20)
        records = [answer[32 + 128 * index : 160 + 128 * index] for index in range(count)]
        if records:
            handles = b"".join(record[20:22] for record in records)
            device.command(CLEAR_EVENTS, struct.pack("<BBB3x", 4, 0, count) + handles)
        for record in records:
            (of_host,), (length, of_tag) = struct.unpack_from("<H", record, 50), struct.unpack_from("<Q16s", record, 64)
            if (record[48], of_host) == (event, host) and (of_tag == tag or length == 0):
                return length
        time.sleep(0 if records else 0.02)
    return None


# --- What it does about it -----------------------------------------------------------------------------------------


def give(device, host, tag, size):
    """Offers capacity to a host; whether it took it."""
    print(f"  offer {uuid.UUID(bytes=tag)}, {size // MIB} MiB, to host {host}")
    device.command(ADD, struct.pack("<HBBQ16s", host, CONTIGUOUS, 0, size, tag))
    taken = wait_for(device, ADD_RESPONSE, host, tag)
    print("    accepted" if taken else "    not accepted" if taken == 0 else "    no answer")
    return bool(taken)


def take(device, host, tag, size):
    """Asks a host for capacity; whether it gave it back."""
    print(f"  ask host {host} for {uuid.UUID(bytes=tag)}, {size // MIB} MiB")
    device.command(RELEASE, struct.pack("<HBxQ16s", host, BY_TAG, size, tag))
    given = wait_for(device, CAPACITY_RELEASED, host, tag) is not None
    print("    released" if given else "    no answer")
    return given


def next_step(held, free, weights, stuck):
    """The policy: (from host or None, to host, tag, size), or None when all is in balance.

    The host with the least for its weight gets what is free; else the one with the most gives it the largest piece that
    leaves the poorer of the two better off. A host of weight 0 gives everything. Tags in `stuck` stay where they are.
    """

    def load(host, change=0):
        return (sum(size for _, size in held[host]) + change) / weights[host] if weights[host] else math.inf

    poor = min(weights, key=load)
    for tag, size in free:
        if tag not in stuck:
            return None, poor, tag, size
    rich = max((host for host in held if held[host]), key=load, default=poor)
    for tag, size in sorted(held[rich], key=lambda piece: -piece[1]):
        if tag not in stuck and min(load(rich, -size), load(poor, size)) > load(poor):
            return rich, poor, tag, size
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("socket")
    parser.add_argument("--share", action="append", default=[], metavar="HOST=WEIGHT", help="1 is the default; 0 is to have nothing")
    parser.add_argument("--watch", action="store_true", help="go on when all is in balance")
    options = parser.parse_args()
    device = Device(options.socket)

    hosts, regions = device.command(DCD_INFO)[:2]
    print(f"device with {hosts} hosts and {regions} DC regions")
    for host in range(hosts):
        answer = device.command(REGIONS, struct.pack("<HBB", host, 8, 0))
        base, _, length, block = struct.unpack_from("<QQQQ", answer, 4)
        print(f"  host {host}: region 0 at {base:#x}, {length // MIB} MiB in blocks of {block} bytes")
    weights = {host: 1.0 for host in range(hosts)}
    weights.update((int(host), float(weight)) for host, weight in (share.split("=") for share in options.share))

    stuck = set()  # tags that a host did not take or give: it is not asked again
    while True:
        held = {host: [(tag, size) for _, size, tag in extents(device, host)] for host in range(hosts)}
        step = next_step(held, free_backends(device), weights, stuck)
        if step is None:
            if not options.watch:
                break
            time.sleep(1)
            continue
        rich, poor, tag, size = step
        try:
            moved = (rich is None or take(device, rich, tag, size)) and give(device, poor, tag, size)
        except Refused as refusal:
            print(f"    refused: {refusal}")
            moved = False
        if not moved:
            stuck.add(tag)
    for host, pieces in held.items():
        print(f"host {host} has {sum(size for _, size in pieces) // MIB} MiB in {len(pieces)} pieces")


if __name__ == "__main__":
    try:
        main()
    except (OSError, Refused) as error:
        sys.exit(f"fabric_manager.py: {error}")
    except KeyboardInterrupt:
        pass
