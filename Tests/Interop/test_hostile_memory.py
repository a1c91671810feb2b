"""Backends that nobody should ask for, paths that lead astray, and hosts that misuse the descriptors they were given."""

import contextlib
import fcntl
import os
import socket
import struct
import subprocess
import unittest

from hostile import *


class PathTest(HostileTest):
    """Control names a file that must not become memory: refused, nothing is opened for long, nothing is made."""

    def setUp(self):
        super().setUp()
        self.directory = self.target.path / "state"
        self.control = self.link("control")

    def assert_refused(self, paths: dict[bytes, int]) -> None:
        with self.target.keeps_descriptors():
            before = self.target.state(), sorted(os.listdir(self.directory))
            for path, reason in paths.items():
                with self.subTest(path):
                    self.refuse(INVALID_INPUT, reason, self.control, CREATE, backend(tag(1), SIZE, FILE, 0, path))
            self.assertEqual((self.target.state(), sorted(os.listdir(self.directory))), before)

    def test_paths_that_lead_astray(self):
        inside = self.directory
        (inside / "directory").mkdir()
        for name, size in {"right": SIZE, "small": SIZE - 1, "locked": SIZE}.items():
            (inside / name).touch()
            os.truncate(inside / name, size)
        (inside / "link").symlink_to("right")
        (inside / "dangling").symlink_to("nothing")
        os.mkfifo(inside / "fifo")
        locked = self.enterContext(open(inside / "locked", "rb"))
        fcntl.flock(locked, fcntl.LOCK_SH)
        process_memory = 87 if os.geteuid() == 0 else 89
        self.assert_refused({
            b"": 92, b"..": 92, b"../x": 92, b"directory/../x": 92, b"x/": 92, b"/": 92, b"//": 92, b"missing/x": 92,
            b"right/x": 92, b"a" * 256: 92, b"a" * 977: 92, b"x\0y": 92, b"\xff\xfe": 92, b"\xc0\xaf": 92, b"\xed\xa0\x80": 92,
            b".": 88, b"directory": 88, b"link": 88, b"dangling": 88, b"fifo": 88, b"/dev/zero": 88, b"/dev/null": 88,
            b"/proc/self/fd/0": 88, bytes(self.target.path / "control"): 88, b"/proc/self/mem": process_memory,
            b"small": 87, b"locked": 89, b"/proc/1/nothing": 92,
        })  # fmt: skip

    def test_parents_behind_characters_that_swallow_a_slash(self):
        """A combining mark makes one character of itself and the slash before it; to the kernel they stay two."""
        self.assert_refused({"../\u0301x".encode(): 92, "x/../\u0301y".encode(): 92, "x/\u0301/..".encode(): 92})
        self.assertEqual(sorted(os.listdir(self.target.path)), sorted(["log", "state", *LISTENERS]))

    def test_the_state_itself(self):
        """Closing any descriptor of the database would end its lock; a journal made here would be believed at the next start."""
        database = self.directory / "fmapid.db"
        os.link(database, self.directory / "other name")
        (self.target.path / "way").symlink_to(self.directory)
        names = [b"fmapid.db", b"./fmapid.db", bytes(database), bytes(self.target.path / "way" / "fmapid.db"), b"other name"]
        names += [b"fmapid.db-wal", b"fmapid.db-journal", b"fmapid.db-shm", bytes(self.target.path / "way" / "fmapid.db-journal")]
        self.assert_refused(dict.fromkeys(names, 89))
        second = subprocess.run([*self.target.command, "--eid", "10"], capture_output=True, timeout=PATIENCE)
        self.assertEqual(second.returncode, 1)
        self.assertIn(b"it is in use", second.stderr)

    def test_names_that_are_only_ugly(self):
        for number, path in enumerate([b"a\nb", b"\x1b[31mred", "Ünïcödé 🧠".encode(), b" ", b"-rf", b"./" * 487 + b"ok"], 1):
            with self.subTest(path):
                self.succeed(self.control, CREATE, backend(tag(number), SIZE, FILE, 0, path))
                self.assertEqual(self.succeed(self.control, GET_BACKEND, tag(number)).payload[0x30:], path)
        # What a log line tells of them cannot forge another line or drive a terminal.
        self.target.kill()
        (self.directory / "a\nb").unlink()
        (self.directory / "\x1b[31mred").unlink()
        self.target.start()
        self.assertEqual(self.target.wait(), 1)
        self.assertIn("is gone", self.target.log().splitlines()[-1])
        self.assertNotIn("\x1b", self.target.log())


