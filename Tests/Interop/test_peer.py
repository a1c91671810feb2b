"""The peer itself: its bytes against vectors that libmctp, Linux and pymctp made or accepted."""

import os
import socket
import unittest

from fmapid_peer import CCI, PacketLink, Peer, SerialLink, encode_command
from mctp import FrameDecoder, Message, Packet, ProtocolError, Reassembler, encode_frame, fragments, frame_check

# A packet, and the frame that libmctp makes of it or accepts.
FRAMES = {
    "escapes in the body": ("01 09 08 c8 7e 7d 5a", "7e 01 07 01 09 08 c8 7d 5e 7d 5d 5a 8c cc 7e"),
    "Identify": (
        "01 09 08 c8 08 00 00 00 01 00 00 00 00 00 00 cd ab",
        "7e 01 11 01 09 08 c8 08 00 00 00 01 00 00 00 00 00 00 cd ab af 09 7e",
    ),
    "Identify with an escaped tag": (
        "01 09 08 c8 08 00 7e 00 01 00 00 00 00 00 00 cd ab",
        "7e 01 11 01 09 08 c8 08 00 7d 5e 00 01 00 00 00 00 00 00 cd ab b8 1e 7e",
    ),
    "check ends in 7e": ("01 09 0b c8 00 80 02", "7e 01 07 01 09 0b c8 00 80 02 13 7e 7e"),
    "check begins with 7e": ("01 09 24 c8 00 84 02", "7e 01 07 01 09 24 c8 00 84 02 7e 73 7e"),
    "check begins with 7d": ("01 09 23 c8 00 86 02", "7e 01 07 01 09 23 c8 00 86 02 7d 1f 7e"),
    "check ends in 7d": ("01 09 13 c9 00 81 02", "7e 01 07 01 09 13 c9 00 81 02 f8 7d 7e"),
    "Set EID": ("01 09 08 c9 00 81 01 00 09", "7e 01 09 01 09 08 c9 00 81 01 00 09 0b 6e 7e"),
    "Set EID, answer": ("01 08 09 c1 00 01 01 00 00 09 00", "7e 01 0b 01 08 09 c1 00 01 01 00 00 09 00 41 ef 7e"),
    "Get EID": ("01 09 08 c9 00 81 02", "7e 01 07 01 09 08 c9 00 81 02 0b d1 7e"),
    "Get EID, answer": ("01 08 09 c1 00 01 02 00 09 00 00", "7e 01 0b 01 08 09 c1 00 01 02 00 09 00 00 17 25 7e"),
    "Get UUID, answer": (
        "01 08 09 c1 00 01 03 00 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f",
        "7e 01 18 01 08 09 c1 00 01 03 00 10 11 12 13 14 15 16 17 18 19 1a 1b 1c 1d 1e 1f fd e2 7e",
    ),
    "Get Version": ("01 09 08 c9 00 81 04 ff", "7e 01 08 01 09 08 c9 00 81 04 ff 0a 8f 7e"),
    "Get Types": ("01 09 08 c9 00 81 05", "7e 01 07 01 09 08 c9 00 81 05 7f 6e 7e"),
    "Get Types, answer": (
        "01 08 09 c1 00 01 05 00 03 00 07 08",
        "7e 01 0c 01 08 09 c1 00 01 05 00 03 00 07 08 6f c4 7e",
    ),
    "unsupported, answer": ("01 08 09 c1 00 01 06 05", "7e 01 08 01 08 09 c1 00 01 06 05 ac d8 7e"),
}


class FrameTest(unittest.TestCase):
    def test_check_value(self):
        # The catalogue's check value of CRC-16/MCRF4XX.
        self.assertEqual(frame_check(b"123456789"), 0x6F91)

    def test_encoding(self):
        for name, (packet, frame) in FRAMES.items():
            with self.subTest(name):
                self.assertEqual(encode_frame(bytes.fromhex(packet)).hex(" "), frame)

    def test_decoding_whole_and_byte_by_byte(self):
        for name, (packet, frame) in FRAMES.items():
            with self.subTest(name):
                decoder = FrameDecoder()
                self.assertEqual(decoder.feed(bytes.fromhex(frame)), [bytes.fromhex(packet)])
                self.assertEqual(decoder.garbage, b"")
                found = [packet for byte in bytes.fromhex(frame) for packet in decoder.feed(bytes([byte]))]
                self.assertEqual(found, [bytes.fromhex(packet)])

    def test_garbage_is_skipped_and_kept(self):
        good = encode_frame(b"\x01\x09\x08\xc8\x00\x80\x02")
        damaged = bytes([*good[:5], good[5] ^ 1, *good[6:]])
        for name, before in {
            "noise": b"abc",
            "flag": b"\x7e",
            "wrong revision": b"\x7e\x02\x05",
            "wrong check": damaged,
        }.items():
            with self.subTest(name):
                decoder = FrameDecoder()
                self.assertEqual(decoder.feed(before + good), [b"\x01\x09\x08\xc8\x00\x80\x02"])
                self.assertEqual(decoder.garbage, before)


