"""A peer of fmapid in plain Python: MCTP over its two bindings, and CCI commands.

It is written from the specifications (DSP0236, DSP0253, DSP0281, CXL r3.1 section 7.6.3) and shares no code with the
service, so that an error has to be made twice before a test misses it. Needs nothing but Python 3.11.

    with Peer(connect_serial("/run/fmapid/fm.sock")) as peer:
        print(peer.command(0x0001).payload.hex())

Numbers in MCTP headers and control messages are bytes; numbers in CCI messages are little-endian.
"""

from __future__ import annotations

import array
import os
import select
import socket
import struct
import time
import tty
from dataclasses import dataclass, field

from mctp import FrameDecoder, Message, ProtocolError, Reassembler, encode_frame, fragments

# Message types (DSP0239).
CONTROL, FM_API, CCI = 0x00, 0x07, 0x08

# MCTP control commands (DSP0236 section 12).
SET_EID, GET_EID, GET_UUID, GET_VERSION, GET_MESSAGE_TYPES = 1, 2, 3, 4, 5

# CCI return codes (CXL r3.1 table 8-34).
SUCCESS, INVALID_INPUT, UNSUPPORTED, UNSUPPORTED_ON_CCI = 0x0000, 0x0002, 0x0003, 0x0015

SERIAL_PAYLOAD = 64
"""Bytes of payload that a packet carries on a serial link: the baseline transmission unit."""

PACKET_PAYLOAD = 4092
"""The same on the packet binding with packets of 4096 bytes."""

PATIENCE = 60.0
"""Seconds to wait for what takes milliseconds on an idle machine: a machine that is slow, or stands still for a while, is no error."""


class Link:
    """One MCTP link. Subclasses move packets; this class makes messages of them."""

    payload_size: int

    def __init__(self) -> None:
        self._reassembler = Reassembler()
        self._messages: list[Message] = []

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        raise NotImplementedError

    def send_packet(self, packet: bytes) -> None:
        raise NotImplementedError

    def _receive_packets(self, deadline: float) -> list[tuple[bytes, list[int]]]:
        """At least one packet with its descriptors; TimeoutError, or ConnectionError at the end of the link."""
        raise NotImplementedError

    def send(self, message: Message) -> None:
        for packet in fragments(message, self.payload_size):
            self.send_packet(packet)

    def receive(self, timeout: float = PATIENCE) -> Message:
        deadline = time.monotonic() + timeout
        while not self._messages:
            for packet, descriptors in self._receive_packets(deadline):
                message = self._reassembler.receive(packet, descriptors)
                if message:
                    self._messages.append(message)
        return self._messages.pop(0)


class SerialLink(Link):
    """DSP0253 frames on a stream socket or a terminal, by its descriptor, which becomes the link's."""

    payload_size = SERIAL_PAYLOAD

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.decoder = FrameDecoder()

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def send_bytes(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._descriptor, data) :]

    def send_packet(self, packet: bytes) -> None:
        self.send_bytes(encode_frame(packet))

    def _receive_packets(self, deadline: float) -> list[tuple[bytes, list[int]]]:
        while True:
            _wait(self._descriptor, deadline)
            data = os.read(self._descriptor, 65536)
            if not data:
                raise ConnectionError("the link was closed")
            packets = self.decoder.feed(data)
            if self.decoder.garbage:
                # One stray byte stops a Linux receiver (drivers/net/mctp/mctp-serial.c), so none is forgiven here.
                raise ProtocolError(f"bytes outside of frames: {self.decoder.garbage.hex(' ')}")
            if packets:
                return [(packet, []) for packet in packets]


class PacketLink(Link):
    """One packet in each datagram of a seqpacket socket; descriptors travel beside it."""

    payload_size = PACKET_PAYLOAD

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._socket = connection

    def close(self) -> None:
        self._socket.close()

    def send_packet(self, packet: bytes) -> None:
        self._socket.send(packet)

    def _receive_packets(self, deadline: float) -> list[tuple[bytes, list[int]]]:
        _wait(self._socket.fileno(), deadline)
        space = socket.CMSG_SPACE(16 * array.array("i").itemsize)
        data, ancillary, flags, _ = self._socket.recvmsg(1 << 16, space, socket.MSG_CMSG_CLOEXEC)
        descriptors = array.array("i")
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise ProtocolError("datagram cut short")
        if not data:
            raise ConnectionError("the link was closed")
        return [(data, list(descriptors))]


