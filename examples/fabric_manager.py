#!/usr/bin/env python3
"""A small fabric manager: balances the memory of a device's hosts by moving tagged capacity between them.

SOCKET is a link of role fm with the serial binding: a path, or ADDRESS:PORT. Capacity is what tagged backends
bring (fmapictl backend create); hosts need an agent that accepts and releases (host_agent.c, or fmapictl host
N run). Needs Python 3.9 and nothing else; copy it as a start for your own.
"""

import argparse, socket, struct, sys, time, uuid

GET_EVENTS, CLEAR_EVENTS, LIST_BACKENDS = 0x0100, 0x0101, 0xC002
DCD_INFO, REGIONS, EXTENTS, ADD, RELEASE = 0x5600, 0x5601, 0x5603, 0x5604, 0x5605
ADD_RESPONSE, CAPACITY_RELEASED = 4, 5  # event types in the fabric manager's log (CXL r3.1 table 8-50)
FM_LOG, CONTIGUOUS, BY_TAG, FORCED, BACKEND_IS_FREE = 4, 1, 0, 0x10, 0
PATIENCE = 10.0  # seconds in which a host should have answered
MIB = 1 << 20


class Refused(Exception):
    """The device's answer had a return code other than Success."""


def check_sequence(packet):
    """What ends a frame: CRC-16/MCRF4XX over the revision, the length and the packet."""
    check = 0xFFFF
    for byte in bytes([0x01, len(packet)]) + packet:
        check ^= byte
        for _ in range(8):
            check = check >> 1 ^ 0x8408 if check & 1 else check >> 1
    return check.to_bytes(2, "big")


class Device:
    """The device at the other end of a link: MCTP (DSP0236) over the serial binding (DSP0253)."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        if port.isdigit():
            self.socket = socket.create_connection((host, int(port)))
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(address)
        self.stream = self.socket.makefile("rb")
        self.tag = 0
        self.silent = set()  # hosts that did not answer: they are left alone

    def command(self, opcode, payload=b""):
        """Sends a request and waits for its answer: the payload, or Refused."""
        self.tag = (self.tag + 1) % 256
        kind = 0x07 if 0x51 <= opcode >> 8 <= 0x59 else 0x08  # FM API; all else is CCI
        packet = bytes([0x01, 0, 8, 0xC8 | self.tag % 8, kind])  # first and last of its message, a request
        packet += struct.pack("<BBxHHBHH", 0, self.tag, opcode, len(payload), 0, 0, 0) + payload
        escaped = packet.replace(b"\x7d", b"\x7d\x5d").replace(b"\x7e", b"\x7d\x5e")
        self.socket.sendall(b"\x7e\x01%c%b%b\x7e" % (len(packet), escaped, check_sequence(packet)))
        answer, packet = b"", bytes(4)
        while not (packet[3] & 0x40 and answer[2] == self.tag):  # an answer can have many packets
            packet = self.packet()
            answer = packet[4:] if packet[3] & 0x80 else answer + packet[4:]
        code, reason = struct.unpack_from("<HH", answer, 9)
        if code:
            raise Refused(f"{opcode:04X}h: return code {code:04X}h, reason {reason}")
        return answer[13:]

    def packet(self):
        while self.byte() == 0x7E:  # flags around frames; what ends the loop is the revision, 01h
            pass
        packet, length = b"", self.byte()
        while len(packet) < length:
            byte = self.byte()
            packet += bytes([self.byte() ^ 0x20 if byte == 0x7D else byte])
        if bytes([self.byte(), self.byte()]) != check_sequence(packet):
            raise ConnectionError("a damaged frame")
        return packet

    def byte(self):
        if data := self.stream.read(1):
            return data[0]
        raise ConnectionError("the device closed the link")

    def entries(self, opcode, request, total_at, layout):
        """All of a list, which comes in parts: `request` is the request for the part from a number on."""
        found, total = [], 1
        while len(found) < total:
            answer = self.command(opcode, request(len(found)))
            (total,) = struct.unpack_from("<I", answer, total_at)
            found += struct.iter_unpack(layout, answer[total_at + 12 :])
        return found

    def extents(self, host):
        """(size, tag) of what a host has accepted."""
        return self.entries(EXTENTS, lambda first: struct.pack("<HxxII", host, 25, first), 12, "<8xQ16s8x")

    def free_backends(self):
        """(size, tag) of memory that is there and that nobody has."""
        found = self.entries(LIST_BACKENDS, lambda first: struct.pack("<II", first, 20), 4, "<16sQ6xB9x")
        return [(size, tag) for tag, size, state in found if state == BACKEND_IS_FREE]

    def move(self, giver, taker, size, tag):
        """Takes memory from a host, or nobody (None), and gives it to another: whether to go on with it."""
        piece = f"{uuid.UUID(bytes=tag)}, {size // MIB} MiB"
        try:
            if giver is not None:
                print(f"  ask host {giver} for {piece}")
                self.command(RELEASE, struct.pack("<HBxQ16s", giver, BY_TAG, size, tag))
                if not self.wait_for(CAPACITY_RELEASED, giver, tag, "released"):
                    return False
            print(f"  offer {piece}, to host {taker}")
            self.command(ADD, struct.pack("<HBBQ16s", taker, CONTIGUOUS, 0, size, tag))
            if self.wait_for(ADD_RESPONSE, taker, tag, "accepted"):
                return True
            if taker in self.silent:  # the offer must not stay open; another host can have the memory
                self.command(RELEASE, struct.pack("<HBxQ16s", taker, BY_TAG | FORCED, size, tag))
            return taker in self.silent
        except Refused as refusal:
            print(f"    refused: {refusal}")
            return False

    def wait_for(self, event, host, tag, word):
        """Reads and clears the fabric manager's log until it has a host's answer: whether it did as asked."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            answer = self.command(GET_EVENTS, bytes([FM_LOG]))
            for handle, found, of, length, about in struct.iter_unpack("<20x2s26xBxH12xQ16s40x", answer[32:]):
                self.command(CLEAR_EVENTS, struct.pack("<BBB3x2s", FM_LOG, 0, 1, handle))
                # An offer of which the host wants nothing is answered with a length of 0, and without a tag.
                if (found, of) == (event, host) and (about == tag or length == 0):
                    print(f"    {word}" if length else f"    not {word}")
                    return length > 0
            time.sleep(0.02)
        print(f"    no answer: host {host} is left alone")
        self.silent.add(host)
        return False


