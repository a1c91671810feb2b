"""Peers that misbehave below the messages: they send garbage, never read, never finish, vanish, or come in crowds."""

import array
import contextlib
import os
import random
import select
import shutil
import socket
import struct
import time
import unittest

from corpus import EFFECTS_LOG
from daemon import needs_program
from fmapid_peer import CCI, CONTROL, GET_EID, SET_EID, PacketLink, Peer, SerialLink, encode_command
from hostile import *
from mctp import Message, Packet, encode_frame, fragments

LIMIT = 64
"""Links that a listener serves at a time."""
SILENCE = 0.1
"""Seconds after which a frame that was begun is given up."""
HOARDING = 5.0
"""Seconds in which descriptors on their way become too many for a kernel that counts them."""


def frames(message: Message) -> bytes:
    return b"".join(encode_frame(packet) for packet in fragments(message, 64))


class CountedTest(HostileTest):
    """What comes to nothing is counted (C011h), so that somebody who gets no answer can see that something arrived."""

    def counted(self, name: str) -> tuple[int, int]:
        """Executed and dropped of the only link of a listener."""
        with self.link("control") as control:
            payload = control.command(0xC011, struct.pack("<II", 0, 100)).payload
        for at in range(16, len(payload), 96):
            if payload[at + 0x40 : at + 0x60].rstrip(b"\0").decode() == name:
                executed, dropped = struct.unpack_from("<Q16xQ", payload, at + 0x18)
                return executed, dropped
        self.fail(f"no link of {name}")

    def test_frames(self):
        good = frames(request(IDENTIFY, number=5))
        stray = encode_command(IDENTIFY, b"", 1)
        with self.link("fm") as peer:
            for name, data in {
                "bad check": bytes([*good[:-3], good[-3] ^ 1, *good[-2:]]),
                "bad escape": b"\x7e\x01\x06\x7d\x00" + bytes(9) + b"\x7e",
                "for another endpoint": frames(request(IDENTIFY, destination=77)),
                "without tag owner bit": frames(request(IDENTIFY, tag_owner=False)),
                "shorter than a header": frames(Message(destination=9, source=8, type=CCI, body=stray[:5])),
                "another category": frames(Message(destination=9, source=8, type=CCI, body=b"\2" + stray[1:])),
            }.items():  # fmt: skip
                with self.subTest(name):
                    executed, dropped = self.counted("fm")
                    peer.link.send_bytes(data + good)
                    peer.link.receive()
                    after = self.counted("fm")
                    self.assertEqual(after[0], executed + 1)
                    self.assertGreater(after[1], dropped)

    def test_datagrams(self):
        with self.socket("host0") as connection:
            connection.send(bytes(5000))
            connection.send(fragments(request(IDENTIFY), 4000)[0])
            connection.settimeout(PATIENCE)
            connection.recv(4096)
            self.assertEqual(self.counted("host0"), (1, 1))


