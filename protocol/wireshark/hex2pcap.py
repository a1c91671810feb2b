#!/usr/bin/env python3
"""Makes a capture that Wireshark opens from bytes in hexadecimal: of a log, a test, or protocol/vectors.

    hex2pcap.py OUTPUT.pcap < BYTES

Each line of BYTES is an MCTP packet (01 09 08 c8 ...) or a run of serial frames (7e 01 ...); one capture has only one of the two.
A line may start with > (to the service, which is also meant without) or < (from it). Blank lines and lines with # are skipped.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterable
from typing import BinaryIO

LINKTYPE_USER0, LINKTYPE_LINUX_SLL2 = 147, 276  # https://www.tcpdump.org/linktypes.html
ETH_P_MCTP, ARPHRD_MCTP = 0x00FA, 290  # linux/if_ether.h, linux/if_arp.h
TO_US, BY_US = 0, 4
"""SLL2 packet types: to the machine that captured, which is the service, and by it."""


def sll2(packet: bytes, link: int = 1, kind: int = TO_US) -> bytes:
    """A packet of MCTP behind the header of a Linux cooked capture, version 2. `link` numbers the connection."""
    return struct.pack(">HHIHBB8s", ETH_P_MCTP, 0, link, ARPHRD_MCTP, kind, 0, b"") + packet


def write_pcap(file: BinaryIO, link_type: int, packets: Iterable[tuple[float, bytes]]) -> None:
    """Packets with their times in seconds since 1970, as a pcap file with nanoseconds."""
    file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 1 << 18, link_type))
    for time, packet in packets:
        seconds = int(time)
        file.write(struct.pack("<IIII", seconds, int((time - seconds) * 1e9), len(packet), len(packet)) + packet)


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    lines = [line.split("#")[0].strip() for line in sys.stdin]
    runs = [(BY_US if line[0] == "<" else TO_US, bytes.fromhex(line.lstrip("<> "))) for line in lines if line]
    serial = {run[:1] == b"\x7e" for _, run in runs}
    if len(serial) != 1:
        print("hex2pcap.py: give packets (01 ...) or serial frames (7e ...), not both and not nothing", file=sys.stderr)
        return 1
    link_type = LINKTYPE_USER0 if serial.pop() else LINKTYPE_LINUX_SLL2
    with open(sys.argv[1], "wb") as file:
        packets = [run if link_type == LINKTYPE_USER0 else sll2(run, kind=kind) for kind, run in runs]
        write_pcap(file, link_type, ((float(index), packet) for index, packet in enumerate(packets)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