def _wait(descriptor: int, deadline: float) -> None:
    """Looks once at least: who was held up until the deadline may find what came before it."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(1000 * max(0.0, deadline - time.monotonic())):
        raise TimeoutError("no answer")


def _connect(path: str, kind: socket.SocketKind) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, kind)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return connection


def connect_serial(path: str) -> SerialLink:
    """The serial binding on a Unix stream socket."""
    return SerialLink(_connect(path, socket.SOCK_STREAM).detach())


def connect_packet(path: str) -> PacketLink:
    """The packet binding on a Unix seqpacket socket."""
    return PacketLink(_connect(path, socket.SOCK_SEQPACKET))


def open_terminal(path: str) -> SerialLink:
    """The serial binding on a terminal or pseudoterminal."""
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(descriptor)
    return SerialLink(descriptor)


# --- Requests --------------------------------------------------------------------------------------

_CCI_HEADER = struct.Struct("<BBxHHBHH")


@dataclass
class Response:
    """The answer to a CCI command."""

    code: int
    payload: bytes
    vendor_status: int = 0
    background: bool = False
    descriptors: list[int] = field(default_factory=list)


def encode_command(opcode: int, payload: bytes, tag: int) -> bytes:
    return _CCI_HEADER.pack(0, tag, opcode, len(payload) & 0xFFFF, len(payload) >> 16, 0, 0) + payload


class Peer:
    """Sends requests on a link and checks that each answer belongs to it."""

    def __init__(self, link: Link, eid: int = 8, target: int = 9) -> None:
        self.link, self.eid, self.target = link, eid, target
        self._tag = self._cci_tag = self._instance = 0

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        self.link.close()

    def exchange(self, kind: int, body: bytes, target: int | None = None, timeout: float = PATIENCE) -> Message:
        """One request message and its answer."""
        target = self.target if target is None else target
        self._tag = (self._tag + 1) % 8
        self.link.send(Message(destination=target, source=self.eid, type=kind, body=body, tag=self._tag))
        answer = self.link.receive(timeout)
        found = (answer.destination, answer.tag, answer.tag_owner, answer.type)
        if found != (self.eid, self._tag, False, kind):
            raise ProtocolError(f"answer (destination, tag, tag owner, type) {found} to tag {self._tag}, type {kind}")
        if target != 0 and answer.source != target:
            raise ProtocolError(f"answer from EID {answer.source}, request was to {target}")
        return answer

    def command(self, opcode: int, payload: bytes = b"", kind: int = CCI, timeout: float = PATIENCE) -> Response:
        """One CCI command."""
        self._cci_tag = (self._cci_tag + 1) % 256
        answer = self.exchange(kind, encode_command(opcode, payload, self._cci_tag), timeout=timeout)
        if len(answer.body) < _CCI_HEADER.size:
            raise ProtocolError(f"CCI answer of {len(answer.body)} bytes")
        category, tag, echoed, low, high, code, vendor = _CCI_HEADER.unpack_from(answer.body)
        content = answer.body[_CCI_HEADER.size :]
        length = low | (high & 0x1F) << 16
        if (category & 0x0F, tag, echoed, length) != (1, self._cci_tag, opcode, len(content)):
            raise ProtocolError(
                f"answer (category {category}, tag {tag}, opcode {echoed:04x}, length {length} of {len(content)}) "
                f"to opcode {opcode:04x}, tag {self._cci_tag}"
            )
        return Response(code, content, vendor, bool(high & 0x80), answer.descriptors)

    def control(self, command: int, data: bytes = b"", target: int | None = None) -> tuple[int, bytes, int]:
        """One MCTP control request: completion code, data behind it, and the EID that answered."""
        self._instance = (self._instance + 1) % 32
        answer = self.exchange(CONTROL, bytes([0x80 | self._instance, command]) + data, target)
        if len(answer.body) < 3 or answer.body[0] != self._instance or answer.body[1] != command:
            raise ProtocolError(f"control answer {answer.body.hex(' ')} to command {command}")
        return answer.body[2], answer.body[3:], answer.source
