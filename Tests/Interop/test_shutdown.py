"""The end of the service: what peers have sent is answered, what they send later fails on their side."""

import signal
import socket
import struct
import unittest

from daemon import Daemon
from fmapid_peer import connect_packet

PEERS, REQUESTS = 8, 40


def identify(tag: int) -> bytes:
    return bytes([1, 9, 8, 0xC8, 8]) + struct.pack("<BBBHHBHH", 0, tag, 0, 0x0001, 0, 0, 0, 0)


class ShutdownTest(unittest.TestCase):
    def test_requests_on_their_way_are_answered(self):
        with Daemon("--listen", "control=control,packet,unix:{dir}/control") as daemon:
            daemon.peer(connect_packet, "control").command(0x0001)
            peers = []
            for _ in range(PEERS):
                peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                peer.settimeout(10)
                peer.connect(str(daemon.path / "control"))
                # Once answered, the connection is accepted.
                peer.send(identify(255))
                self.assertEqual(peer.recv(4096)[6], 255)
                peers.append(peer)
            daemon.process.send_signal(signal.SIGSTOP)
            for peer in peers:
                for tag in range(REQUESTS):
                    peer.send(identify(tag))
            daemon.process.send_signal(signal.SIGTERM)
            daemon.process.send_signal(signal.SIGCONT)
            for peer in peers:
                self.assertEqual([peer.recv(4096)[6] for _ in range(REQUESTS)], list(range(REQUESTS)))
                self.assertEqual(peer.recv(4096), b"")
                with self.assertRaises(OSError):
                    peer.send(identify(0))
                peer.close()
            self.assertEqual(daemon.wait(), 0)

    def test_a_peer_that_never_reads_does_not_hold_it_up(self):
        with Daemon("--listen", "control=control,packet,unix:{dir}/control") as daemon:
            daemon.peer(connect_packet, "control").command(0x0001)
            deaf = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            deaf.connect(str(daemon.path / "control"))
            deaf.setblocking(False)
            with self.assertRaises(BlockingIOError):
                while True:
                    deaf.send(identify(1))
            self.assertEqual(daemon.stop(), 0)
            deaf.close()
