"""Peers on TCP and terminals, where more can go wrong than on Unix sockets: connections are reset, bytes are urgent, terminals echo."""

import contextlib
import os
import socket
import struct
import unittest

from corpus import EFFECTS_LOG
from fmapid_peer import Peer, SerialLink, open_terminal
from hostile import *
from mctp import Message, encode_frame, fragments


def frames(message: Message) -> bytes:
    return b"".join(encode_frame(packet) for packet in fragments(message, 64))


def free_port() -> int:
    """Nobody else takes it in the moment until the service does, unless by chance."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class TcpTest(HostileTest):
    def setUp(self) -> None:
        self.port = free_port()
        self.arguments = ("--listen", f"tcp=fm,serial,tcp:127.0.0.1:{self.port}")
        super().setUp()

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def succeeds(self) -> None:
        with self.connect() as connection:
            with Peer(SerialLink(os.dup(connection.fileno()))) as peer:
                self.succeed(peer, IDENTIFY)

    def test_connections_that_are_reset(self):
        """Before the first byte, in a frame, and with answers that nobody has read."""
        message = frames(request(IDENTIFY))
        with self.target.keeps_descriptors(), Witness(self.target):
            for number in range(900):
                with self.connect() as connection, contextlib.suppress(ConnectionError):
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.sendall((b"", message[:7], 20 * message)[number % 3])
        self.succeeds()
        self.target.assert_sound()

    def test_peers_that_never_read(self):
        data = 200 * frames(request(GET_LOG, EFFECTS_LOG + struct.pack("<II", 0, 60)))
        memory = self.target.resident()
        with self.target.keeps_descriptors(), contextlib.ExitStack() as stack, Witness(self.target):
            for _ in range(40):
                connection = stack.enter_context(self.connect())
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.setblocking(False)
                with self.assertRaises(BlockingIOError):
                    while True:
                        connection.send(data)
            self.succeeds()
            self.assertLess(self.target.resident() - memory, 40 * 256 * 1024)
        self.target.assert_sound()

    def test_urgent_bytes(self):
        """They are not part of the stream, and change nothing in it."""
        message = frames(request(IDENTIFY))
        with self.connect() as connection, Witness(self.target):
            for place in range(1, len(message)):
                connection.sendall(message[:place])
                connection.send(b"!", socket.MSG_OOB)
                connection.sendall(message[place:])
                answer = b""
                while answer.count(b"\x7e") < 2:
                    answer += connection.recv(4096)
                self.assertIn(b"\x08\x01", answer)
        self.target.assert_sound()


class TerminalTest(HostileTest):
    arguments = ("--listen", "tty=host:0,serial,pty:{dir}/tty")

    def test_terminals_that_are_opened_and_closed(self):
        path = self.target.wait_for("tty")
        with Witness(self.target):
            for number in range(200):
                link = open_terminal(path)
                link.send_bytes((b"", b"\x7e\x01\x11\x01\x09", b"\x7e\x01" * 1000, bytes(500))[number % 4])
                link.close()
            with Peer(open_terminal(path)) as peer:
                self.succeed(peer, IDENTIFY)
        self.target.assert_sound()


if __name__ == "__main__":
    unittest.main()
