"""MCTP packets, messages and serial frames in plain Python, written from DSP0236 and DSP0253."""

from __future__ import annotations

from dataclasses import dataclass, field


class ProtocolError(Exception):
    """The other side said something that the specifications do not allow."""


# --- Packets (DSP0236 section 8) -------------------------------------------------------------------


@dataclass
class Message:
    """A whole message: `body` is what follows the message type byte."""

    destination: int
    source: int
    type: int
    body: bytes
    tag: int = 0
    tag_owner: bool = True
    descriptors: list[int] = field(default_factory=list)


@dataclass
class Packet:
    """One packet: `payload` is what follows the four bytes of the transport header."""

    destination: int
    source: int
    start: bool
    end: bool
    sequence: int
    tag_owner: bool
    tag: int
    payload: bytes

    def encode(self) -> bytes:
        flags = self.start << 7 | self.end << 6 | self.sequence << 4 | self.tag_owner << 3 | self.tag
        return bytes([0x01, self.destination, self.source, flags]) + self.payload

    @classmethod
    def decode(cls, data: bytes) -> Packet:
        if len(data) < 5:
            raise ProtocolError(f"packet of {len(data)} bytes")
        if data[0] != 0x01:
            raise ProtocolError(f"header version byte {data[0]:#04x}")
        flags = data[3]
        return cls(
            destination=data[1], source=data[2], start=bool(flags & 0x80), end=bool(flags & 0x40),
            sequence=flags >> 4 & 3, tag_owner=bool(flags & 8), tag=flags & 7, payload=bytes(data[4:]),
        )  # fmt: skip


def fragments(message: Message, payload_size: int, first_sequence: int = 0) -> list[bytes]:
    """The packets of a message; each carries at most `payload_size` bytes, the type byte counted in."""
    content = bytes([message.type]) + message.body
    count = -(-len(content) // payload_size)
    return [
        Packet(
            destination=message.destination, source=message.source, start=index == 0, end=index == count - 1,
            sequence=(first_sequence + index) % 4, tag_owner=message.tag_owner, tag=message.tag,
            payload=content[index * payload_size : (index + 1) * payload_size],
        ).encode()
        for index in range(count)
    ]  # fmt: skip


class Reassembler:
    """Puts messages together; strict, because a peer under test has no reason to lose or reorder packets."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, int, int, bool], tuple[bytes, int, int, list[int]]] = {}

    def receive(self, data: bytes, descriptors: list[int] | None = None) -> Message | None:
        packet = Packet.decode(data)
        key = (packet.source, packet.destination, packet.tag, packet.tag_owner)
        descriptors = descriptors or []
        if packet.start:
            content, middle = packet.payload, len(packet.payload)
        else:
            if key not in self._open:
                raise ProtocolError("a packet without a beginning")
            before, expected, middle, earlier = self._open.pop(key)
            if packet.sequence != expected:
                raise ProtocolError(f"sequence {packet.sequence}, expected {expected}")
            if len(packet.payload) > middle or not packet.end and len(packet.payload) != middle:
                raise ProtocolError(f"packet of {len(packet.payload)} bytes behind packets of {middle}")
            content, descriptors = before + packet.payload, earlier + descriptors
        if not packet.end:
            self._open[key] = (content, (packet.sequence + 1) % 4, middle, descriptors)
            return None
        if content[0] & 0x80:
            raise ProtocolError("a message with an integrity check")
        return Message(
            destination=packet.destination, source=packet.source, type=content[0], body=content[1:],
            tag=packet.tag, tag_owner=packet.tag_owner, descriptors=descriptors,
        )  # fmt: skip


# --- Serial frames (DSP0253) -----------------------------------------------------------------------

FLAG, ESCAPE, REVISION = 0x7E, 0x7D, 0x01


def frame_check(data: bytes) -> int:
    """CRC-16/MCRF4XX."""
    check = 0xFFFF
    for byte in data:
        check ^= byte
        for _ in range(8):
            check = check >> 1 ^ 0x8408 if check & 1 else check >> 1
    return check


def encode_frame(packet: bytes) -> bytes:
    """Flag, revision, length, escaped packet, frame check sequence (high byte first), flag."""
    if len(packet) > 255:
        raise ValueError(f"packet of {len(packet)} bytes")
    check = frame_check(bytes([REVISION, len(packet)]) + packet)
    escaped = bytearray()
    for byte in packet:
        escaped += bytes([ESCAPE, byte ^ 0x20]) if byte in (FLAG, ESCAPE) else bytes([byte])
    return bytes([FLAG, REVISION, len(packet)]) + bytes(escaped) + check.to_bytes(2, "big") + bytes([FLAG])


class FrameDecoder:
    """Finds frames in a byte stream. Whatever is not a frame is skipped and kept in `garbage`."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.garbage = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The packets that are complete now."""
        self._buffer += data
        packets = []
        while self._buffer:
            packet, used = self._next()
            if used == 0:
                break
            if packet is None:
                self.garbage += self._buffer[:used]
            else:
                packets.append(packet)
            del self._buffer[:used]
        return packets

    def _next(self) -> tuple[bytes | None, int]:
        """A packet and the bytes of its frame, or None and the bytes to skip; (None, 0) to wait for more."""
        buffer = self._buffer
        if buffer[0] != FLAG:
            return None, 1
        if len(buffer) > 1 and buffer[1] != REVISION:
            return None, 1
        if len(buffer) < 3:
            return None, 0
        packet, position = bytearray(), 3
        while len(packet) < buffer[2]:
            if position >= len(buffer):
                return None, 0
            byte = buffer[position]
            position += 1
            if byte == ESCAPE:
                if position >= len(buffer):
                    return None, 0
                byte = buffer[position] ^ 0x20
                position += 1
            packet.append(byte)
        if position + 3 > len(buffer):
            return None, 0
        check = int.from_bytes(buffer[position : position + 2], "big")
        if check != frame_check(buffer[1:3] + packet) or buffer[position + 2] != FLAG:
            return None, 1
        return bytes(packet), position + 3
