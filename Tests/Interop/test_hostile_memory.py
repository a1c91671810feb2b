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
        self.assertIn(b"database is locked", second.stderr)

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
