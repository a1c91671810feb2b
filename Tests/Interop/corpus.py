"""One well-formed request of each command, and the roles that may send it: what tests of hostile peers bend and break."""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass

from hostile import *

EFFECTS_LOG = uuid.UUID("0da9c0b5-bf41-4b78-8f79-96b1623b3f17").bytes


@dataclass(frozen=True)
class Command:
    opcode: int
    roles: str
    """Letters of the served roles: F fabric manager, H host, C control."""
    payload: bytes = b""
    shorter: int | None = None
    """Another size that is well-formed too."""


COMMANDS = [
    Command(0x0001, "FHC"),
    Command(0x0002, "FHC"),
    Command(0x0003, "FHC"),
    Command(0x0004, "FHC", b"\x0a"),
    Command(0x0005, "FHC"),
    Command(0x0100, "FH", b"\4"),
    Command(0x0101, "FH", struct.pack("<BBB3xH", 4, 0, 1, 1)),
    Command(0x0102, "H"),
    Command(0x0103, "H", bytes(4) + b"\1", shorter=4),
    Command(0x0104, "F"),
    Command(0x0105, "F", struct.pack("<H", 1 << 4)),
    Command(0x0300, "FHC"),
    Command(0x0301, "FH", struct.pack("<Q", 1_700_000_000_000_000_000)),
    Command(0x0400, "FHC"),
    Command(0x0401, "FHC", EFFECTS_LOG + struct.pack("<II", 0, 4)),
    Command(0x0405, "FHC", bytes([1, 0])),
    Command(0x4000, "FHC"),
    Command(0x4800, "H", bytes([8, 0])),
    Command(0x4801, "H", struct.pack("<II", 50, 0)),
    Command(0x4802, "H", ranges((0, SIZE))),
    Command(0x4803, "H", ranges((0, SIZE))),
    Command(0x5600, "FC"),
    Command(0x5601, "FC", struct.pack("<HBB", 0, 8, 0)),
    Command(0x5602, "F", struct.pack("<B3xQB3x", 0, 2 * MIB, 0)),
    Command(0x5603, "FC", struct.pack("<HHII", 0, 0, 50, 0)),
    Command(0x5604, "F", add(0, FREE, 0, SIZE, tag(1)), shorter=28),
    Command(0x5605, "F", ask_back(0, FORCED, SIZE, tag(1)), shorter=28),
    Command(0x5606, "F", tag(1)),
    Command(0x5607, "F", tag(1)),
    Command(0x5608, "FC", struct.pack("<II", 0, 50)),
    Command(0xC000, "C", backend(tag(1))),
    Command(0xC001, "C", tag(1)),
    Command(0xC002, "FC", struct.pack("<II", 0, 50)),
    Command(0xC003, "FC", tag(1)),
    Command(0xC010, "FC", tag(1)),
    Command(0xC011, "C", struct.pack("<II", 0, 50)),
    Command(0xC012, "C", bytes(8)),
    Command(0xC013, "FC", struct.pack("<HHIQ", 0, 0, 50, 0)),
    Command(0xC020, "H", bytes(8)),
]

ROLES = {"fm": "F", "manager": "F", "control": "C", "host0": "H", "serial0": "H"}
"""Of the listeners that are attacked."""
