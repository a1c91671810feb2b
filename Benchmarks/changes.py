"""The commands that change something, in an order in which they can be repeated for ever."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from fmapid_peer import Peer

MIB = 1 << 20
SIZE = 2 * MIB
TAG = bytes(range(16))
DYNAMIC_CAPACITY_LOG = 4
FREE, TAG_BASED = 0, 0
"""Selection policy of an Add, removal policy of a Release."""


class Change(NamedTuple):
    link: str
    opcode: int
    payload: Callable[[Peer], bytes]


def fixed(link: str, opcode: int, payload: bytes) -> Change:
    return Change(link, opcode, lambda _: payload)


def all_records(peer: Peer) -> bytes:
    """Request of 0101h that clears what 0100h tells."""
    records = peer.command(0x0100, bytes([DYNAMIC_CAPACITY_LOG])).payload
    (count,) = struct.unpack_from("<H", records, 0x14)
    handles = b"".join(records[0x20 + 128 * index + 20 :][:2] for index in range(count))
    return bytes([DYNAMIC_CAPACITY_LOG, 0, count, 0, 0, 0]) + handles


def capacity(region: int, start: int) -> tuple[Change, Change, Change, Change, Change]:
    """Add, its acceptance, a descriptor, the request to release, the release."""
    extents = struct.pack("<I4xQQ8x", 1, start, SIZE)
    return (
        fixed("fm", 0x5604, struct.pack("<HBBQ16sI", 0, FREE, region, SIZE, TAG, 0)),
        fixed("host0", 0x4802, extents),
        fixed("host0", 0xC020, struct.pack("<Q", start)),
        fixed("fm", 0x5605, struct.pack("<HBxQ16sI", 0, TAG_BASED, SIZE, TAG, 0)),
        fixed("host0", 0x4803, extents),
    )


LOGS = [Change("fm", 0x0101, all_records), Change("host0", 0x0101, all_records)]

POOL = [*capacity(region=0, start=0), *LOGS]
"""On a static device."""

_add, _accept, _descriptor, _ask, _release = capacity(region=1, start=2 << 30)

BACKENDS = [
    fixed("fm", 0x0004, b"\x0a"),
    fixed("host0", 0x0103, bytes(5)),
    fixed("fm", 0x0105, bytes(2)),
    fixed("fm", 0x0301, struct.pack("<Q", 1_700_000_000_000_000_000)),
    fixed("fm", 0x5602, struct.pack("<B3xQB3x", 0, 2 * MIB, 0)),
    fixed("control", 0xC000, TAG + struct.pack("<QBBH4x", SIZE, 0, 0, 0)),
    _add,
    _accept,
    _descriptor,
    fixed("fm", 0x5606, TAG),
    fixed("fm", 0x5607, TAG),
    _ask,
    _release,
    fixed("control", 0xC001, TAG),
    *LOGS,
]
"""On a lazy device whose region 1 is sharable: references are held to sharable tags only."""
