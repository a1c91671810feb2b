"""The memory behind an extent, from end to end: backend, offer, acceptance, descriptor, stores that another host sees.

Every party is a peer of its own on its own socket, as in real use.
"""

import errno
import fcntl
import mmap
import os
import struct
import unittest
import uuid

from daemon import Daemon
from fmapid_peer import FM_API, SUCCESS, Peer, Response, connect_packet, connect_serial

GET_EVENTS, CLEAR_EVENTS, ADD_RESPONSE, RELEASE = 0x0100, 0x0101, 0x4802, 0x4803
INITIATE_ADD, INITIATE_RELEASE = 0x5604, 0x5605
CREATE_BACKEND, DELETE_BACKEND, GET_DESCRIPTOR = 0xC000, 0xC001, 0xC020
FREE, SHARE = 0, 3
ANONYMOUS, FILE = 0, 1
TAG_BASED, FORCED, SANITIZE = 0x00, 0x10, 0x20
RESOURCES_EXHAUSTED = 0x1D
SIZE = 4 << 20


class MemoryTest(unittest.TestCase):
    def setUp(self):
        listeners = ["fm=fm,serial,unix:{dir}/fm", "control=control,packet,unix:{dir}/control"]
        listeners += [f"host{host}=host:{host},packet,unix:{{dir}}/host{host}" for host in range(2)]
        arguments = [part for listener in listeners for part in ("--listen", listener)]
        self.daemon = self.enterContext(Daemon("--sharable-region", "0", *arguments))
        self.manager = self.enterContext(self.daemon.peer(connect_serial, "fm"))
        self.control = self.enterContext(self.daemon.peer(connect_packet, "control"))
        self.hosts = [self.enterContext(self.daemon.peer(connect_packet, f"host{host}")) for host in range(2)]
        self.tag = uuid.uuid4().bytes

    def succeed(self, peer: Peer, opcode: int, payload: bytes = b"", **options) -> Response:
        response = peer.command(opcode, payload, **options)
        self.assertEqual(response.code, SUCCESS, f"{opcode:04x}h, vendor status {response.vendor_status}")
        return response

    def create(self, kind: int = ANONYMOUS, path: str = "") -> None:
        request = struct.pack("<16sQBBH4x", self.tag, SIZE, kind, 0, len(path)) + path.encode()
        self.succeed(self.control, CREATE_BACKEND, request)

    def offer(self, host: int, policy: int) -> None:
        length = SIZE if policy == FREE else 0
        request = struct.pack("<HBBQ16sI", host, policy, 0, length, self.tag, 0)
        self.succeed(self.manager, INITIATE_ADD, request, kind=FM_API)

    def accept(self, host: int) -> int:
        """Takes the one offer in the host's event log; where it starts."""
        peer = self.hosts[host]
        events = self.succeed(peer, GET_EVENTS, bytes([4])).payload
        self.assertEqual(struct.unpack_from("<H", events, 0x14), (1,))
        record = events[0x20:]
        (handle,) = struct.unpack_from("<H", record, 0x14)
        start, length, tag = struct.unpack_from("<QQ16s", record, 0x38)
        self.assertEqual((record[0x30], length, tag), (0, SIZE, self.tag))
        self.succeed(peer, CLEAR_EVENTS, struct.pack("<BBB3xH", 4, 0, 1, handle))
        self.succeed(peer, ADD_RESPONSE, struct.pack("<IB3xQQ8x", 1, 0, start, length))
        return start

    def descriptor(self, host: int, start: int) -> tuple[int, int]:
        """The extent's descriptor, closed at the end of the test, and the extent's place in it."""
        response = self.succeed(self.hosts[host], GET_DESCRIPTOR, struct.pack("<Q", start))
        found, length, offset = struct.unpack_from("<QQQ", response.payload)
        self.assertEqual((found, length, len(response.descriptors)), (start, SIZE, 1))
        self.addCleanup(os.close, response.descriptors[0])
        return response.descriptors[0], offset

    def map(self, host: int, start: int) -> mmap.mmap:
        descriptor, offset = self.descriptor(host, start)
        return self.enterContext(mmap.mmap(descriptor, SIZE, mmap.MAP_SHARED, offset=offset))

    def test_two_hosts_share_stores(self):
        self.create()
        self.offer(0, FREE)
        first_start = self.accept(0)
        self.offer(1, SHARE)
        second_start = self.accept(1)

        first, second = self.map(0, first_start), self.map(1, second_start)
        self.assertEqual(first[:], bytes(SIZE))
        first[12345:12350] = b"hello"
        self.assertEqual(second[12345:12350], b"hello")
        second[SIZE - 1 :] = b"!"
        self.assertEqual(first[SIZE - 1 :], b"!")

        # The host that stays keeps the bytes.
        self.succeed(self.hosts[0], RELEASE, struct.pack("<IB3xQQ8x", 1, 0, first_start, SIZE))
        refused = self.hosts[0].command(GET_DESCRIPTOR, struct.pack("<Q", first_start))
        self.assertNotEqual(refused.code, SUCCESS)
        self.assertEqual(refused.descriptors, [])
        self.assertEqual(self.map(1, second_start)[12345:12350], b"hello")

    def test_a_host_cannot_resize_or_seal_the_memory(self):
        self.create()
        self.offer(0, FREE)
        descriptor, _ = self.descriptor(0, self.accept(0))
        for length in (4096, 2 * SIZE):
            with self.assertRaises(PermissionError):
                os.ftruncate(descriptor, length)
        with self.assertRaises(PermissionError):
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
        self.assertEqual(os.fstat(descriptor).st_size, SIZE)

    def test_sanitizing_zeroes_what_the_host_stored(self):
        self.create()
        self.offer(0, FREE)
        start = self.accept(0)
        memory = self.map(0, start)
        memory[:] = b"\xaa" * SIZE
        # Only a forced release need not wait for the host.
        request = struct.pack("<HBxQ16sI", 0, TAG_BASED | FORCED | SANITIZE, SIZE, self.tag, 0)
        self.succeed(self.manager, INITIATE_RELEASE, request, kind=FM_API)
        self.assertEqual(memory[:], bytes(SIZE))

    def test_a_file_keeps_its_bytes_and_is_locked(self):
        self.create(FILE, "backend")
        path = self.daemon.path / "state" / "backend"
        self.assertEqual((path.stat().st_size, path.stat().st_mode & 0o777), (SIZE, 0o600))
        self.offer(0, FREE)
        start = self.accept(0)
        self.map(0, start)[:4] = b"kept"
        self.assertEqual(path.read_bytes()[:4], b"kept")

        with open(path, "rb") as file, self.assertRaises(OSError) as raised:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.assertEqual(raised.exception.errno, errno.EWOULDBLOCK)

        self.assertEqual(self.control.command(DELETE_BACKEND, self.tag).code, RESOURCES_EXHAUSTED)
        self.succeed(self.hosts[0], RELEASE, struct.pack("<IB3xQQ8x", 1, 0, start, SIZE))
        self.succeed(self.control, DELETE_BACKEND, self.tag)
        self.assertEqual(path.read_bytes()[:4], b"kept")


if __name__ == "__main__":
    unittest.main()
