"""Captures of MCTP traffic for tests of the dissector: recorded on links, or made from bytes; and tshark, which reads them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import struct
import subprocess
import tempfile
import xml.etree.ElementTree as xml
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from daemon import ROOT
from fmapid_peer import Link
from mctp import encode_frame

DISSECTOR = ROOT / "protocol" / "wireshark"
TSHARK = os.environ.get("TSHARK", "tshark")
LINKTYPE_ETHERNET = 1
NOBODY = 65534

_tool = importlib.util.spec_from_file_location("hex2pcap", DISSECTOR / "hex2pcap.py")
hex2pcap = importlib.util.module_from_spec(_tool)
_tool.loader.exec_module(hex2pcap)


@dataclass
class Recorder:
    """Keeps the packets of links that it was given to, in order, as a trace of the service would."""

    packets: list[tuple[int, int, bytes]] = field(default_factory=list)
    """Link, SLL2 packet type, packet."""
    links: int = 0

    def record(self, connect: Callable[[str], Link]) -> Callable[[str], Link]:
        """The same way to connect, with everything recorded."""

        def connected(path: str) -> Link:
            link = connect(path)
            self.links += 1
            number, send, receive = self.links, link.send_packet, link._receive_packets

            def send_packet(packet: bytes) -> None:
                self.packets.append((number, hex2pcap.TO_US, packet))
                send(packet)

            def receive_packets(deadline: float):
                packets = receive(deadline)
                self.packets += [(number, hex2pcap.BY_US, packet) for packet, _ in packets]
                return packets

            link.send_packet, link._receive_packets = send_packet, receive_packets
            return link

        return connected

    def frames(self) -> list[bytes]:
        return [hex2pcap.sll2(packet, link, kind) for link, kind, packet in self.packets]


def read_pcap(path: Path) -> tuple[int, list[bytes]]:
    """Link type and frames of a pcap file."""
    data = path.read_bytes()
    (link_type,), at, frames = struct.unpack_from("<I", data, 20), 24, []
    while at + 16 <= len(data):
        (length,) = struct.unpack_from("<I", data, at + 8)
        frames.append(data[at + 16 : at + 16 + length])
        at += 16 + length
    return link_type, frames


@dataclass
class Field:
    """A field as tshark shows it: where its bytes are in the frame, and the bits that it took, as a number if it is one."""

    name: str
    position: int
    size: int
    show: str
    value: str


@dataclass
class Dissected:
    """One frame as tshark sees it."""

    fields: list[Field]
    info: str
    protocol: str

    def all(self, name: str) -> list[str]:
        return [found.show for found in self.fields if found.name == name]

    def one(self, name: str) -> str:
        (show,) = self.all(name)
        return show

    def number(self, name: str) -> int:
        return number(self.one(name))

    def complaints(self) -> list[str]:
        """Expert information but notes, and errors of the script itself."""
        texts = self.all("_ws.expert.message") + self.all("_ws.malformed")
        notes = {"Refused", "Command without a layout"}
        return [text for text in texts if not any(text.startswith(note) for note in notes)] + re.findall("Lua Error.*", self.info)


def number(show: str) -> int:
    """A number as tshark writes it; 4.2 and newer write booleans in words."""
    return {"True": 1, "False": 0}[show] if show in ("True", "False") else int(show, 0)


def dissect(link_type: int, frames: list[bytes], *options: str) -> list[Dissected]:
    """What tshark makes of the frames with the dissector loaded."""
    with tempfile.TemporaryDirectory(prefix="fmapid-capture-") as directory:
        os.chmod(directory, 0o755)
        shutil.copytree(DISSECTOR, Path(directory, "wireshark"))
        capture = Path(directory, "capture.pcap")
        with open(capture, "wb") as file:
            hex2pcap.write_pcap(file, link_type, ((1_700_000_000 + index / 1000, frame) for index, frame in enumerate(frames)))
        os.chmod(capture, 0o644)
        script = ["-X", f"lua_script:{directory}/wireshark/fmapid.lua", "-r", str(capture), *options]
        shown = ["-T", "tabs", "-o", 'gui.column.format:"Protocol","%p","Info","%i"']
        with ThreadPoolExecutor() as pool:
            tree, lines = pool.map(lambda form: run_tshark(directory, *script, *form), [["-T", "pdml"], shown])
    packets, columns = xml.fromstring(tree).findall("packet"), lines.decode().splitlines()
    if not len(packets) == len(columns) == len(frames):
        raise AssertionError(f"tshark read {len(packets)} and {len(columns)} of {len(frames)} frames")
    return [_dissected(packet, *line.split("\t", 1)) for packet, line in zip(packets, columns)]


def run_tshark(directory: str, *arguments: str) -> bytes:
    """What it writes, run with `directory` as home. Newer versions run no scripts for root, so it then runs as nobody."""
    user = dict(user=NOBODY, group=NOBODY, extra_groups=[]) if os.geteuid() == 0 else {}
    result = subprocess.run(
        [TSHARK, *arguments], cwd=directory, env={**os.environ, "HOME": directory}, capture_output=True, timeout=120, **user
    )
    if result.returncode != 0 or result.stderr:
        raise AssertionError(f"tshark ended with {result.returncode}: {result.stderr.decode()}")
    return result.stdout


def _dissected(packet: xml.Element, protocol: str, info: str) -> Dissected:
    fields = [
        Field(
            element.get("name", ""), int(element.get("pos", 0)), int(element.get("size", 0)), element.get("show", ""),
            element.get("value", ""),
        )
        for element in packet.iter("field")
    ]  # fmt: skip
    return Dissected(fields, info.strip(), protocol.strip())


# --- TCP -------------------------------------------------------------------------------------------


def tcp_segments(stream: list[tuple[bool, bytes]], port: int = 5555) -> list[bytes]:
    """Ethernet frames of a TCP connection that carries the pieces: (to the service?, bytes). Checksums are left 0."""
    client, service = (bytes([192, 0, 2, 1]), 50505), (bytes([192, 0, 2, 2]), port)
    sequence = {True: 1000, False: 2000}
    frames = []
    for to_service, data in stream:
        source, destination = (client, service) if to_service else (service, client)
        tcp = struct.pack(
            ">HHIIBBHHH", source[1], destination[1], sequence[to_service], sequence[not to_service], 5 << 4, 0x18, 65535, 0, 0
        )
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 40 + len(data), 0, 0, 64, 6, 0, source[0], destination[0])
        frames.append(bytes(12) + b"\x08\x00" + ip + tcp + data)
        sequence[to_service] += len(data)
    return frames


def frame_bytes(packets: list[bytes]) -> bytes:
    """What a serial link carries for these packets."""
    return b"".join(map(encode_frame, packets))
