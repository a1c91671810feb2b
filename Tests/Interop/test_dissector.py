"""The Wireshark dissector: golden vectors, recorded conversations with the service, and bent messages go through tshark.

TSHARK names the tshark to use.
"""

from __future__ import annotations

import re
import shutil
import unittest
from dataclasses import dataclass

from captures import DISSECTOR, TSHARK, Dissected, Field, dissect, hex2pcap, number
from daemon import ROOT

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


# A name of the vectors, in this file's words, and those of the dissector that mean the same. A field has one name in all messages,
# so that one filter finds it everywhere; the vectors name it after its place.
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
    "id": {"backend_id"},
    "offset": {"log_offset"},
    "kind": {"backend_kind"},
    "state": {"backend_state"},
    "hosts": {"backend_hosts"},
    "uses_huge_pages": {"huge_pages"},
    "policy": {"selection_policy", "removal_policy"},
    "is_forced": {"forced"},
    "is_held_by_fm": {"held_by_fm"},
    "status": {"release_status"},
}
SHORTER = {(0x0102, 4), (0x4000, 67), (0x5604, 28), (0x5605, 28)}
"""Opcodes and lengths that the dissector has no complaint about though the vectors do not list them: answers of CXL 2.0 devices, which
know four logs, and requests without an extent count, whatever their policy."""
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
        return found.size <= 8 and int.from_bytes(bytes.fromhex(found.value), "little") == int(expected, 0) or found.show == expected
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
        names = {last, snake.replace(".", "_"), snake.replace("message_number", "number").replace(".", "_"), *ALIASES.get(last, ())}
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

    def test_cut_messages(self):
        """A message cut at any byte is dissected as far as it goes, and is malformed unless its vector says that it may be shorter."""
        cases = [(message, length) for message in self.messages for length in range(len(message.bytes) - 12)]
        frames = [message.cut(length) for message, length in cases]
        for (message, length), found in zip(cases, dissect(hex2pcap.LINKTYPE_LINUX_SLL2, frames)):
            with self.subTest(message.name, length=length):
                legal = message.shorter == "any" or str(length) in message.shorter.split() or (message.opcode, length) in SHORTER
                self.assertEqual("cxl.expert.short" in {field.name for field in found.fields}, not legal, found.complaints())
                self.assertFalse([text for text in found.complaints() if "Lua" in text])


if __name__ == "__main__":
    unittest.main()