class StreamTest(HostileTest):
    """Bytes that are no frames, on the serial binding: what is good behind them is found."""

    def test_bytes_that_are_no_frame(self):
        """A megabyte of some; of those that look like frames less, as a debug build takes seconds for a megabyte."""
        generator = random.Random(1)
        good = frames(request(IDENTIFY, number=5))
        broken = bytes([*good[:-3], good[-3] ^ 1, *good[-2:]])
        for name, piece in {
            "flags": b"\x7e", "escapes": b"\x7d", "zeros": b"\0", "begun": b"\x7e\x01", "begun, long": b"\x7e\x01\xff",
            "begun, escapes": b"\x7e\x01\xff" + b"\x7d" * 300, "escaped escapes": b"\x7e\x01\xff" + b"\x7d\x5d" * 250,
            "too short": b"\x7e\x01\x00", "another revision": b"\x7e\x02\x05hello", "bad check": broken,
            "shared flags, bad check": broken[:-1], "random": generator.randbytes(4096),
        }.items():  # fmt: skip
            size = MIB if len(piece) < 2 else MIB // 8
            with self.subTest(name), self.target.socket("fm") as connection, Witness(self.target):
                # As many flags as the longest frame could swallow.
                connection.sendall(piece * (size // len(piece)) + b"\x7e" * 600 + good)
                connection.shutdown(socket.SHUT_WR)
                answers = drained(connection)
                self.assertEqual(answers[:16], bytes.fromhex("7e 01 23 01 08 09 c5 08 01 05 00 01 00 12 00 00"), name)
                self.assertEqual(answers.count(b"\x7e\x01\x23"), 1)
        self.target.assert_sound()

    def test_frames_cut_anywhere(self):
        good = frames(request(IDENTIFY, number=5))
        deadline = time.monotonic() + PATIENCE
        while not self.survives_cuts(good * 5, 5):
            self.assertLess(time.monotonic(), deadline)
        for length in range(len(good)):
            with self.target.socket("fm") as connection:
                connection.sendall(good[:length])
        self.target.assert_sound()

    def survives_cuts(self, data: bytes, count: int) -> bool:
        """Sends it byte by byte. False if there were fewer answers, but so much time that it may have been for a silence within a frame."""
        began = time.monotonic()
        with self.target.socket("fm") as connection:
            for byte in data:
                connection.send(bytes([byte]))
            connection.shutdown(socket.SHUT_WR)
            answers = drained(connection).count(b"\x7e\x01\x23")
        self.assertTrue(answers == count or time.monotonic() - began > SILENCE, f"{answers} of {count} answers")
        return answers == count

    def test_bytes_out_of_band(self):
        with self.target.socket("fm") as connection:
            try:
                connection.send(b"\x7e", socket.MSG_OOB)
            except OSError as error:
                self.skipTest(f"the kernel has no out-of-band bytes on Unix sockets: {error}")
            connection.sendall(frames(request(IDENTIFY, number=5)))
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(drained(connection).count(b"\x7e\x01\x23"), 1)


class PacketTest(HostileTest):
    """Datagrams that are no packets, and packets that are no messages."""

    def setUp(self):
        super().setUp()
        self.peer = self.link("control")
        self.enterContext(Witness(self.target))
        self.before = self.target.assert_sound()

    def assert_silence(self, *packets: bytes) -> None:
        """None of them is answered, and none changes anything: the next answer is to the next request."""
        for packet in packets:
            self.peer.link.send_packet(packet)
        self.succeed(self.peer, IDENTIFY)
        self.assertEqual(self.target.assert_sound(), self.before)

    def test_datagrams_of_every_size(self):
        generator = random.Random(2)
        self.assert_silence(*(generator.randbytes(size) for size in [*range(1, 70), 4095, 4096, 4097, 8192, 65536, 150_000]))
        self.assert_silence(*(b"\1\x09\x08\xc8"[:size] for size in range(1, 5)))
        self.assert_silence(*(b"\1\x09\x08\xc8\x08".ljust(size, b"\0") for size in (5, 16, 4097, 65536)))

    def test_headers(self):
        body = bytes([CCI]) + encode_command(CREATE, backend(tag(1)), 1)
        for version in [0, 2, *range(3, 256, 16)]:
            self.assert_silence(bytes([version, 9, 8, 0xC8]) + body)
        # Destinations that are others, or everybody; sources that cannot be.
        self.assert_silence(*(bytes([1, eid, 8, 0xC8]) + body for eid in range(1, 256) if eid != 9))
        self.assert_silence(*(bytes([1, 9, eid, 0xC8]) + body for eid in [*range(1, 8), 255]))

    def test_message_types(self):
        body = encode_command(CREATE, backend(tag(1)), 1)
        self.assert_silence(
            *(bytes([1, 9, 8, 0xC8, kind]) + body for kind in range(256) if kind not in (CONTROL, FM_API, CCI))
        )

    def test_pieces_that_do_not_fit(self):
        whole = [Packet.decode(packet) for packet in fragments(request(CREATE, backend(tag(1))), 13)]
        self.assertEqual(len(whole), 4)

        def changed(index: int, **parts) -> list[bytes]:
            packets = [Packet(**vars(packet)) for packet in whole]
            for name, value in parts.items():
                setattr(packets[index], name, value)
            return [packet.encode() for packet in packets]

        encoded = [packet.encode() for packet in whole]
        for name, packets in {
            "no beginning": encoded[1:], "no end": encoded[:-1], "a gap": encoded[:1] + encoded[2:],
            "twice": encoded[:2] + encoded[1:], "two swapped": [encoded[0], encoded[2], encoded[1], *encoded[3:]],
            "another sequence": changed(1, sequence=3), "another tag": changed(1, tag=5), "another source": changed(1, source=20),
            "another owner": changed(1, tag_owner=False), "a second beginning": changed(1, start=True),
            "a longer piece": changed(1, payload=bytes(14)),
            "a shorter piece": changed(1, payload=bytes(12)), "an empty piece": changed(1, payload=b""),
        }.items():  # fmt: skip
            with self.subTest(name):
                self.assert_silence(*packets)
        # With an early end it is a whole message, and one that lies about its length.
        for packet in changed(1, end=True):
            self.peer.link.send_packet(packet)
        self.assertEqual(struct.unpack_from("<H", self.peer.link.receive(PATIENCE).body, 8), (INVALID_LENGTH,))
        self.assert_silence()

    def test_messages_that_never_end(self):
        piece = Packet(9, 8, True, False, 0, True, 3, bytes([CCI]) + encode_command(CREATE, backend(tag(1)), 1)[:15])
        memory = self.target.resident()
        self.peer.link.send_packet(piece.encode())
        for number in range(1, 5000):
            piece.start, piece.sequence = False, number % 4
            self.peer.link.send_packet(piece.encode())
        piece.end, piece.sequence = True, 5000 % 4
        self.assert_silence(piece.encode())
        self.assertLess(self.target.resident() - memory, MIB)

    def test_many_messages_that_never_end(self):
        """Eight tags of 247 sources, each with a message begun; the oldest make room, and the memory stays what 16 take."""
        memory = self.target.resident()
        begun = fragments(request(CREATE, backend(tag(1))), 16)[0]
        for source in range(8, 255):
            for number in range(8):
                self.peer.link.send_packet(begun[:2] + bytes([source, begun[3] & 0xF8 | number]) + begun[4:])
        self.assert_silence()
        self.assertLess(self.target.resident() - memory, MIB)
        # A message of several pieces still comes through, all others unfinished.
        for packet in fragments(request(LIST_BACKENDS, bytes(8), 3, source=77), 5):
            self.peer.link.send_packet(packet)
        answer = self.peer.link.receive(PATIENCE)
        self.assertEqual((answer.destination, answer.tag, struct.unpack_from("<HH", answer.body, 8)), (77, 3, (SUCCESS, 0)))

    def test_requests_in_the_smallest_pieces(self):
        for size, answered in {3900: True, 4096 - 12: True, 4097 - 12: False, 20_000: False}.items():
            for packet in fragments(request(IDENTIFY, bytes(size), 1), 64):
                self.peer.link.send_packet(packet)
            if answered:
                self.assertEqual(struct.unpack_from("<H", self.peer.link.receive(PATIENCE).body, 8), (INVALID_LENGTH,), size)
            self.assert_silence()

    def test_control_messages(self):
        """All commands with data of many lengths: an answer with the right completion code, or none; only Set EID sets the EID."""
        generator = random.Random(3)
        for command in range(256):
            for size in (0, 1, 2, 3, 17, 300):
                data = generator.randbytes(size)
                if command == SET_EID and size == 2:
                    data = bytes([data[0] | 2, data[1]])
                code, rest, _ = self.peer.control(command, data)
                with self.subTest(f"command {command}, {size} bytes"):
                    self.assertEqual(code == 5, not 1 <= command <= 5)
                    self.assertLess(len(rest), 20)
        self.assert_silence(*(bytes([1, 9, 8, 0xC8, CONTROL, first, GET_EID]) for first in [*range(0x80), *range(0xC0, 0x100)]))
        self.assert_silence(bytes([1, 9, 8, 0xC8, CONTROL]), bytes([1, 9, 8, 0xC8, CONTROL, 0x80]))
        for eid in [*range(8), 255]:
            self.assertEqual(self.peer.control(SET_EID, bytes([0, eid]))[0], 2)
        self.assertEqual(self.peer.control(GET_EID)[1][0], 9)

    def test_an_empty_datagram_does_not_end_the_link(self):
        """recv(2) does not tell it from the end, but epoll does."""
        self.peer.link.send_packet(b"")
        self.succeed(self.peer, IDENTIFY)


class CrowdTest(HostileTest):
    """Many peers at once; somebody else is served meanwhile."""

    def flood(self, names: list[str], data: list[bytes], rounds: int) -> None:
        """As many links as there may be send as fast as the service takes it, and read what comes."""
        with contextlib.ExitStack() as stack, Witness(self.target):
            crowd = [stack.enter_context(self.target.socket(name)) for name in names for _ in range(LIMIT - 1)]
            left = {connection: rounds * len(data) for connection in crowd}
            for connection in crowd:
                connection.setblocking(False)
            while left:
                readable, writable, _ = select.select(crowd, list(left), [], PATIENCE)
                self.assertTrue(readable or writable, "nobody is served any more")
                for connection in readable:
                    connection.recv(1 << 16)
                for connection in writable:
                    with contextlib.suppress(BlockingIOError):
                        while left[connection]:
                            part = data[-left[connection] % len(data)]
                            # A stream may take a part of it; what looks like a frame looks like one anywhere.
                            connection.send(part)
                            left[connection] -= 1
                    if not left[connection]:
                        del left[connection]
        self.target.assert_sound()

    def test_frames_that_are_begun_and_begun(self):
        """Two bytes make the service look at the next 130: a little of it for everybody is a lot."""
        self.flood(["fm", "serial0"], [b"\x7e\x01" * 8192], 1)

    def test_requests_in_a_stream(self):
        self.flood(["control"], [fragments(request(CREATE, backend(tag(index)), index), 4092)[0] for index in range(100)], 2)


class LinkTest(HostileTest):
    """Links in states that no peer wants."""

    def test_more_links_than_there_may_be(self):
        with self.target.keeps_descriptors(), contextlib.ExitStack() as stack, Witness(self.target):
            crowd = [stack.enter_context(self.target.socket("host0")) for _ in range(300)]
            for number, connection in enumerate(crowd):
                with contextlib.suppress(OSError):
                    connection.send(fragments(request(IDENTIFY, number=number), 4092)[0])
            served = sum(bool(drained_once(connection)) for connection in crowd)
            self.assertEqual(served, LIMIT)
            with self.target.link("host1") as other, self.target.link("fm") as manager:
                self.succeed(other, IDENTIFY)
                self.succeed(manager, IDENTIFY)
        self.succeed(self.link("host0"), IDENTIFY)
        self.target.assert_sound()

    def test_peers_that_come_and_go(self):
        with self.target.keeps_descriptors(), Witness(self.target):
            for number in range(1500):
                with self.target.socket(("host0", "fm", "control")[number % 3]) as connection:
                    # Turned away, if the service has not got round to see that those before are gone.
                    with contextlib.suppress(ConnectionError):
                        if number % 2:
                            connection.send(b"\x7e\x01\x11\x01\x09")
        self.target.assert_sound()

    def test_peers_that_vanish_in_the_middle(self):
        """Of a frame, of a message, of an answer, or with everything still unread."""
        message = frames(request(LIST_TAGS, bytes(8)))
        pieces = fragments(request(LIST_BACKENDS, bytes(8)), 5)
        with self.target.keeps_descriptors(), Witness(self.target):
            for length in range(0, len(message), 3):
                with self.target.socket("fm") as connection:
                    connection.sendall(message[:length])
            for count in range(len(pieces) + 1):
                with self.target.socket("control") as connection:
                    for piece in pieces[:count]:
                        connection.send(piece)
            for how in (socket.SHUT_RD, socket.SHUT_RDWR):
                for name in ("fm", "host0"):
                    with self.target.socket(name) as connection:
                        connection.shutdown(how)
                        with contextlib.suppress(BrokenPipeError):
                            connection.sendall(message)
        self.target.assert_sound()

    def test_half_closed_links_get_their_answers(self):
        for name, data, end in (("fm", frames, 3), ("control", lambda message: fragments(message, 4092)[0], 1)):
            with self.subTest(name), self.target.socket(name) as connection:
                for number in range(50):
                    connection.sendall(data(request(IDENTIFY, number=number)))
                connection.shutdown(socket.SHUT_WR)
                self.assertEqual(drained(connection).count(b"\x08\x01" if end == 1 else b"\x7e\x01\x23"), 50)

    def test_peers_that_never_read(self):
        """The service stops reading from them, keeps what it has for them, and burns no time."""
        memory = self.target.resident()
        with self.target.keeps_descriptors(), contextlib.ExitStack() as stack, Witness(self.target):
            for name in ("control", "serial0"):
                message = request(GET_LOG, EFFECTS_LOG + struct.pack("<II", 0, 60))
                data = frames(message) if name in SERIAL else fragments(message, 4092)[0]
                for _ in range(LIMIT - 1):
                    connection = stack.enter_context(self.target.socket(name))
                    connection.setblocking(False)
                    with self.assertRaises(BlockingIOError):
                        while True:
                            connection.send(data)
            self.assertLess(self.target.resident() - memory, 2 * LIMIT * 256 * 1024)
            with self.target.link("host1") as other:
                self.succeed(other, IDENTIFY)
        self.target.assert_sound()

    def test_a_peer_that_never_answers_notifications(self):
        """It gets one, however often its log fills."""
        deaf, manager = self.link("manager"), self.link("manager")
        self.succeed(deaf, 0x0105, struct.pack("<H", 1 << 4))
        self.succeed(self.link("control"), CREATE, backend(tag(1)))
        for _ in range(20):
            self.give(0, tag(1))
            self.succeed(manager, INITIATE_RELEASE, ask_back(0, FORCED, SIZE, tag(1)))
            (handle,) = struct.unpack_from("<H", self.succeed(manager, GET_EVENTS, b"\4").payload, 0x20 + 0x14)
            self.succeed(manager, CLEAR_EVENTS, struct.pack("<BBB3xH", 4, 0, 1, handle))
        notification = deaf.link.receive(PATIENCE)
        self.assertEqual((notification.tag_owner, notification.body[3:5]), (True, b"\x06\x01"))
        self.succeed(deaf, IDENTIFY)
        self.target.assert_sound()


class SentDescriptorTest(HostileTest):
    """Nobody sends descriptors to the service; those that come are closed."""

    def test_they_are_closed(self):
        for name in ("fm", "host0"):
            with self.subTest(name), self.target.socket(name) as connection, self.target.keeps_descriptors(), Witness(self.target):
                data = frames(request(IDENTIFY)) if name == "fm" else fragments(request(IDENTIFY), 4092)[0]
                for count in (1, 17, 253):
                    reading, writing = os.pipe()
                    socket.send_fds(connection, [data], [writing] * count)
                    os.close(writing)
                    # The end comes when nobody has the other end any more.
                    self.assertTrue(select.select([reading], [], [], PATIENCE)[0])
                    self.assertEqual(os.read(reading, 1), b"")
                    os.close(reading)
                    self.assertTrue(connection.recv(4096))

    def test_they_are_closed_unread(self):
        """They wait in the queue of a link that the service does not read from, and go with it."""
        reading, writing = os.pipe()
        with self.target.socket("control") as connection:
            connection.setblocking(False)
            data = fragments(request(GET_LOG, EFFECTS_LOG + struct.pack("<II", 0, 60)), 4092)[0]
            with self.assertRaises(BlockingIOError):
                while True:
                    socket.send_fds(connection, [data], [writing])
        os.close(writing)
        self.assertTrue(select.select([reading], [], [], PATIENCE)[0])
        os.close(reading)
        self.target.assert_sound()


@needs_program("setpriv")
class HoardTest(HostileTest):
    """A host asks for descriptors on many links and never takes them; the kernel counts those that are on their way."""

    options = {"before": ["prlimit", "--nofile=128"], "unprivileged": True}

    def test_the_other_host_is_told(self):
        control, good = self.link("control"), self.link("host1")
        for host in range(HOSTS):
            self.succeed(control, CREATE, backend(tag(host)))
            self.give(host, tag(host))
        with contextlib.ExitStack() as stack:
            for _ in range(8):
                connection = stack.enter_context(self.target.socket("host0"))
                connection.setblocking(False)
                with contextlib.suppress(OSError):
                    while True:
                        connection.send(fragments(request(DESCRIPTOR, bytes(8)), 4092)[0])
            response = good.command(DESCRIPTOR, bytes(8))
            deadline = time.monotonic() + HOARDING
            while response.code == SUCCESS and time.monotonic() < deadline:
                # The service answers the hoarder as fast as it can.
                os.close(*response.descriptors)
                response = good.command(DESCRIPTOR, bytes(8))
            if response.code == SUCCESS:
                os.close(*response.descriptors)
                self.skipTest("this kernel does not count descriptors on their way")
            self.assertEqual((response.code, response.vendor_status), (RESOURCES_EXHAUSTED, 95))
            self.assertEqual((response.payload, response.descriptors), (b"", []))
            # Whatever the order in which they come, answers stay whole.
            for number in range(10):
                good.link.send(request((DESCRIPTOR, HOST_EXTENTS)[number % 2], bytes(8), number))
            for number in range(10):
                body = good.link.receive(PATIENCE).body
                self.assertEqual(struct.unpack_from("<H", body, 8), ((RESOURCES_EXHAUSTED, SUCCESS)[number % 2],))
            self.succeed(self.link("host0"), IDENTIFY)
        self.target.wait_until(lambda: self.obtains(good), "the other host gets its descriptor")
        self.target.assert_sound()

    def obtains(self, peer: Peer) -> bool:
        response = peer.command(DESCRIPTOR, bytes(8), timeout=PATIENCE)
        for number in response.descriptors:
            os.close(number)
        return response.code == SUCCESS


def drained_once(connection: socket.socket) -> bytes:
    """The next bytes, or none if the service has closed the link."""
    try:
        return connection.recv(1 << 16)
    except ConnectionError:
        return b""


if __name__ == "__main__":
    unittest.main()