class HostTest(HostileTest):
    """A host does to a descriptor what the kernel lets it do."""

    def setUp(self):
        super().setUp()
        self.control, self.manager = self.link("control"), self.link("manager")

    def make(self, kind: int) -> int:
        """A backend that host 0 has, and the host's descriptor of it, with something secret inside."""
        self.succeed(self.control, CREATE, backend(tag(1), SIZE, kind, 0, b"file" if kind == FILE else b""))
        self.give(0, tag(1))
        number = self.descriptor(0)
        os.pwrite(number, b"secret", SIZE // 2)
        return number

    def release(self, flags: int = FORCED | SANITIZE) -> None:
        self.succeed(self.manager, INITIATE_RELEASE, ask_back(0, flags, SIZE, tag(1)))

    def test_a_file_of_another_size_is_mended(self):
        number = self.make(FILE)
        for size in (0, SIZE - 1, 2 * SIZE):
            with self.subTest(size):
                os.ftruncate(number, size)
                self.assertEqual(os.fstat(self.descriptor(0)).st_size, SIZE)

    def test_a_host_that_grows_its_file_does_not_prevent_a_restart(self):
        number = self.make(FILE)
        os.ftruncate(number, 2 * SIZE)
        self.target.restart()
        self.assertEqual(os.fstat(self.descriptor(0)).st_size, SIZE)
        self.assert_logged("was grown")
        self.target.assert_sound()

    def test_a_file_that_was_cut_has_lost_bytes_and_is_not_repaired_in_silence(self):
        number = self.make(FILE)
        os.ftruncate(number, SIZE - 1)
        self.target.kill()
        self.target.start()
        self.assertEqual(self.target.process.wait(20), 1)
        self.assertIn(f"was cut to {SIZE - 1} bytes", self.target.log())
        self.assertIn("truncate -s", self.target.log())
        os.ftruncate(number, SIZE)
        self.target.start()
        self.assertEqual(os.fstat(self.descriptor(0)).st_size, SIZE)
        self.target.assert_sound()

    def test_a_host_that_locks_its_file_does_not_prevent_a_restart(self):
        number = os.dup(self.make(FILE))
        with self.assertRaises(BlockingIOError):
            fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
        self.target.kill()
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.target.start()
        host = self.link("host0")
        self.refuse(INVALID_INPUT, 89, host, DESCRIPTOR, bytes(8))
        self.assert_logged("is locked by another process")
        self.target.assert_sound()
        fcntl.flock(number, fcntl.LOCK_UN)
        self.assertEqual(os.pread(self.descriptor(0), 6, SIZE // 2), b"secret")
        with self.assertRaises(BlockingIOError):
            fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.close(number)

    def test_what_the_descriptor_cannot_do(self):
        number = self.make(ANONYMOUS)
        for seal in (fcntl.F_SEAL_WRITE, fcntl.F_SEAL_GROW, 0x10):
            with self.assertRaises(PermissionError):
                fcntl.fcntl(number, fcntl.F_ADD_SEALS, seal)
        for size in (0, SIZE - 4096, 2 * SIZE):
            with self.assertRaises(PermissionError):
                os.ftruncate(number, size)
        # Flags belong to the host's own open file description.
        fcntl.fcntl(number, fcntl.F_SETFL, os.O_APPEND | os.O_NONBLOCK)
        self.assertFalse(fcntl.fcntl(self.descriptor(0), fcntl.F_GETFL) & (os.O_APPEND | os.O_NONBLOCK))

    def test_the_next_host_gets_nothing_of_the_last(self):
        for kind in (ANONYMOUS, FILE):
            with self.subTest(kind):
                former = self.make(kind)
                if kind == FILE:
                    os.ftruncate(former, SIZE - 4096)
                self.release()
                os.pwrite(former, b"late", 0)
                self.give(1, tag(1))
                current = self.descriptor(1)
                self.assertEqual(os.pread(current, 6, SIZE // 2), bytes(6))
                os.pwrite(current, b"new secret", 100)
                if kind == ANONYMOUS:
                    self.assertEqual(os.pread(current, 4, 0), bytes(4))
                    self.assertEqual(os.pread(former, 10, 100), bytes(10))
                self.succeed(self.manager, INITIATE_RELEASE, ask_back(1, FORCED, SIZE, tag(1)))
                self.succeed(self.control, DELETE, tag(1))

    def test_the_next_host_in_the_same_turn(self):
        """A release, an offer, its acceptance and the request for a descriptor arrive together: the bytes are not zeroed yet."""
        former, host = self.make(ANONYMOUS), self.link("host1")
        with self.target.stopped():
            self.manager.link.send(request(INITIATE_RELEASE, ask_back(0, FORCED | SANITIZE, SIZE, tag(1)), 1))
            self.manager.link.send(request(INITIATE_ADD, add(1, FREE, 0, SIZE, tag(1)), 2))
            host.link.send(request(ADD_RESPONSE, ranges((0, SIZE)), 1))
            host.link.send(request(DESCRIPTOR, bytes(8), 2))
        self.manager.link.receive(), self.manager.link.receive(), host.link.receive()
        for number in host.link.receive().descriptors:
            self.addCleanup(os.close, number)
            self.assertNotEqual(os.fstat(number).st_ino, os.fstat(former).st_ino)
        self.assertEqual(os.pread(former, 6, SIZE // 2), bytes(6))
        self.target.assert_sound()