class MessageTest(unittest.TestCase):
    LONG = Message(destination=9, source=8, type=CCI, body=bytes(range(64)), tag=3)

    def test_long_message_is_two_frames(self):
        frames = [encode_frame(packet).hex(" ") for packet in fragments(self.LONG, 64)]
        body = bytes(range(63)).hex(" ")
        self.assertEqual(
            frames, [f"7e 01 44 01 09 08 8b 08 {body} c2 f4 7e", "7e 01 05 01 09 08 5b 3f 32 13 7e"]
        )  # fmt: skip

    def test_round_trip(self):
        for length in (0, 1, 62, 63, 64, 127, 128, 1000):
            with self.subTest(length):
                message = Message(destination=9, source=8, type=CCI, body=os.urandom(length), tag=5)
                packets = fragments(message, 64, first_sequence=2)
                reassembler = Reassembler()
                found = [reassembler.receive(packet) for packet in packets]
                self.assertEqual(found, [None] * (len(packets) - 1) + [message])

    def test_disorder_is_an_error(self):
        packets = fragments(Message(destination=9, source=8, type=CCI, body=bytes(200), tag=3), 64)
        for name, order in {"gap": [0, 2], "twice": [0, 1, 1], "no beginning": [1]}.items():
            with self.subTest(name), self.assertRaises(ProtocolError):
                reassembler = Reassembler()
                for index in order:
                    reassembler.receive(packets[index])

    def test_wrong_packets_are_errors(self):
        for name, packet in {
            "short": "01 09 08",
            "version": "02 09 08 c8 00 80 02",
            "integrity check": "01 09 08 c8 80 80 02",
        }.items():
            with self.subTest(name), self.assertRaises(ProtocolError):
                Reassembler().receive(bytes.fromhex(packet))


class PeerTest(unittest.TestCase):
    """Requests against answers that are laid ready in the other end of a socket pair."""

    IDENTIFY = bytes.fromhex("08 00 01 00 01 00 00 00 00 00 00 00 00")

    @staticmethod
    def answer(body: str, **changes) -> bytes:
        parts = dict(
            destination=8, source=9, start=True, end=True, sequence=0, tag_owner=False, tag=1,
            payload=bytes.fromhex(body),
        )  # fmt: skip
        return Packet(**(parts | changes)).encode()

    def setUp(self):
        ours, self.other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.peer = Peer(PacketLink(ours))
        self.addCleanup(self.other.close)
        self.addCleanup(self.peer.link.close)

    def test_command(self):
        self.other.send(self.answer("08 01 01 00 01 00 03 00 00 02 00 34 12 aa bb cc"))
        response = self.peer.command(0x0001)
        self.assertEqual((response.code, response.payload, response.vendor_status), (2, b"\xaa\xbb\xcc", 0x1234))
        self.assertEqual(self.other.recv(100), bytes.fromhex("01 09 08 c9") + self.IDENTIFY)

    def test_control(self):
        self.other.send(self.answer("00 01 02 00 09 00 00"))
        self.assertEqual(self.peer.control(2), (0, b"\x09\x00\x00", 9))
        self.assertEqual(self.other.recv(100), bytes.fromhex("01 09 08 c9 00 81 02"))

    def test_foreign_answers_are_errors(self):
        good = "08 01 01 00 01 00 00 00 00 00 00 00 00"
        for name, answer in {
            "tag": self.answer(good, tag=2),
            "tag owner": self.answer(good, tag_owner=True),
            "destination": self.answer(good, destination=7),
            "source": self.answer(good, source=10),
            "message type": self.answer("07" + good[2:]),
            "category": self.answer("08 00" + good[5:]),
            "CCI tag": self.answer("08 01 02" + good[8:]),
            "opcode": self.answer("08 01 01 00 02" + good[14:]),
            "length": self.answer("08 01 01 00 01 00 01" + good[20:]),
            "short": self.answer("08 01 01 00"),
        }.items():
            with self.subTest(name), self.assertRaises(ProtocolError):
                self.other.send(answer)
                self.peer._tag = self.peer._cci_tag = 0
                self.peer.command(0x0001)

    def test_descriptors_arrive(self):
        reading, writing = os.pipe()
        answer = self.answer("08 01 01 00 01 00 00 00 00 00 00 00 00")
        socket.send_fds(self.other, [answer], [writing])
        os.close(writing)
        (received,) = self.peer.command(0x0001).descriptors
        self.assertFalse(os.get_inheritable(received))
        os.write(received, b"through")
        os.close(received)
        self.assertEqual(os.read(reading, 100), b"through")
        os.close(reading)

    def test_long_commands_are_cut(self):
        self.assertEqual(encode_command(0x5604, bytes(0x12345), 7)[:8].hex(" "), "00 07 00 04 56 45 23 01")
        self.other.send(self.answer("08 01 01 00 01 00 00 00 00 00 00 00 00"))
        self.peer.command(0x0001, bytes(5000))
        self.assertEqual([len(self.other.recv(1 << 16)) for _ in range(2)], [4096, 4 + 1 + 12 + 5000 - 4092])

    def test_silence_and_the_end_are_told_apart(self):
        with self.assertRaises(TimeoutError):
            self.peer.command(0x0001, timeout=0.01)
        self.other.close()
        with self.assertRaises(ConnectionError):
            self.peer.link.receive()


class SerialLinkTest(unittest.TestCase):
    def test_stray_bytes_are_errors(self):
        ours, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with other, SerialLink(ours.detach()) as link:
            frame = encode_frame(PeerTest.answer("08 01 01 00 01 00 00 00 00 00 00 00 00"))
            other.send(frame[:7])
            other.send(frame[7:])
            self.assertEqual(link.receive().type, CCI)
            other.send(b"\x7e" + frame)
            with self.assertRaises(ProtocolError):
                link.receive()


if __name__ == "__main__":
    unittest.main()
