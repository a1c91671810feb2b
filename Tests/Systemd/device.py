"""What the peers of one device say to it, as far as the tests need it.

Layouts are those of CXL r3.1 and protocol/README.md.
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
import uuid

from fmapid_peer import FM_API, PATIENCE, SUCCESS, Peer, Response, SerialLink, connect_packet, connect_serial

IDENTIFY = 0x0001
GET_EVENTS, CLEAR_EVENTS = 0x0100, 0x0101
GET_DC_CONFIGURATION, GET_EXTENTS, ADD_RESPONSE = 0x4800, 0x4801, 0x4802
GET_DCD_INFO, INITIATE_ADD, INITIATE_RELEASE = 0x5600, 0x5604, 0x5605
CREATE_BACKEND, DELETE_BACKEND, LIST_BACKENDS, GET_DESCRIPTOR = 0xC000, 0xC001, 0xC002, 0xC020
ANONYMOUS, FILE = 0, 1
FREE = 0
TAG_BASED = 0
DYNAMIC_CAPACITY_LOG = 4
NO_TAG = bytes(16)
SIZE = 4 << 20


def connect_tcp(port: int) -> SerialLink:
    return SerialLink(socket.create_connection(("127.0.0.1", port)).detach())


class Refused(AssertionError):
    def __init__(self, opcode: int, response: Response) -> None:
        super().__init__(f"{opcode:04x}h: {response.code:04x}h, vendor status {response.vendor_status}")
        self.response = response


def run(peer: Peer, opcode: int, payload: bytes = b"", kind: int | None = None) -> Response:
    """A command that succeeds."""
    options = {} if kind is None else {"kind": kind}
    response = peer.command(opcode, payload, timeout=PATIENCE, **options)
    if response.code != SUCCESS:
        raise Refused(opcode, response)
    return response


class Device:
    """The peers of one device. Each connects when it is needed; `forget` closes them all."""

    def __init__(self, directory: str = "/run/fmapid", eid: int = 9) -> None:
        self.directory, self.eid = directory, eid
        self._peers: dict[str, Peer] = {}

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *_) -> None:
        self.forget()

    def forget(self) -> None:
        for peer in self._peers.values():
            peer.link.close()
        self._peers.clear()

    def peer(self, name: str) -> Peer:
        if name not in self._peers:
            connect = connect_serial if name == "fm" else connect_packet
            self._peers[name] = Peer(connect(f"{self.directory}/{name}.sock"), target=self.eid)
        return self._peers[name]

    def create(self, tag: bytes, kind: int = ANONYMOUS, path: str = "", huge_pages: bool = False) -> None:
        request = struct.pack("<16sQBBH4x", tag, SIZE, kind, huge_pages, len(path)) + path.encode()
        run(self.peer("control"), CREATE_BACKEND, request)

    def backends(self) -> set[bytes]:
        found: set[bytes] = set()
        while True:
            answer = run(self.peer("control"), LIST_BACKENDS, struct.pack("<II", len(found), 16)).payload
            total, returned = struct.unpack_from("<II", answer, 4)
            found |= {answer[16 + 40 * index :][:16] for index in range(returned)}
            if len(found) == total or returned == 0:
                return found

    def offer(self, host: int, tag: bytes = NO_TAG, size: int = SIZE) -> None:
        request = struct.pack("<HBBQ16sI", host, FREE, 0, size, tag, 0)
        run(self.peer("fm"), INITIATE_ADD, request, kind=FM_API)

    def ask_back(self, host: int, tag: bytes, size: int = SIZE) -> None:
        """Asks a host for capacity with a tag."""
        run(self.peer("fm"), INITIATE_RELEASE, struct.pack("<HBBQ16sI", host, TAG_BASED, 0, size, tag, 0), kind=FM_API)

    def give(self, host: int, tag: bytes = NO_TAG, size: int = SIZE) -> int:
        """Offers capacity to a host, which accepts it; where it starts."""
        self.offer(host, tag, size)
        peer = self.peer(f"host{host}")
        events = run(peer, GET_EVENTS, bytes([DYNAMIC_CAPACITY_LOG])).payload
        record = events[0x20:]
        (handle,) = struct.unpack_from("<H", record, 0x14)
        start, length, offered = struct.unpack_from("<QQ16s", record, 0x38)
        if (length, offered) != (size, tag):
            raise AssertionError(f"{length} bytes of {offered.hex()} were offered, not {size} of {tag.hex()}")
        run(peer, CLEAR_EVENTS, struct.pack("<BBB3xH", DYNAMIC_CAPACITY_LOG, 0, 1, handle))
        run(peer, ADD_RESPONSE, struct.pack("<IB3xQQ8x", 1, 0, start, length))
        return start

    def extents(self, host: int) -> list[tuple[int, int, bytes]]:
        """Start, length and tag of the (at most 20) extents that a host has."""
        answer = run(self.peer(f"host{host}"), GET_EXTENTS, struct.pack("<II", 20, 0)).payload
        (returned,) = struct.unpack_from("<I", answer)
        return [struct.unpack_from("<QQ16s", answer, 16 + 40 * index) for index in range(returned)]

    def map(self, host: int, start: int) -> mmap.mmap:
        """The memory of an extent, as its host sees it."""
        response = run(self.peer(f"host{host}"), GET_DESCRIPTOR, struct.pack("<Q", start))
        _, length, offset = struct.unpack_from("<QQQ", response.payload)
        (descriptor,) = response.descriptors
        try:
            return mmap.mmap(descriptor, length, mmap.MAP_SHARED, offset=offset)
        finally:
            os.close(descriptor)


def new_tag() -> bytes:
    return uuid.uuid4().bytes