def next_step(held, free, weights, stuck):
    """The policy: what to move next (from, to, size, tag), or None when all is in balance.

    First what is free, then the pieces of the host with the most for its weight, largest first: each goes to
    the host that will then have the least for its weight, unless that is no better than before.
    """

    def load(host, change=0):
        return (sum(size for size, _ in held[host]) + change) / weights[host]

    rich = max(weights, key=load)
    for giver, pieces in (None, free), (rich, sorted(held[rich], reverse=True)):
        for size, tag in pieces:
            poor = min(weights, key=lambda host: load(host, size))
            if tag not in stuck and (giver is None or load(poor, size) < load(rich)):
                return giver, poor, size, tag
    return None


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("socket")
    parser.add_argument("--share", action="append", default=[], metavar="HOST=WEIGHT",
                        type=lambda text: (lambda host, weight: (int(host), float(weight)))(*text.split("=")),
                        help="how much is for a host, against others: 1 is the default, 0 is to have nothing")
    parser.add_argument("--watch", action="store_true", help="go on when all is in balance")
    return parser.parse_args()


def main(options):
    device = Device(options.socket)
    hosts, regions = device.command(DCD_INFO)[:2]
    print(f"hosts: {hosts}, DC regions: {regions}")
    for host in range(hosts):
        base, _, length, block = struct.unpack_from("<4Q", device.command(REGIONS, bytes([host, 0, 8, 0])), 4)
        print(f"  host {host}: region 0 at {base:#x}, {length // MIB} MiB in blocks of {block / MIB:g} MiB")
    weights = dict.fromkeys(range(hosts), 1.0)
    weights.update((host, weight or 1e-9) for host, weight in options.share)  # weight 0 gives everything
    stuck = set()  # tags that a host did not take or give: they stay where they are
    while True:
        held = {host: device.extents(host) for host in range(hosts)}
        able = {host: weight for host, weight in weights.items() if host not in device.silent}
        step = next_step(held, device.free_backends(), able, stuck) if able else None
        if step and not device.move(*step):
            stuck.add(step[-1])
        elif not step and not options.watch:
            break
        elif not step:
            time.sleep(1)
    for host, pieces in held.items():
        print(f"host {host} has {sum(size for size, _ in pieces) // MIB} MiB in {len(pieces)} pieces")


if __name__ == "__main__":
    options = arguments()
    try:
        main(options)
    except (OSError, Refused) as error:
        sys.exit(f"fabric_manager.py: {options.socket}: {error}")
    except KeyboardInterrupt:
        pass
