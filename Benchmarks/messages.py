"""Requests as bytes on a link, and the answers that fmapid gives to them."""

from __future__ import annotations

import socket

import programs  # noqa: F401  (its search path has the peer)
from fmapid_peer import CCI, FM_API, PACKET_PAYLOAD, PATIENCE, SERIAL_PAYLOAD, encode_command
from mctp import FrameDecoder, Message, Packet, encode_frame, fragments

IDENTIFY, GET_DCD_INFO = 0x0001, 0x5600

KINDS = {"packet": socket.SOCK_SEQPACKET, "stream": socket.SOCK_STREAM}
TYPES = {"packet": "seqpacket", "stream": "stream"}


def request(link: str, opcode: int, payload: bytes = b"", tag: int = 0) -> bytes:
    """One command as it stands on a link: a datagram, or all frames of a stream."""
    kind = FM_API if 0x51 <= opcode >> 8 <= 0x59 else CCI
    message = Message(destination=9, source=8, type=kind, body=encode_command(opcode, payload, 1), tag=tag)
    if link == "packet":
        (packet,) = fragments(message, PACKET_PAYLOAD)
        return packet
    return b"".join(encode_frame(packet) for packet in fragments(message, SERIAL_PAYLOAD))


def requests(link: str, opcode: int, payload: bytes = b"") -> list[str]:
    """The command with each MCTP tag, hexadecimal: a peer keeps at most eight in flight."""
    return [request(link, opcode, payload, tag).hex() for tag in range(8)]


def answer(path: str, link: str, message: bytes, refused: bool = False) -> str:
    """The answer to a request, hexadecimal; it must be a success unless it may be `refused`."""
    with socket.socket(socket.AF_UNIX, KINDS[link]) as connection:
        connection.connect(path)
        connection.send(message)
        connection.settimeout(PATIENCE)
        data = connection.recv(65536)
        # A stream may bring it in pieces: its last packet says that it is the last.
        decoder, fed = FrameDecoder(), data
        while link == "stream" and not any(Packet.decode(packet).end for packet in decoder.feed(fed)):
            if not (fed := connection.recv(65536)):
                raise ConnectionError(f"closed in the answer to {message.hex()}")
            data += fed
    code = data[13:15] if link == "packet" else data[16:18]
    if any(code) and not refused:
        raise RuntimeError(f"return code {code.hex()} to {message.hex()}")
    return data.hex()
