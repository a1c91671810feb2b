"""What a link may do is its listener's role: a peer can ask for anything, and gets what belongs to its role.

Every opcode is tried on the links of every role, in both message types, over real sockets; then who gets a descriptor of what, and what
can be done with one. The rows of the database say whether anything changed.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import sqlite3
import struct
import tempfile
import unittest
from pathlib import Path

from corpus import COMMANDS
from hostile import *

WRONG_TYPE, WRONG_ROLE = 13, 14
NOTIFICATION = 0x0106
STEP = 17 if "FMAPID_SANITIZER" in os.environ else 1
"""From one opcode to the next: a sanitized service takes its time."""
FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_COLLAPSE_RANGE = 1, 2, 8


def fallocate(number: int, mode: int, offset: int, length: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    library.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if library.fallocate(number, mode, offset, length):
        raise OSError(ctypes.get_errno(), "fallocate")


def rows(target: Target) -> list[str]:
    """All that the database says, its write-ahead log included; read from a copy, as the service keeps it locked."""
    with tempfile.TemporaryDirectory() as directory:
        for name in ("fmapid.db", "fmapid.db-wal"):
            shutil.copy(target.path / "state" / name, directory)
        with contextlib.closing(sqlite3.connect(Path(directory) / "fmapid.db")) as database:
            return list(database.iterdump())


class RoleTest(HostileTest):
    LINKS = {"fm": "F", "manager": "F", "control": "C", "host0": "H", "host1": "H", "serial0": "H"}
    BATCH = 32

    def setUp(self):
        super().setUp()
        # Something of everything: an extent, an offer, a free backend, records in the logs.
        control = self.link("control")
        for number in (1, 2, 3):
            self.succeed(control, CREATE, backend(tag(number)))
        self.give(0, tag(1))
        self.succeed(self.link("manager"), INITIATE_ADD, add(0, FREE, 0, SIZE, tag(2)))
        self.before = self.target.assert_sound(), rows(self.target)

    def tearDown(self):
        self.assertEqual((self.target.assert_sound(), rows(self.target)), self.before)

    def foreign(self, role: str, opcodes) -> list[tuple[int, int, bytes, int]]:
        """Requests that a link of this role is refused: opcode, message type, payload, and the reason."""
        known = {command.opcode: command for command in COMMANDS}
        requests = []
        for opcode in opcodes:
            if opcode == NOTIFICATION:
                continue
            command = known.get(opcode)
            payload, own = command.payload if command else b"", message_type(opcode)
            requests.append((opcode, FM_API + CCI - own, payload, WRONG_TYPE))
            if not command or role not in command.roles:
                requests.append((opcode, own, payload, WRONG_ROLE if command else 0))
        return requests

    def attempt(self, name: str, opcodes) -> None:
        """Sends them in batches, and takes every answer apart by hand."""
        with self.target.link(name) as peer:
            requests, link = self.foreign(self.LINKS[name], opcodes), peer.link
            self.assertTrue(requests)
            for first in range(0, len(requests), self.BATCH):
                batch = requests[first : first + self.BATCH]
                for number, (opcode, kind, payload, _) in enumerate(batch):
                    link.send(request(opcode, payload, number, type=kind))
                for number, (opcode, kind, _, reason) in enumerate(batch):
                    answer = link.receive(PATIENCE)
                    found = (answer.type, answer.tag, answer.body, answer.descriptors)
                    expected = struct.pack("<BBxHHBHH", 1, number, opcode, 0, 0, UNSUPPORTED, reason)
                    if found != (kind, number % 8, expected, []):
                        self.fail(f"{name}: {opcode:04x}h in type {kind}: {answer}")

    def test_what_is_served_elsewhere(self):
        for name in self.LINKS:
            with self.subTest(name):
                self.attempt(name, [command.opcode for command in COMMANDS])

    def test_every_opcode_there_is(self):
        for name in ("manager", "control", "host0"):
            with self.subTest(name):
                self.attempt(name, range(0, 0x10000, STEP))


class DescriptorCase(HostileTest):
    def misuse(self, number: int, host: int, start: int = 0) -> None:
        """Tries to make of a memory object what its host has no right to make of it."""
        identity = os.fstat(number).st_ino
        # A writable description of its own, as a host can always make of a descriptor that it has.
        for again in (number, os.open(f"/proc/self/fd/{number}", os.O_RDWR | os.O_CLOEXEC)):
            attempts = {
                "shrink": lambda: os.ftruncate(again, SIZE - 4096),
                "grow": lambda: os.ftruncate(again, SIZE + 4096),
                "allocate behind the end": lambda: os.posix_fallocate(again, SIZE, 4096),
                "cut out of the middle": lambda: fallocate(again, FALLOC_FL_COLLAPSE_RANGE, 4096, 4096),
                "write behind the end": lambda: os.pwrite(again, b"x", SIZE),
                "write across the end": lambda: self.assertEqual(os.pwrite(again, bytes(8192), SIZE - 4096), 4096),
                "truncate by opening": lambda: os.open(f"/proc/self/fd/{again}", os.O_RDWR | os.O_TRUNC),
                "seal writing": lambda: fcntl.fcntl(again, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE),
                "seal writing later": lambda: fcntl.fcntl(again, fcntl.F_ADD_SEALS, 0x10),
                "seal shrinking": lambda: fcntl.fcntl(again, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK),
                "link": lambda: os.link(f"/proc/self/fd/{again}", self.target.path / "stolen", follow_symlinks=True),
            }
            for name, attempt in attempts.items():
                with self.subTest(name):
                    if name == "write across the end":
                        # The kernel may cut the write at the end of the file, or refuse it.
                        with contextlib.suppress(PermissionError):
                            attempt()
                    else:
                        with self.assertRaises(OSError):
                            attempt()
                    status = os.fstat(self.descriptor(host, start))
                    self.assertEqual((status.st_size, status.st_ino), (SIZE, identity))
            if again != number:
                os.close(again)


class DescriptorTest(DescriptorCase):
    """Descriptors leave on links of a host that has accepted, and on no other."""

    def setUp(self):
        super().setUp()
        self.control, self.manager = self.link("control"), self.link("manager")
        self.hosts = [self.link(f"host{host}") for host in range(HOSTS)]
        for number in (1, 2):
            self.succeed(self.control, CREATE, backend(tag(number)))

    def refused(self, host: int, *starts: int) -> None:
        for start in starts:
            self.refuse(INVALID_ADDRESS, 93, self.hosts[host], DESCRIPTOR, struct.pack("<Q", start))

    def test_only_who_accepted(self):
        self.refused(0, 0, SIZE, 1 << 40)
        self.succeed(self.manager, INITIATE_ADD, add(0, FREE, 0, SIZE, tag(1)))
        self.refused(0, 0, SIZE - 1)
        self.succeed(self.hosts[0], ADD_RESPONSE, ranges((0, SIZE)))
        mine = os.fstat(self.descriptor(0))
        self.refused(0, SIZE)
        self.refused(1, 0, SIZE - 1)
        self.give(1, tag(2))
        theirs = os.fstat(self.descriptor(1))
        self.assertNotEqual((mine.st_dev, mine.st_ino), (theirs.st_dev, theirs.st_ino))
        self.assertEqual((mine.st_size, theirs.st_size), (SIZE, SIZE))

    def test_no_new_one_after_a_release(self):
        """Given back, taken by force, with the request for a descriptor in the same turn, and over another link of the host."""
        for name, release in {
            "given back": lambda: self.hosts[0].link.send(request(RELEASE, ranges((0, SIZE)), 1)),
            "taken": lambda: self.manager.link.send(request(INITIATE_RELEASE, ask_back(0, FORCED, SIZE, tag(1)), 1)),
        }.items():
            with self.subTest(name):
                self.give(0, tag(1))
                self.descriptor(0)
                second = self.link("host0")
                with self.target.stopped():
                    release()
                    self.hosts[0].link.send(request(DESCRIPTOR, bytes(8), 2))
                answers = [self.hosts[0].link.receive(PATIENCE) for _ in range(2 if name == "given back" else 1)]
                if name == "taken":
                    self.assertEqual(self.manager.link.receive(PATIENCE).body[8:10], bytes(2))
                # The two requests of "taken" are on two links, so either may be first.
                if name == "given back":
                    self.assertEqual((answers[-1].body[8], answers[-1].descriptors), (INVALID_ADDRESS, []))
                for answer in answers:
                    for number in answer.descriptors:
                        os.close(number)
                self.refused(0, 0)
                self.refuse(INVALID_ADDRESS, 93, second, DESCRIPTOR, bytes(8))

    def test_what_can_be_done_with_one(self):
        """Neither less nor more of it, no seals, nothing else behind the same name."""
        self.give(0, tag(1))
        number = self.descriptor(0)
        self.misuse(number, 0)
        # Holes in its own memory are the host's own business: they read as zero, and nobody else's bytes change.
        os.pwrite(number, b"mine", 0)
        self.give(1, tag(2))
        other = self.descriptor(1)
        os.pwrite(other, b"theirs", 0)
        fallocate(number, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1 << 40)
        self.assertEqual((os.pread(number, 4, 0), os.pread(other, 6, 0)), (bytes(4), b"theirs"))
        self.assertEqual(os.fstat(number).st_size, SIZE)
        self.target.assert_sound()


class PoolDescriptorTest(DescriptorCase):
    """A static device: every allocation is a memory object of its own, so a descriptor reaches what was granted and no more."""

    options = {"device": ["--static", "4GiB", "--hosts", "2", "--regions", "1"]}

    def test_objects_of_neighbours(self):
        manager = self.link("manager")
        hosts = [self.link(f"host{host}") for host in range(HOSTS)]
        found = []
        for turn in range(4):
            host = turn % 2
            self.succeed(manager, INITIATE_ADD, add(host, FREE, 0, SIZE, tag(turn)))
            start = SIZE * (turn // 2)
            self.succeed(hosts[host], ADD_RESPONSE, ranges((start, SIZE)))
            response = self.succeed(hosts[host], DESCRIPTOR, struct.pack("<Q", start))
            self.addCleanup(os.close, response.descriptors[0])
            self.assertEqual(struct.unpack_from("<QQQ", response.payload), (start, SIZE, 0))
            status = os.fstat(response.descriptors[0])
            self.assertEqual(status.st_size, SIZE)
            found.append((status.st_dev, status.st_ino))
            os.pwrite(response.descriptors[0], bytes([turn + 1]) * SIZE, 0)
        self.assertEqual(len(set(found)), 4)
        # What host 0 has given back is not what anybody gets next.
        self.succeed(hosts[0], RELEASE, ranges((0, SIZE)))
        self.refuse(INVALID_ADDRESS, 93, hosts[0], DESCRIPTOR, bytes(8))
        self.succeed(manager, INITIATE_ADD, add(1, FREE, 0, SIZE, tag(9)))
        self.succeed(hosts[1], ADD_RESPONSE, ranges((2 * SIZE, SIZE)))
        number = self.descriptor(1, 2 * SIZE)
        self.assertNotIn((os.fstat(number).st_dev, os.fstat(number).st_ino), found)
        self.assertEqual(os.pread(number, SIZE, 0), bytes(SIZE))
        self.misuse(number, 1, 2 * SIZE)


if __name__ == "__main__":
    unittest.main()
