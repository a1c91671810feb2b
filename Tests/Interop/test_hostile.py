"""Messages that nobody should send: truncated, too long, with counts and offsets that lie, from the wrong side.

The service answers what the specification names, changes nothing, and serves everybody else meanwhile.
"""

import random
import struct
import unittest

from corpus import COMMANDS, EFFECTS_LOG, ROLES
from fmapid_peer import CONTROL, SET_EID, encode_command
from hostile import *
from mctp import Message


class MessageTest(HostileTest):
    """CCI messages, each in order as far as MCTP is concerned."""

    def setUp(self):
        super().setUp()
        self.peers = {name: self.link(name) for name in ROLES}
        self.enterContext(Witness(self.target))
        self.before = self.target.assert_sound()

    def tearDown(self):
        self.assertEqual(self.target.assert_sound(), self.before)

    def assert_refused(self, rows):
        for name, opcode, payload, code, reason in rows:
            with self.subTest(f"{name} {opcode:04x}h {payload[:40].hex()}"):
                self.refuse(code, reason, self.peers[name], opcode, payload)

    def test_sizes(self):
        """Every payload that is shorter than its command's, one that is longer, and the longest there can be."""
        for command in COMMANDS:
            for name, peer in self.peers.items():
                if ROLES[name] not in command.roles or name == "serial0":
                    continue
                sizes = {*range(len(command.payload)), len(command.payload) + 1, 1024} - {command.shorter}
                for size in sorted(sizes):
                    with self.subTest(f"{name} {command.opcode:04x}h with {size} bytes"):
                        payload = command.payload.ljust(size, b"\0")[:size]
                        self.refuse(INVALID_LENGTH, OTHER_THAN_THE_COMMANDS, peer, command.opcode, payload)

    def test_longer_than_any_request(self):
        for name, peer in self.peers.items():
            for size in (1025, 2048, 4096 - 12):
                with self.subTest(f"{name} {size}"):
                    self.refuse(INVALID_LENGTH, LONGER_THAN_ANY, peer, IDENTIFY, bytes(size))
            for size in (4097 - 12, 20_000):
                with self.subTest(f"{name} {size}"):
                    peer.link.send(request(IDENTIFY, bytes(size)))
                    self.succeed(peer, IDENTIFY)

    def test_lengths_that_lie(self):
        for name, peer in self.peers.items():
            for body in (encode_command(IDENTIFY, b"", 1), encode_command(LIST_BACKENDS, bytes(8), 1)):
                for length in (1, 7, 9, 0xFFFF, 0x10000, 0x1FFFFF):
                    lie = body[:5] + struct.pack("<I", length)[:3] + body[8:]
                    answer = peer.exchange(CCI, lie)
                    with self.subTest(f"{name} {length}"):
                        self.assertEqual(struct.unpack_from("<HH", answer.body, 8), (INVALID_LENGTH, OTHER_THAN_SAID))
                        self.assertEqual(len(answer.body), 12)

    def test_what_is_no_request_is_not_answered(self):
        for name, peer in self.peers.items():
            for body in (b"", b"\0", encode_command(IDENTIFY, b"", 1)[:11]):
                peer.link.send(Message(destination=9, source=8, type=CCI, body=body))
            for category in range(1, 16):
                peer.link.send(Message(destination=9, source=8, type=CCI, body=bytes([category]) + encode_command(IDENTIFY, b"", 1)[1:]))
            peer.link.send(request(0x0106, b"\x10\0"))
            with self.subTest(name):
                self.succeed(peer, IDENTIFY)

    def test_requests_that_do_not_own_their_tag(self):
        """With TO=0 they cannot be answered, so they must not do anything either."""
        for command in COMMANDS:
            for name, peer in self.peers.items():
                peer.link.send(request(command.opcode, command.payload, tag_owner=False))
        for name, peer in self.peers.items():
            with self.subTest(name):
                self.succeed(peer, IDENTIFY)

    def test_commands_of_other_roles(self):
        for command in COMMANDS:
            for name, peer in self.peers.items():
                if ROLES[name] not in command.roles:
                    with self.subTest(f"{name} {command.opcode:04x}h"):
                        self.refuse(UNSUPPORTED, 14, peer, command.opcode, command.payload)

    def test_the_wrong_message_type(self):
        for command in COMMANDS:
            for name, peer in self.peers.items():
                with self.subTest(f"{name} {command.opcode:04x}h"):
                    kind = FM_API + CCI - message_type(command.opcode)
                    self.refuse(UNSUPPORTED, 13, peer, command.opcode, command.payload, kind=kind)

    def test_opcodes_that_do_not_exist(self):
        known = {command.opcode for command in COMMANDS} | {0x0106}
        for name, peer in self.peers.items():
            for opcode in [*range(0, 0x10000, 257), 0x0006, 0x00FF, 0x5609, 0xC004, 0xC021, 0xFFFF]:
                if opcode not in known:
                    with self.subTest(f"{name} {opcode:04x}h"):
                        self.refuse(UNSUPPORTED, 0, peer, opcode)

    def test_counts_that_lie(self):
        wrong = INVALID_LENGTH, OTHER_THAN_THE_COMMANDS
        one = extent(0, SIZE, tag(1))
        self.assert_refused(
            [("host0", opcode, ranges((0, SIZE), count=count), *wrong)
             for opcode in (ADD_RESPONSE, RELEASE) for count in (0, 2, 0x0AAAAAAB, 0x80000000, 0xFFFFFFFF)]
            + [("fm", INITIATE_ADD, struct.pack("<HBBQ16sI", 0, PRESCRIPTIVE, 0, 0, NO_TAG, count) + one, *wrong)
               for count in (0, 2, 0x06666667, 0x80000001, 0xFFFFFFFF)]
            + [("fm", INITIATE_RELEASE, struct.pack("<HBxQ16sI", 0, 1, 0, NO_TAG, count) + one, *wrong)
               for count in (0, 2, 0x06666667, 0x80000001, 0xFFFFFFFF)]
            + [("manager", CLEAR_EVENTS, struct.pack("<BBB3xH", 4, 0, count, 1), *wrong) for count in (0, 2, 255)]
            + [("control", CREATE, struct.pack("<16sQBBH4x", tag(1), SIZE, FILE, 0, length) + b"name", *wrong)
               for length in (0, 3, 5, 0x8000, 0xFFFF)]
        )  # fmt: skip

    def test_places_that_do_not_exist(self):
        most = 0xFFFFFFFF
        past = INVALID_INPUT, 6
        self.assert_refused(
            [("control", EXTENT_LISTS, struct.pack("<HHII", 0, 0, most, start), *past) for start in (1, 1 << 31, most)]
            + [("host0", HOST_EXTENTS, struct.pack("<II", most, start), *past) for start in (1, 1 << 31, most)]
            + [("fm", LIST_TAGS, struct.pack("<II", start, most), *past) for start in (1, 1 << 31, most)]
            + [("fm", LIST_BACKENDS, struct.pack("<II", start, most), *past) for start in (1, 1 << 31, most)]
            + [("host0", HOST_CONFIGURATION, bytes([255, start]), *past) for start in (1, 255)]
            + [("fm", GET_LOG, EFFECTS_LOG + struct.pack("<II", *place), *past)
               for place in ((0, most), (most, 0), (most, most), (1 << 31, 1 << 31), (most, 1))]
            + [("fm", GET_LOG, bytes(16) + struct.pack("<II", 0, 4), 0x17, 9)]
            + [("host0", DESCRIPTOR, struct.pack("<Q", start), INVALID_ADDRESS, 93)
               for start in (0, 1, (4 << 30) - 1, 4 << 30, 1 << 63, (1 << 64) - 1)]
            + [(name, GET_EVENTS, bytes([log]), INVALID_INPUT, 9) for name in ("fm", "host0") for log in (5, 255)]
            + [("fm", EXTENT_LISTS, struct.pack("<HHII", host, 0, 1, 0), INVALID_INPUT, 1) for host in (2, 255, 256, 65535)]
            + [("fm", 0x5601, struct.pack("<HBB", host, 1, 0), INVALID_INPUT, 1) for host in (2, 255, 256, 65535)]
            + [("fm", INITIATE_ADD, add(host, FREE, 0, SIZE, tag(1)), INVALID_INPUT, 1) for host in (2, 255, 256, 65535)]
            + [("fm", INITIATE_RELEASE, ask_back(host, 0, SIZE, tag(1)), INVALID_INPUT, 1) for host in (2, 65535)]
            + [("fm", INITIATE_ADD, add(0, policy, region, SIZE, tag(1)), INVALID_INPUT, 2)
               for policy in (FREE, CONTIGUOUS, SHARE) for region in (1, 8, 255)]
            + [("fm", SET_REGION, struct.pack("<B3xQB3x", region, 2 * MIB, 0), INVALID_INPUT, 2) for region in (1, 8, 255)]
        )  # fmt: skip

    def test_reserved_values(self):
        self.assert_refused(
            [("fm", INITIATE_ADD, add(0, policy, 0, SIZE, tag(1)), INVALID_INPUT, 4) for policy in range(4, 16)]
            + [("fm", INITIATE_ADD, add(0, policy, 0, SIZE, tag(1)), INVALID_INPUT, 5) for policy in (0x10, 0x42, 0x83, 0xFF)]
            + [("fm", INITIATE_RELEASE, ask_back(0, flags, SIZE, tag(1)), INVALID_INPUT, 4) for flags in range(2, 16)]
            + [("fm", INITIATE_RELEASE, ask_back(0, flags, SIZE, tag(1)), INVALID_INPUT, 5) for flags in (0x40, 0x80, 0xFF)]
            + [(name, SET_LIMIT, bytes([limit]), INVALID_INPUT, 12) for name in ROLES for limit in (0, 7, 11, 63, 64, 255)]
            + [("host0", 0x0103, bytes([mode, 0, 0, 0, 0]), INVALID_INPUT, 5) for mode in (3, 0xFF)]
            + [("host0", 0x0103, bytes([0, 0, 0, 0, mode]), INVALID_INPUT, 5) for mode in (2, 3)]
            + [("fm", SET_REGION, struct.pack("<B3xQB3x", 0, block, 0), INVALID_INPUT, 8)
               for block in (0, 1, 32, 3 * MIB, 512 * MIB, 1 << 63, (1 << 64) - 1)]
            + [(name, CLEAR_EVENTS, struct.pack("<BBB3x", 4, 1, 0), INVALID_INPUT, 10) for name in ("fm", "host0")]
            + [(name, CLEAR_EVENTS, struct.pack("<BBB3xH", 4, 0, 1, handle), INVALID_HANDLE, 11)
               for name in ("fm", "host0") for handle in (0, 1, 65535)]
        )  # fmt: skip

    def test_ranges_that_overflow(self):
        most = (1 << 64) - 1
        block = 2 * MIB
        cases = {
            (0, 0): (INVALID_EXTENT_LIST, 7), (most, 0): (INVALID_EXTENT_LIST, 7), (0, most): (INVALID_ADDRESS, 42),
            (most, most): (INVALID_ADDRESS, 42), (most - block + 1, block): (INVALID_ADDRESS, 42),
            (1 << 63, 1 << 63): (INVALID_ADDRESS, 42), (4 << 30, block): (INVALID_ADDRESS, 42),
            (block, 4 << 30): (INVALID_ADDRESS, 42), (1, block): (INVALID_EXTENT_LIST, 41), (0, 1): (INVALID_EXTENT_LIST, 41),
            (0, block): (INVALID_ADDRESS, 45),
        }  # fmt: skip
        self.assert_refused([("host0", RELEASE, ranges(place), *answer) for place, answer in cases.items()])
        self.assert_refused([("host0", ADD_RESPONSE, ranges(place), INVALID_INPUT, 50) for place in cases])
        self.assert_refused([
            ("host0", RELEASE, ranges((0, block), (0, block)), INVALID_EXTENT_LIST, 43),
            ("host0", RELEASE, ranges((0, 3 * block), (block, block)), INVALID_EXTENT_LIST, 43),
            ("host0", RELEASE, ranges(), INVALID_INPUT, 40),
            ("fm", INITIATE_RELEASE, ask_back(0, 1, 0, NO_TAG), INVALID_EXTENT_LIST, 40),
            ("fm", INITIATE_RELEASE, ask_back(0, 1, 0, NO_TAG, [extent(most - block + 1, block)]), INVALID_EXTENT_LIST, 42),
            ("fm", INITIATE_ADD, add(0, PRESCRIPTIVE, 0, 0, NO_TAG, [extent(most - block + 1, block)]), INVALID_INPUT, 20),
        ])  # fmt: skip


