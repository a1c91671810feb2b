"""The Wireshark dissector: golden vectors, recorded conversations with the service, and bent messages go through tshark.

TSHARK names the tshark to use.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest
import uuid
from dataclasses import dataclass

from captures import (
    DISSECTOR, LINKTYPE_ETHERNET, TSHARK, Dissected, Field, Recorder, dissect, frame_bytes, hex2pcap, number, read_pcap,
    run_tshark, tcp_segments,
)  # fmt: skip
from corpus import COMMANDS, EFFECTS_LOG, ROLES, Command
from daemon import PATIENCE, ROOT, TOOL, Daemon
from fmapid_peer import CCI, Peer, connect_packet, connect_serial
from hostile import *
from mctp import Message, encode_frame, fragments

VECTORS = ROOT / "protocol" / "vectors"
MESSAGE_AT = 20 + 4 + 1
"""Where a CCI message begins in a frame: behind the SLL2 header, the MCTP header and the message type."""
PAYLOAD_AT = MESSAGE_AT + 12

needs_tshark = unittest.skipUnless(shutil.which(TSHARK), "tshark is not installed")


# --- Golden messages ---------------------------------------------------------------------------------


@dataclass
class Expected:
    """A line of a golden message: FIELDS and where their bytes are in the frame."""

    position: int
    size: int
    fields: dict[str, str]


@dataclass
class GoldenMessage:
    name: str
    opcode: int
    bytes: bytes
    lines: list[Expected]
    shorter: str

    @property
    def frame(self) -> bytes:
        """A request from EID 8 to EID 9, or an answer."""
        kind = 0x07 if 0x51 <= self.opcode >> 8 <= 0x59 else 0x08
        answers = self.bytes[0]
        header = [0x01, 8, 9, 0xC0, kind] if answers else [0x01, 9, 8, 0xC8, kind]
        return hex2pcap.sll2(bytes(header) + self.bytes, kind=hex2pcap.BY_US if answers else hex2pcap.TO_US)

    def cut(self, payload: int) -> bytes:
        """The frame of the message with as many bytes of payload, and a header that says so."""
        header = bytearray(self.bytes[:12])
        header[5:7] = payload.to_bytes(2, "little")
        return self.frame[:MESSAGE_AT] + bytes(header) + self.bytes[12 : 12 + payload]


def golden_messages() -> list[GoldenMessage]:
    """The messages of all files; cxl-format.txt describes the format."""
    messages: list[GoldenMessage] = []
    for path in sorted(VECTORS.glob("cxl-*.txt")):
        for line in path.read_text().splitlines():
            if line.startswith("message "):
                name, opcode = line.split()[1:3]
                messages.append(GoldenMessage(name, int(opcode[:-1], 16), b"", [], ""))
            elif line.startswith("shorter "):
                messages[-1].shorter = line.removeprefix("shorter ")
            elif " | " in line and not line.startswith("#"):
                place, content, fields = (part.strip() for part in line.split("|", 2))
                base = MESSAGE_AT if place == "cci" else PAYLOAD_AT + int(place, 16)
                content = bytes.fromhex(content)
                named = dict(part.split("=", 1) for part in fields.split(" ") if "=" in part and not part.startswith("reserved"))
                messages[-1].lines.append(Expected(base, len(content), named))
                messages[-1].bytes += content
    return messages


# A name of the vectors, and those of the dissector that mean the same. A field has one name in all messages, so that one filter
# finds it everywhere; the vectors name it after its place.
ALIASES = {
    "length": {"payload_length", "region_length", "log_length"},
    "tag": {"message_tag"},
    "host_id": {"host"},
    "has_more": {"more", "more_records"},
    "has_overflowed": {"overflow"},
    "count": {"record_count", "log_count", "extent_count", "handle_count"},
    "returned": {"extents_returned", "regions_returned", "logs_returned"},
    "total": {"extent_total", "log_total"},
    "available": {"regions_available"},
    "start": {"start_index", "start_log"},
    "maximum": {"maximum_logs"},
    "extent_count": {"extents_wanted"},
    "flags": {"record_flags"},
    "type": {"event_type"},
    "region_index": {"region"},
    "clears_all": {"clear_all"},
    "log": {"event_log"},
    "maximum_message_size_exponent": {"request_limit"},
    "exponent": {"response_limit"},
    "is_in_progress": {"in_progress"},
    "percent_complete": {"percent"},
    "return_code": {"operation_code"},
    "vendor_status": {"operation_status"},
    "size": {"log_size", "backend_size"},
    "effects": {"effects"},
    "opcode": {"effect_opcode"},
    "nanoseconds": {"timestamp"},
    "total_capacity": {"dynamic_capacity"},
    "id": {"backend_id", "link_id"},
    "link": {"link_id"},
    "role": {"link_role"},
    "host": {"link_host"},
    "binding": {"link_binding"},
    "eid": {"link_eid"},
    "uid": {"link_uid"},
    "pid": {"link_pid"},
    "commands": {"link_commands"},
    "bytes_received": {"link_received"},
    "bytes_sent": {"link_sent"},
    "packets_dropped": {"link_dropped"},
    "offset": {"log_offset"},
    "kind": {"backend_kind"},
    "state": {"backend_state", "held_state"},
    "hosts": {"backend_hosts"},
    "uses_huge_pages": {"huge_pages"},
    "policy": {"selection_policy", "removal_policy"},
    "is_forced": {"forced"},
    "is_held_by_fm": {"held_by_fm"},
    "status": {"release_status"},
}
SHORTER = {(0x0102, 4), (0x4000, 67), (0x5604, 28), (0x5605, 28)}
"""Opcodes and lengths that the dissector has no complaint about though the vectors do not list them: answers of CXL 2.0 devices,
which know four logs, and requests without an extent count, whatever their policy."""
DERIVED = {"hasReservedBits"}
"""Said by the vectors, but no field of the message."""
ABSENT = {"extentCount", "path", "name", "availableExtents", "availableTags"}
"""May be named by a line of another field when the message has no bytes for them."""


def matches(found: Field, expected: str) -> bool:
    """Whether a field shows the value that a vector names."""
    if found.name == "cxl.record_flags":
        return number(found.show) << 2 == int(expected, 0)
    if re.fullmatch(r"0x[0-9a-f]+|\d+", expected):
        if re.fullmatch(r"True|False|0x[0-9a-fA-F]+|\d+", found.show):
            return number(found.show) == int(expected, 0)
        if found.show == expected:
            return True
        return found.size <= 8 and int.from_bytes(bytes.fromhex(found.value), "little") == int(expected, 0)
    return found.show.replace(", ", ",") == expected


@needs_tshark
class GoldenMessageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.messages = golden_messages()
        cls.dissected = dissect(hex2pcap.LINKTYPE_LINUX_SLL2, [message.frame for message in cls.messages])

    def test_every_field(self):
        compared = 0
        for message, found in zip(self.messages, self.dissected):
            with self.subTest(message.name):
                self.assertEqual(found.complaints(), [])
                for line in message.lines:
                    for path, value in line.fields.items():
                        compared += self.check(message, found, line, path, value)
        self.assertGreater(compared, 450)
        print(f"        {len(self.messages)} golden messages, {compared} fields compared")

    def check(self, message: GoldenMessage, found: Dissected, line: Expected, path: str, value: str) -> bool:
        """Compares a field of a vector with what tshark shows at the same bytes; false if it has no bytes."""
        if path.split(".")[-1] in DERIVED or value == "-":
            return False
        words = path.removeprefix("[").split("]")[-1].strip(".") or "handle"
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", words).lower()
        last = snake.split(".")[-1]
        joined = snake.replace(".", "_")
        names = {last, joined, joined.replace("message_number", "number"), *ALIASES.get(last, ())}
        if re.fullmatch(r"data\d", last):
            # A record in a format without a layout is shown as bytes.
            record = [field for field in found.fields if field.name == "cxl.record_bytes"]
            return self.assertEqual(len(record), 1) is None
        if block := re.fullmatch(r"block_size_mask(\d)", last):
            names = {f"block_sizes_{block[1]}"}
        at = [
            field for field in found.fields
            if field.name.removeprefix("cxl.") in names and line.position <= field.position < line.position + max(line.size, 1)
        ]  # fmt: skip
        if not at and (path in ABSENT or path.startswith("dynamicCapacity.")):
            return False
        self.assertTrue(at, f"{path}: nothing of {sorted(names)} at {line.position - PAYLOAD_AT:x}")
        self.assertTrue(any(matches(field, value) for field in at), f"{path}={value}: {at}")
        return True

    def test_names(self):
        """The Info column names the command; the opcode has its name in the tree."""
        for message, found in zip(self.messages, self.dissected):
            with self.subTest(message.name):
                words = re.sub(r"-(request|response)(-.*)?$|-refused$", "", message.name).replace("-", " ")
                self.assertTrue(found.info.lower().replace("-", " ").startswith(words), found.info)

    def test_details(self):
        """The Info column has what the policy makes use of, and nothing that it reserves."""
        add, release = "Initiate Dynamic Capacity Add request", "Initiate Dynamic Capacity Release request"
        with_tag = "1 GiB, tag 5c0ffee0-1234-5678-9abc-def012345678"
        expected = {
            "add-request-prescriptive": f"{add}, host 1, prescriptive, extents 2",
            "add-request-free": f"{add}, host 259, free, {with_tag}",
            "add-request-shared": f"{add}, host 2, enable shared access, {with_tag[7:]}",
            "release-request-tag": f"{release}, host 1, tag-based, forced, sanitize, {with_tag}",
            "release-request-prescriptive": f"{release}, host 65535, prescriptive, extents 1",
        }
        found = {message.name.removeprefix("initiate-dynamic-capacity-"): shown.info for message, shown in zip(self.messages, self.dissected)}
        self.assertEqual({name: found[name] for name in expected}, expected)

    def test_cut_messages(self):
        """A message cut at any byte is dissected as far as it goes, and malformed unless its vector allows that length."""
        cases = [(message, length) for message in self.messages for length in range(len(message.bytes) - 12)]
        frames = [message.cut(length) for message, length in cases]
        for (message, length), found in zip(cases, dissect(hex2pcap.LINKTYPE_LINUX_SLL2, frames)):
            with self.subTest(message.name, length=length):
                legal = message.shorter == "any" or str(length) in message.shorter.split() or (message.opcode, length) in SHORTER
                self.assertEqual("cxl.expert.short" in {field.name for field in found.fields}, not legal, found.complaints())
                self.assertFalse([text for text in found.complaints() if "Lua" in text])


def tag_text(number: int) -> str:
    return str(uuid.UUID(bytes=tag(number)))


def cci(opcode: int, payload: bytes, category: int = 1) -> bytes:
    return struct.pack("<BBxHHBHH", category, 7, opcode, len(payload), 0, 0, 0) + payload


@needs_tshark
class LayoutTest(unittest.TestCase):
    """Messages without a golden vector."""

    def check(self, message: bytes, expected: dict[str, object], kind: int = 0x08) -> Dissected:
        (found,) = dissect(hex2pcap.LINKTYPE_LINUX_SLL2, [hex2pcap.sll2(bytes([0x01, 9, 8, 0xC8, kind]) + message)])
        self.assertEqual(found.complaints(), [])
        for name, value in expected.items():
            shows = found.all(f"cxl.{name}")
            numeric = isinstance(value if not isinstance(value, list) else value[0], int)
            values = [number(show) for show in shows] if numeric else shows
            self.assertEqual(values, value if isinstance(value, list) else [value], name)
        return found

    def test_links(self):
        link = struct.pack("<QBBBBII4xQQQQ8x32s", 7, 1, 3, 2, 9, 1000, 4321, 11, 22, 33, 44, b"host3")
        found = self.check(
            cci(0xC011, struct.pack("<4xII4x", 5, 2) + link + bytes(96)),
            {
                "total": 5, "returned": 2, "link_id": [7, 0], "link_role": [1, 0], "link_host": [3, 0], "link_binding": [2, 0],
                "link_eid": [9, 0], "link_uid": [1000, 0], "link_pid": [4321, 0], "link_commands": [11, 0],
                "link_received": [22, 0], "link_sent": [33, 0], "link_dropped": [44, 0], "listener": ["host3", ""],
            },
        )  # fmt: skip
        self.assertTrue(found.info.startswith("List Links response: Success"), found.info)
        self.check(cci(0xC012, struct.pack("<Q", 7), category=0), {"link_id": 7})
        self.check(cci(0xC012, bytes(8)), {})

    def test_names(self):
        create = struct.pack("<16sQBBHB3x", tag(1), SIZE, 1, 0, 3, 4) + b"a/bname"
        self.check(cci(0xC000, create, category=0), {"path": "a/b", "name": "name", "tag": tag_text(1)})
        entry = struct.pack("<16sQIBBBxH6x", tag(1), SIZE, 5, 0, 1, 2, 1)
        answer = entry + struct.pack("<HB5x", 0, 6) + "größ".encode()
        self.check(cci(0xC003, answer), {"name_length": 6, "name": "größ", "huge_pages": 1, "backend_state": 2})

    def test_tunnel(self):
        """The message inside has fields of its own, and its own answer."""
        inner = cci(0x5601, struct.pack("<HBB", 2, 8, 0), category=0)
        request = cci(0x5300, struct.pack("<BBH", 4, 1, len(inner)) + inner, category=0)
        found = self.check(request, {"opcode": [0x5300, 0x5601], "port_or_ld": 4, "tunnel_target": 1, "host": 2}, 0x07)
        self.assertIn("tunneled Get Host DC Region Configuration request, host 2", found.info)

    def test_complaints(self):
        """What is wrong with a message is said."""
        cases = {
            "short": (cci(0x5606, bytes(15), 0), "cxl.expert.short"),
            "long": (cci(0x5606, bytes(17), 0), "cxl.expert.long"),
            "length": (cci(0x5606, bytes(16), 0)[:-1], "cxl.expert.length"),
            "reserved": (cci(0x5603, struct.pack("<HHII", 0, 1, 0, 0), 0), "cxl.expert.reserved"),
            "unknown": (cci(0x5F00, b"abc", 0), "cxl.expert.unknown"),
            "list shorter than its count": (cci(0x4802, struct.pack("<IB3xQQ8x", 2, 0, 0, 1), 0), "cxl.expert.short"),
            "huge count": (cci(0x4802, struct.pack("<IB3xQQ8x", 0xFFFFFFFF, 0, 0, 1), 0), "cxl.expert.short"),
            "cut header": (bytes(5), "cxl.expert.short"),
        }
        frames = [hex2pcap.sll2(b"\x01\x09\x08\xc8\x08" + message) for message, _ in cases.values()]
        for (name, (_, complaint)), found in zip(cases.items(), dissect(hex2pcap.LINKTYPE_LINUX_SLL2, frames)):
            with self.subTest(name):
                self.assertIn(complaint, {field.name for field in found.fields})
                self.assertFalse([text for text in found.complaints() if "Lua" in text])


# --- MCTP --------------------------------------------------------------------------------------------


def vectors(name: str) -> list[list[str]]:
    """The lines of a file of vectors, cut into their parts."""
    lines = (VECTORS / name).read_text().splitlines()
    return [[part.strip() for part in line.split("|")] for line in lines if line and not line.startswith("#")]


@needs_tshark
class TransportTest(unittest.TestCase):
    """MCTP packets, control messages and serial frames."""

    def test_control_messages(self):
        named = [(name, packet) for name, *packets in vectors("mctp-control.txt") for packet in packets]
        cases = [(name, bytes.fromhex(packet)) for name, packet in named if packet != "-"]
        found = dissect(hex2pcap.LINKTYPE_LINUX_SLL2, [hex2pcap.sll2(packet) for _, packet in cases])
        for (name, packet), message in zip(cases, found):
            with self.subTest(name, packet=packet.hex(" ")):
                if packet[0] & 0x0F != 1 or len(packet) < 7:
                    self.assertNotEqual(message.complaints(), [])
                    continue
                self.assertEqual(message.complaints(), [])
                self.assertEqual(message.number("mctpc.command"), packet[6])
                is_request = packet[5] >> 7
                self.assertEqual((message.number("mctpc.rq"), message.number("mctpc.instance")), (is_request, packet[5] & 0x1F))
                if not is_request:
                    self.assertEqual(message.number("mctpc.cc"), packet[7])

    def test_control_data(self):
        answers = {
            "01 08 09 c1 00 01 01 00 10 09 03": {"assignment": "1", "eid": "9", "pool": "3", "allocation": "0"},
            "01 08 09 c1 00 01 02 00 09 11 07": {"eid": "9", "endpoint_type": "1", "eid_type": "1", "medium": "0x07"},
            "01 08 09 c1 00 01 03 00 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f": {
                "uuid": "10111213-1415-1617-1819-1a1b1c1d1e1f"
            },
            "01 08 09 c1 00 01 04 00 01 f1 f3 f1 00": {"count": "1", "version": "1.3.1"},
            "01 08 09 c1 00 01 04 00 01 f1 f0 ff 61": {"version": "1.0a"},
            "01 08 09 c1 00 01 05 00 02 07 08": {"count": "2", "message_type": ["0x07", "0x08"]},
            "01 09 08 c9 00 81 01 01 20": {"operation": "1", "eid": "32"},
        }  # fmt: skip
        found = dissect(hex2pcap.LINKTYPE_LINUX_SLL2, [hex2pcap.sll2(bytes.fromhex(packet)) for packet in answers])
        for (packet, expected), message in zip(answers.items(), found):
            with self.subTest(packet):
                self.assertEqual(message.complaints(), [])
                for name, shows in expected.items():
                    self.assertEqual(message.all(f"mctpc.{name}"), shows if isinstance(shows, list) else [shows])

    def test_messages_are_put_together(self):
        """Two links with the same endpoints and tags, their packets in turns."""
        for name, header, body, *packets in vectors("mctp-messages.txt"):
            with self.subTest(name):
                packets = [bytes.fromhex(packet) for packet in packets]
                frames = [hex2pcap.sll2(packet, link) for packet in packets for link in (1, 2)]
                found = dissect(hex2pcap.LINKTYPE_LINUX_SLL2, frames, "-2")
                for link in (0, 1):
                    *parts, last = found[link::2]
                    if parts:
                        self.assertEqual(last.number("mctp.fragment.count"), len(packets))
                        self.assertEqual({part.number("mctp.reassembled.in") for part in parts}, {len(frames) - 1 + link})
                    self.assertEqual(last.number("mctp.msg.type"), bytes.fromhex(header)[4])
                    if len(body) > 40:
                        self.assertEqual(last.number("cxl.message_tag"), bytes.fromhex(body)[1])
                    self.assertFalse([text for text in last.complaints() if "Lua" in text or "continue" in text])

    def test_missing_packets(self):
        packets = fragments(Message(9, 8, CCI, encode_command(0x5604, bytes(200), 1), 3), 64)
        found = dissect(hex2pcap.LINKTYPE_LINUX_SLL2, [hex2pcap.sll2(packets[index]) for index in (0, 2, 3)])
        self.assertEqual([len(message.complaints()) for message in found], [0, 1, 1])
        self.assertEqual([message.all("cxl.opcode") for message in found], [[], [], []])

    def test_frames(self):
        cases = [(name, bytes.fromhex(packet), bytes.fromhex(frame)) for name, packet, frame in vectors("mctp-frames.txt")]
        found = dissect(hex2pcap.LINKTYPE_USER0, [frame for _, _, frame in cases])
        for (name, packet, frame), message in zip(cases, found):
            with self.subTest(name):
                self.assertFalse([text for text in message.complaints() if re.search("Lua|check sequence|outside", text)])
                self.assertEqual((message.number("mctp.dst"), message.number("mctp.src")), (packet[1], packet[2]))
                self.assertEqual(message.number("mctp_serial.length"), len(packet))
                self.assertEqual(message.number("mctp_serial.fcs"), int.from_bytes(frame[-3:-1], "big"))

    def test_bytes_around_frames(self):
        frame = encode_frame(bytes.fromhex("01 09 08 c8 00 80 02"))
        cases = {
            "one": (frame, 1, []),
            "three": (frame * 3, 3, []),
            "a shared flag": (frame + frame[1:], 2, []),
            "idle flags": (b"\x7e\x7e" + frame + b"\x7e\x7e" + frame, 2, []),
            "noise": (b"abc" + frame, 1, ["Bytes outside of frames"]),
            "wrong check": (frame[:-2] + bytes([frame[-2] ^ 1]) + frame[-1:], 0, ["Wrong frame check sequence"]),
            "cut": (frame + frame[:6], 1, []),
        }
        found = dissect(hex2pcap.LINKTYPE_USER0, [data for data, _, _ in cases.values()])
        for (name, (_, commands, complaints)), message in zip(cases.items(), found):
            with self.subTest(name):
                self.assertEqual(message.all("mctpc.command"), ["2"] * commands)
                self.assertEqual(message.complaints(), complaints)


# --- Conversations with the service ------------------------------------------------------------------


EVERY_COMMAND = {
    command.opcode: command
    for command in [
        Command(0xC011, "C", struct.pack("<II", 0, 9)),
        Command(0xC012, "C", bytes(8)),
        Command(0xC013, "FC", struct.pack("<HHIQ", 0, 0, 20, 0)),
        *COMMANDS,
    ]
}.values()


@needs_tshark
class ConversationTest(unittest.TestCase):
    """What peers and the service say to each other, recorded and dissected."""

    def setUp(self):
        listeners = [part for name in ROLES for part in ("--listen", f"{name}={LISTENERS[name]}")]
        self.daemon = self.enterContext(Daemon("--sharable-region", "0", *listeners))
        self.recorder = Recorder()

    def peer(self, name: str) -> Peer:
        connect = connect_serial if name in SERIAL else connect_packet
        return self.enterContext(self.daemon.peer(self.recorder.record(connect), name))

    def dissect(self) -> list[Dissected]:
        """The frames that end a message."""
        found = dissect(hex2pcap.LINKTYPE_LINUX_SLL2, self.recorder.frames())
        for message in found:
            self.assertEqual(message.complaints(), [], message.info)
        return [message for message in found if message.number("mctp.flags.eom")]

    def test_every_command_on_every_link(self):
        """Opcode, return code and reason of each answer, and which request it belongs to."""
        sent = []
        for name in ROLES:
            peer = self.peer(name)
            for command in EVERY_COMMAND:
                response = peer.command(command.opcode, command.payload, message_type(command.opcode))
                sent.append((name, command, response))
                for descriptor in response.descriptors:
                    os.close(descriptor)
        messages = self.dissect()
        self.assertEqual(len(messages), 2 * len(sent))
        requests = {}
        for (name, command, response), request, answer in zip(sent, messages[0::2], messages[1::2]):
            with self.subTest(f"{command.opcode:04x}h on {name}"):
                self.assertEqual([message.number("cxl.opcode") for message in (request, answer)], [command.opcode] * 2)
                self.assertEqual([message.number("cxl.category") for message in (request, answer)], [0, 1])
                self.assertEqual(answer.number("cxl.return_code"), response.code)
                self.assertEqual(answer.number("cxl.payload_length"), len(response.payload))
                self.assertEqual(answer.number("cxl.vendor_status"), response.vendor_status)
                if response.vendor_status:
                    self.assertEqual(answer.number("cxl.reason"), response.vendor_status)
                    self.assertIn(README_REASONS[response.vendor_status], answer.info)
                self.assertEqual(answer.protocol, "CXL FM API" if message_type(command.opcode) == 7 else "CXL CCI")
                self.assertIn(f"{README_COMMANDS[command.opcode]} request", request.info)
                # Frames are counted from one.
                number = answer.number("cxl.response_to")
                self.assertEqual(requests.setdefault(number, command.opcode), command.opcode)
        self.assertEqual(len(requests), len(sent))

    def test_main_job(self):
        """Fields have the values that were sent, and that the answers carry."""
        manager, control, host = self.peer("fm"), self.peer("control"), self.peer("host0")

        def succeed(peer: Peer, opcode: int, payload: bytes = b"") -> bytes:
            response = peer.command(opcode, payload, message_type(opcode))
            self.assertEqual(response.code, 0, f"{opcode:04x}h")
            for descriptor in response.descriptors:
                os.close(descriptor)
            return response.payload

        succeed(control, CREATE, backend(tag(1)))
        succeed(manager, INITIATE_ADD, add(0, FREE, 0, SIZE, tag(1)))
        (start,) = struct.unpack_from("<Q", succeed(host, GET_EVENTS, b"\4"), 0x20 + 0x38)
        succeed(host, ADD_RESPONSE, ranges((start, SIZE)))
        succeed(host, HOST_EXTENTS, struct.pack("<II", 10, 0))
        succeed(manager, EXTENT_LISTS, struct.pack("<HHII", 0, 0, 10, 0))
        succeed(manager, LIST_TAGS, struct.pack("<II", 0, 10))
        succeed(control, LIST_BACKENDS, struct.pack("<II", 0, 10))
        succeed(host, DESCRIPTOR, struct.pack("<Q", start + 4096))
        succeed(manager, INITIATE_RELEASE, ask_back(0, SANITIZE, SIZE, tag(1)))
        succeed(host, RELEASE, ranges((start, SIZE)))
        succeed(manager, INITIATE_ADD, add(0, CONTIGUOUS, 0, SIZE, tag(1)))
        succeed(host, ADD_RESPONSE, ranges((start, SIZE)))
        succeed(manager, INITIATE_RELEASE, ask_back(0, FORCED, SIZE, tag(1)))
        succeed(host, GET_EVENTS, b"\4")
        events = succeed(manager, GET_EVENTS, b"\4")
        succeed(control, RELEASE_STATUS, tag(1))
        log = succeed(host, GET_LOG, EFFECTS_LOG + struct.pack("<II", 0, 40))
        info = succeed(manager, DCD_INFO)
        succeed(host, HOST_CONFIGURATION, bytes([8, 0]))

        found = {}
        for message in self.dissect():
            key = message.number("cxl.opcode"), message.number("cxl.category")
            found.setdefault(key, []).append(message)
        request, answer = lambda opcode: found[opcode, 0][0], lambda opcode: found[opcode, 1][0]
        expected = [
            (request(CREATE), "tag", tag_text(1)), (request(CREATE), "backend_size", SIZE), (request(CREATE), "backend_kind", 0),
            (request(INITIATE_ADD), "host", 0), (request(INITIATE_ADD), "selection_policy", FREE),
            (request(INITIATE_ADD), "length", SIZE), (request(INITIATE_ADD), "tag", tag_text(1)),
            (answer(GET_EVENTS), "record_count", 1), (answer(GET_EVENTS), "event_type", 0), (answer(GET_EVENTS), "start", start),
            (answer(GET_EVENTS), "length", SIZE), (answer(GET_EVENTS), "tag", tag_text(1)),
            (request(ADD_RESPONSE), "start", start), (request(ADD_RESPONSE), "length", SIZE),
            (answer(HOST_EXTENTS), "extents_returned", 1), (answer(HOST_EXTENTS), "start", start),
            (answer(EXTENT_LISTS), "tag", tag_text(1)), (answer(EXTENT_LISTS), "start", start), (answer(EXTENT_LISTS), "host", 0),
            (answer(LIST_TAGS), "references", "0"), (answer(LIST_TAGS), "pending", ""), (answer(LIST_TAGS), "held_by_fm", 0),
            (answer(LIST_BACKENDS), "backend_state", 2), (answer(LIST_BACKENDS), "backend_hosts", 1),
            (answer(DESCRIPTOR), "start", start), (answer(DESCRIPTOR), "length", SIZE), (answer(DESCRIPTOR), "is_file", 0),
            (request(INITIATE_RELEASE), "forced", 0), (request(INITIATE_RELEASE), "sanitizes", 1),
            (request(INITIATE_RELEASE), "removal_policy", 0), (answer(RELEASE_STATUS), "release_status", 2),
            (answer(DCD_INFO), "hosts", info[0]), (answer(DCD_INFO), "dynamic_capacity", int.from_bytes(info[12:20], "little")),
            (answer(HOST_CONFIGURATION), "region_length", 4 << 30),
        ]  # fmt: skip
        for message, name, value in expected:
            with self.subTest(message.info, field=name):
                show = message.one(f"cxl.{name}")
                self.assertEqual(number(show) if isinstance(value, int) else show, value)
        # Host: Add Capacity, Release Capacity, Add Capacity, Forced Capacity Release.
        # FM: Add Capacity Response, Capacity Released, Add Capacity Response.
        of_host, of_manager = found[GET_EVENTS, 1][1:]
        self.assertEqual(of_host.all("cxl.event_type"), ["0", "1", "0", "2"])
        self.assertEqual(of_manager.all("cxl.event_type"), ["4", "5", "4"])
        self.assertEqual(of_manager.all("cxl.host"), ["0", "0", "0"])
        handles = [str(struct.unpack_from("<H", events, 0x20 + 0x80 * index + 0x14)[0]) for index in range(3)]
        self.assertEqual(of_manager.all("cxl.handle"), handles)
        self.assertEqual(found[INITIATE_RELEASE, 0][1].number("cxl.forced"), 1)
        opcodes = [opcode for opcode, _ in struct.iter_unpack("<HH", log)]
        self.assertEqual([number(show) for show in answer(GET_LOG).all("cxl.effect_opcode")], opcodes)
        values = len(expected) + 15 + len(opcodes)
        print(f"        {len(self.recorder.packets)} packets of a conversation, {values} values compared")

    def test_over_tcp(self):
        """Serial frames in a TCP stream, wherever segments are cut. Those that begin with a frame need no settings."""
        manager = self.peer("fm")
        codes = [manager.command(opcode, kind=message_type(opcode)).code for opcode in (IDENTIFY, DCD_INFO, 0x5F00)]
        manager.command(INITIATE_ADD, add(0, PRESCRIPTIVE, 0, 0, NO_TAG, [extent(0, SIZE, tag(1))]), message_type(INITIATE_ADD))
        whole = [(kind == hex2pcap.TO_US, frame_bytes([packet])) for _, kind, packet in self.recorder.packets]
        decoded_as = ["-d", "tcp.port==5555,mctp_serial"]
        port = ["-o", "mctp_serial.port:5555"]
        for name, size, options in [("frames", 1 << 16, []), ("forty bytes", 40, port), ("three bytes", 3, decoded_as)]:
            with self.subTest(name, options=options):
                pieces = [(way, data[at : at + size]) for way, data in whole for at in range(0, len(data), size)]
                found = dissect(LINKTYPE_ETHERNET, tcp_segments(pieces), *options)
                self.assertEqual([text for message in found for text in message.complaints()], [])
                opcodes = [number(show) for message in found for show in message.all("cxl.opcode")]
                self.assertEqual(opcodes, [opcode for opcode in (IDENTIFY, DCD_INFO, 0x5F00, INITIATE_ADD) for _ in range(2)])
                answers = [message for message in found if message.all("cxl.response_to")]
                found_codes = [number(show) for message in answers for show in message.all("cxl.return_code")]
                self.assertEqual(found_codes[:3], codes)

    @unittest.skipUnless(TOOL.exists(), "fmapictl is not built")
    def test_trace(self):
        """The capture that fmapictl writes: the same messages, their links and ways."""
        file = self.daemon.path / "trace.pcap"
        self.daemon.wait_for("control")
        trace = subprocess.Popen(
            [TOOL, "--control", self.daemon.path / "control", "trace", "--pcap", file],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        self.addCleanup(trace.kill)
        deadline = time.monotonic() + PATIENCE
        while not (file.exists() and file.stat().st_size >= 24) and time.monotonic() < deadline:
            time.sleep(0.02)
        manager, host = self.peer("fm"), self.peer("host0")
        manager.command(IDENTIFY)
        host.command(HOST_CONFIGURATION, bytes([8, 0]))
        manager.command(INITIATE_ADD, add(0, PRESCRIPTIVE, 0, 0, NO_TAG, [extent(0, SIZE, tag(1))]), message_type(INITIATE_ADD))
        trace.send_signal(signal.SIGINT)
        self.assertEqual(trace.wait(PATIENCE), 0)
        link_type, frames = read_pcap(file)
        self.assertEqual(link_type, hex2pcap.LINKTYPE_LINUX_SLL2)
        self.assertEqual([frame[20:] for frame in frames], [packet for _, _, packet in self.recorder.packets])
        found = dissect(link_type, frames)
        self.assertEqual([text for message in found for text in message.complaints()], [])
        whole = [message for message in found if message.all("cxl.opcode")]
        opcodes = [IDENTIFY, HOST_CONFIGURATION, INITIATE_ADD]
        self.assertEqual([message.number("cxl.opcode") for message in whole], [opcode for opcode in opcodes for _ in range(2)])
        self.assertEqual([message.number("sll.pkttype") for message in whole], [hex2pcap.TO_US, hex2pcap.BY_US] * 3)
        links = [message.number("sll.ifindex") for message in whole]
        self.assertEqual((links[0], links[2]), (links[5], links[3]))
        self.assertNotEqual(links[0], links[2])

    def test_notification(self):
        """The service asks, the peer answers."""
        manager = self.peer("fm")
        manager.command(0x0105, struct.pack("<H", 1 << 4))
        control, host = self.peer("control"), self.peer("host0")
        control.command(CREATE, backend(tag(1)))
        manager.command(INITIATE_ADD, add(0, FREE, 0, SIZE, tag(1)), message_type(INITIATE_ADD))
        host.command(ADD_RESPONSE, ranges())
        notification = manager.link.receive()
        answer = bytes([1]) + notification.body[1:5] + bytes(7)
        manager.link.send(Message(9, 8, CCI, answer, notification.tag, tag_owner=False))
        *_, asked, answered = self.dissect()
        self.assertEqual([message.number("cxl.opcode") for message in (asked, answered)], [0x0106] * 2)
        self.assertEqual((asked.number("cxl.notify_4"), asked.number("cxl.notify_0")), (1, 0))
        self.assertEqual((asked.number("mctp.src"), answered.number("mctp.src")), (9, 8))
        self.assertTrue(answered.all("cxl.response_to"))


# --- Names -------------------------------------------------------------------------------------------


def readme_table(marker: str) -> list[list[str]]:
    """The cells of the table of protocol/README.md that follows a marker, without its two header rows."""
    text = (ROOT / "protocol" / "README.md").read_text().split(marker)[1]
    rows = re.match(r"[^|]*((?:\|.*\n)+)", text)[1].splitlines()
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


README_COMMANDS = {int(row[0][:-1], 16): row[1] for row in readme_table("<!-- served")}
README_REASONS = {int(row[0]): row[1] for row in readme_table("<!-- reasons")}


class NamesTest(unittest.TestCase):
    """The dissector's commands and reasons are those of the protocol's document."""

    def test_commands(self):
        text = (DISSECTOR / "fmapid" / "messages.lua").read_text()
        names = {int(opcode, 16): name for opcode, name in re.findall(r'\[0x([0-9A-F]{4})\] = \{ "([^"]+)"', text)}
        self.assertLessEqual(README_COMMANDS.items(), names.items())

    def test_reasons(self):
        text = (DISSECTOR / "fmapid" / "names.lua").read_text().split("names.reasons = {")[1].split("\n}")[0]
        self.assertEqual({int(value): name for value, name in re.findall(r'\[(\d+)\] = "(.*)"', text)}, README_REASONS)


@needs_tshark
class ReadmeTest(unittest.TestCase):
    """What protocol/wireshark/README.md says to do."""

    def setUp(self):
        self.text = (DISSECTOR / "README.md").read_text()
        self.home = self.enterContext(tempfile.TemporaryDirectory(prefix="fmapid-wireshark-"))
        os.chmod(self.home, 0o755)

    def shell(self, script: str) -> str:
        """Runs commands in the repository's folder as a user with an empty home."""
        done = subprocess.run(
            ["bash", "-euc", script], cwd=ROOT, env={**os.environ, "HOME": self.home}, capture_output=True, text=True, timeout=60
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def tshark(self, *arguments: str) -> str:
        return run_tshark(self.home, *arguments).decode()

    def test_install_and_capture(self):
        install, capture = re.findall(r"```sh\n(.*?)```", self.text, re.DOTALL)
        self.shell(install + capture.replace("identify.pcap", f"{self.home}/identify.pcap"))
        self.shell(f"chmod -R a+rX {self.home}")
        self.assertIn("CXL CCI 37 Identify request", self.tshark("-r", f"{self.home}/identify.pcap"))

    def frames_for_filters(self) -> list[bytes]:
        """The golden messages, and what no golden message has: the tag of the page, a reason, an event for hosts, what is bent."""
        messages = golden_messages()
        of = lambda opcode, category: next(m for m in messages if (m.opcode, m.bytes[0]) == (opcode, category))
        packet = lambda kind, body: hex2pcap.sll2(bytes([0x01, 8, 9, 0xC0, kind]) + body)
        named = struct.pack("<HBBQ16sI", 0, 1, 0, SIZE, uuid.UUID("5be13bce-ae34-4a77-b6c3-16df975fcf1a").bytes, 0)
        add = struct.pack("<BBBHHBHH", 0, 1, 0, INITIATE_ADD, len(named), 0, 0, 0) + named
        refused = struct.pack("<BBBHHBHH", 1, 1, 0, INITIATE_ADD, 0, 0, 0x1D, 60)
        events = bytearray(of(GET_EVENTS, 1).frame)
        event = next(line for line in of(GET_EVENTS, 1).lines if "[0].type" in line.fields)
        events[event.position] = 2
        reserved = bytearray(of(INITIATE_ADD, 0).frame)
        reserved[MESSAGE_AT + 2] = 1
        cut = of(INITIATE_ADD, 0).cut(8)
        return [m.frame for m in messages] + [packet(0x07, add), packet(0x07, refused), bytes(events), bytes(reserved), cut]

    def test_filters(self):
        """Each filter of the page finds frames, and not all of them."""
        frames = self.frames_for_filters()
        with open(f"{self.home}/capture.pcap", "wb") as file:
            hex2pcap.write_pcap(file, hex2pcap.LINKTYPE_LINUX_SLL2, enumerate(frames))
        shutil.copytree(DISSECTOR, f"{self.home}/wireshark")
        self.shell(f"chmod -R a+rX {self.home}")
        rows = self.text.split("| what | filter |")[1].split("\n\n")[0].splitlines()[2:]
        filters = [text for row in rows for text in re.findall("`([^`]+)`", row.split("|")[2])]
        self.assertGreater(len(filters), 6)
        for text in filters:
            with self.subTest(text):
                script = f"lua_script:{self.home}/wireshark/fmapid.lua"
                found = self.tshark(
                    "-X", script, "-r", f"{self.home}/capture.pcap", "-Y", text, "-T", "fields", "-e", "frame.number"
                ).split()
                self.assertTrue(0 < len(found) < len(frames), f"{len(found)} of {len(frames)}")


if __name__ == "__main__":
    unittest.main()