class ListTest(HostileTest):
    """4802h and 4803h with More, without end."""

    def offer_a_backend(self):
        """Without an offer there is nothing that a list in 4802h could answer."""
        self.succeed(self.link("control"), CREATE, backend(tag(1)))
        self.offer(0, tag(1))

    def test_lists_that_never_end(self):
        host = self.link("host0")
        self.offer_a_backend()
        before = self.target.assert_sound()
        for opcode in (ADD_RESPONSE, RELEASE):
            with self.subTest(f"{opcode:04x}h"), Witness(self.target):
                entries = [(index * 4 * MIB, SIZE) for index in range(42)]
                for sent in range(0, 4096 - 42 + 1, 42):
                    self.succeed(host, opcode, ranges(*entries, more=True))
                self.refuse(RESOURCES_EXHAUSTED, 65, host, opcode, ranges(*entries, more=True))
                # It is forgotten as a whole, and there is room again.
                for _ in range(300):
                    self.succeed(host, opcode, ranges(more=True))
                self.succeed(host, opcode, ranges(*entries, more=True))
        self.assertEqual(self.target.assert_sound(), before)

    def test_memory_of_many_lists(self):
        """Every link may have two lists of 4,096 entries, 16 bytes each."""
        hosts = [self.link("host0") for _ in range(32)]
        self.offer_a_backend()
        before = self.target.resident()
        entries = ranges(*[(0, SIZE)] * 42, more=True)
        for host in hosts:
            for opcode in (ADD_RESPONSE, RELEASE):
                for number in range(97):
                    host.link.send(request(opcode, entries, number))
                for _ in range(97):
                    answer = host.link.receive(PATIENCE)
                    self.assertEqual(struct.unpack_from("<H", answer.body, 8), (SUCCESS,))
        self.assertLess(self.target.resident() - before, 32 * 2 * 4096 * 16 * 3)
        self.target.assert_sound()


if __name__ == "__main__":
    unittest.main()
