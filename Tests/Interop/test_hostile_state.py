"""State directories that fail, lie or are shared, and a service that is killed at the worst moment."""

import os
import random
import resource
import shutil
import sqlite3
import struct
import subprocess
import time
import unittest

from fmapid_peer import CONTROL, GET_EID, SET_EID
from hostile import *
from mctp import Message


REFUSED = 1.0
"""Seconds after a failed commit in which changes are refused at once."""


class DiskTest(HostileTest):
    """Writes fail: a limit on the size of files stands in for a full disk."""

    def limit_files(self, size: int) -> None:
        resource.prlimit(self.target.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    @property
    def journal(self) -> int:
        """Bytes of SQLite's write-ahead log."""
        return (self.target.path / "state/fmapid.db-wal").stat().st_size

    def test_zeroing_that_cannot_be_noted(self):
        """A crash must not have bytes zeroed again that somebody got meanwhile."""
        self.succeed(self.link("control"), CREATE, backend(tag(1), SIZE, FILE, 0, b"file"))
        manager, release = self.link("manager"), ask_back(0, FORCED | SANITIZE, SIZE, tag(1))
        for _ in range(2):
            self.give(0, tag(1))
            before = self.journal
            self.succeed(manager, INITIATE_RELEASE, release)
        grown = self.journal - before
        self.give(0, tag(1))
        # Room for the release, and not for the note that the bytes are zero.
        self.limit_files(self.journal + grown - 1)
        began, again = time.monotonic(), add(1, FREE, 0, SIZE, tag(1))
        self.succeed(manager, INITIATE_RELEASE, release)
        self.assert_logged("could not be noted")
        answer = manager.command(INITIATE_ADD, again, kind=FM_API)
        if time.monotonic() - began < REFUSED:
            self.assertEqual((answer.code, answer.vendor_status), (INTERNAL_ERROR, 100))
        self.limit_files(resource.RLIM_INFINITY)
        self.target.wait_until(
            lambda: answer.code == SUCCESS or manager.command(INITIATE_ADD, again, kind=FM_API).code == SUCCESS,
            "the backend is offered again",
        )
        self.succeed(self.link("host1"), ADD_RESPONSE, ranges((0, SIZE)))
        os.pwrite(self.descriptor(1), b"precious", 4096)
        self.target.restart()
        self.assertEqual(os.pread(self.descriptor(1), 8, 4096), b"precious")
        self.target.assert_sound()

    def test_changes_that_cannot_be_written(self):
        control = self.link("control")
        self.succeed(control, CREATE, backend(tag(1)))
        before = self.target.assert_sound()
        with self.target.keeps_descriptors(), Witness(self.target):
            self.limit_files(self.journal)
            began = time.monotonic()
            # In one turn: a change, a look at it, an EID.
            with self.target.stopped():
                control.link.send(request(DELETE, tag(1), 1))
                control.link.send(request(LIST_BACKENDS, bytes(8), 2))
                control.link.send(Message(9, 8, CONTROL, bytes([0x80, SET_EID, 0, 33]), tag=3))
            answers = [control.link.receive(PATIENCE).body for _ in range(3)]
            codes = [struct.unpack_from("<HH", body, 8) for body in answers[:2]]
            self.assertEqual(codes, [(INTERNAL_ERROR, 100), (RETRY_REQUIRED, 101)])
            self.assertEqual(answers[2], bytes([0, SET_EID, 1]))
            for _ in range(20):
                self.refuse(INTERNAL_ERROR, 100, control, DELETE, tag(1))
                self.assertEqual(control.control(SET_EID, bytes([0, 33]))[0], 1)
            self.assertEqual(control.control(GET_EID)[1][0], 9)
            # A failed commit has the whole state read again, so one is enough for a while.
            failures = self.target.log().count("could not be made durable and were undone: ")
            self.assertIn(failures, range(1, 2 + int((time.monotonic() - began) / REFUSED)))
            self.assertEqual(self.target.assert_sound(), before)
        self.limit_files(resource.RLIM_INFINITY)
        self.target.wait_until(lambda: control.command(DELETE, tag(1)).code == SUCCESS, "changes are possible again")
        self.target.restart()
        self.assertEqual(self.target.assert_sound().backends, ())

    @unittest.skipIf(os.environ.get("FMAPID_SANITIZER") == "thread", "ThreadSanitizer itself writes a file when it starts, and maps it")
    def test_a_start_that_cannot_write(self):
        """What is there is told; changes are refused. A state that cannot be made ends the service with a word."""
        self.succeed(self.link("control"), CREATE, backend(tag(1), SIZE, FILE, 0, b"file"))
        before = self.target.assert_sound()
        self.target.kill()
        command = self.target.command
        self.target.command = ["prlimit", f"--fsize={self.journal}:", *command]
        self.target.start()
        self.assertEqual(self.target.assert_sound(), before)
        self.refuse(INTERNAL_ERROR, 100, self.link("control"), DELETE, tag(1))
        self.target.kill()
        for file in (self.target.path / "state").iterdir():
            file.unlink()
        for size in (4096, 8192, 0):
            with self.subTest(size):
                self.target.command = ["prlimit", f"--fsize={size}:", *command]
                self.target.start()
                self.assertEqual(self.target.wait(), 1)
        self.assert_logged("fmapid.db: ")


class DatabaseTest(HostileTest):
    """A database that somebody made or damaged: it is refused with one line, or the service works on what it says."""

    options = {"device": ["--static", "4GiB", "--hosts", "2", "--regions", "2", "--sharable-region", "1"]}

    def setUp(self):
        super().setUp()
        self.file = self.target.path / "state/fmapid.db"
        manager, host = self.link("manager"), self.link("host0")
        for number, region in enumerate((0, 0, 1), 1):
            self.succeed(manager, INITIATE_ADD, add(0, FREE, region, SIZE, tag(number)))
        self.succeed(host, ADD_RESPONSE, ranges((0, SIZE)))
        self.succeed(host, DESCRIPTOR, bytes(8))
        self.assertEqual(self.target.stop(), 0)
        self.target.drop_probe()
        self.good = self.file.read_bytes()
        # A service that is stopped leaves everything in the tables, where the tests spoil it.
        with contextlib.closing(sqlite3.connect(self.file)) as database:
            rows = {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("journal", "extent", "offer")}
        self.assertEqual(rows, {"journal": 0, "extent": 3, "offer": 2})

    def start(self) -> bool:
        """Whether it serves; if not, it said why in one line."""
        lines = len(self.target.log().splitlines())
        self.target.start()
        try:
            self.target.link("manager").link.close()
            return True
        except AssertionError:
            self.assertEqual(self.target.wait(), 1)
            self.assertEqual(len(self.target.log().splitlines()), lines + 1, self.target.log())
            return False

    def use(self) -> None:
        """Commands that touch all that there is; whatever they answer, the service lives."""
        manager, host = self.target.link("manager"), self.target.link("host0")
        with manager, host:
            for number in range(1, 6):
                for opcode, payload in {
                    INITIATE_ADD: add(number % 2, FREE, number % 2, SIZE, tag(number)), ADD_REFERENCE: tag(number),
                    INITIATE_RELEASE: ask_back(0, FORCED | SANITIZE, SIZE, tag(number)), REMOVE_REFERENCE: tag(number),
                    GET_EVENTS: b"\4", LIST_TAGS: struct.pack("<II", 0, 50),
                }.items():  # fmt: skip
                    manager.command(opcode, payload, kind=message_type(opcode), timeout=PATIENCE)
                for opcode, payload in {
                    GET_EVENTS: b"\4", HOST_EXTENTS: struct.pack("<II", 50, 0), DESCRIPTOR: bytes(8),
                    ADD_RESPONSE: ranges((0, SIZE)), RELEASE: ranges((0, SIZE)),
                }.items():  # fmt: skip
                    for number in host.command(opcode, payload, timeout=PATIENCE).descriptors:
                        os.close(number)
        self.target.assert_alive()

    def restore(self) -> None:
        self.target.kill()
        shutil.rmtree(self.file.parent)
        self.file.parent.mkdir()
        self.file.write_bytes(self.good)

    def test_what_is_no_database_of_ours(self):
        def other(path):
            with sqlite3.connect(path) as database:
                database.execute("CREATE TABLE t(x)")
            database.close()

        for name, make in {
            "text": lambda path: path.write_text("this is not a database\n" * 500),
            "zeros": lambda path: path.write_bytes(bytes(len(self.good))),
            "half": lambda path: path.write_bytes(self.good[: len(self.good) // 2]),
            "one byte short of a page": lambda path: path.write_bytes(self.good[:4095]),
            "somebody else's": other,
            "directory": lambda path: path.mkdir(),
            "fifo": lambda path: os.mkfifo(path),
        }.items():
            with self.subTest(name):
                self.restore()
                self.file.unlink()
                make(self.file)
                self.assertFalse(self.start())

    def change(self, *statements: str) -> None:
        self.restore()
        database = sqlite3.connect(self.file)
        for statement in statements:
            database.execute(statement)
        database.commit()
        database.close()

    def test_a_newer_version(self):
        self.change("PRAGMA user_version = 1000")
        self.assertFalse(self.start())
        self.assert_logged("version 1000")

    def test_numbers_that_cannot_be(self):
        for statement in (
            "UPDATE device SET next_pool = -1", "UPDATE device SET next_pool = -2", "UPDATE device SET next_backend = 4294967295",
            "UPDATE device SET log_first = 9223372036854775807", "UPDATE host SET log_first = -1",
            "UPDATE host SET next_offer = 4294967295", "UPDATE extent SET length = -1", "UPDATE extent SET start = -4194304",
            "UPDATE extent SET slot = 33554433 WHERE slot = 0", "UPDATE extent SET object = 7", "UPDATE extent SET tag = 2147483647",
            "UPDATE object SET size = 1", "UPDATE object SET number = 9223372036854775807", "UPDATE tag SET position = 5",
            "UPDATE tag SET pieces = x'00'", "UPDATE region SET block_size = 0", "UPDATE event SET number = number + 1000",
            "UPDATE event SET kind = 200", "UPDATE offer SET members = zeroblob(24)", "DELETE FROM object", "DELETE FROM host",
            "DELETE FROM device", "DELETE FROM tag", "INSERT INTO history VALUES (zeroblob(16), -1)",
            "INSERT INTO journal(changes) VALUES (x'ff')", "INSERT INTO journal(changes) VALUES ('text')",
            # An extent of slot 0 that is deleted, and a tag whose list is broken.
            "INSERT INTO journal(changes) VALUES (x'0a0100')", "INSERT INTO journal(changes) VALUES (x'0509ffffffff')",
            "DROP TABLE journal", "DROP TABLE extent", "ALTER TABLE event DROP COLUMN timestamp",
        ):  # fmt: skip
            with self.subTest(statement):
                self.change(statement)
                if self.start():
                    self.use()

    def test_tables_that_take_no_changes(self):
        """The journal takes them, and the log says so, once."""
        self.change("CREATE TRIGGER refuse BEFORE INSERT ON extent BEGIN SELECT raise(ABORT, 'not today'); END")
        self.assertTrue(self.start())
        for _ in range(200):
            with self.target.link("manager") as manager, self.target.link("host1") as host:
                self.succeed(manager, INITIATE_ADD, add(1, FREE, 0, SIZE, tag(9)))
                self.succeed(host, ADD_RESPONSE, ranges((0, SIZE)))
                self.succeed(host, RELEASE, ranges((0, SIZE)))
        (line,) = [line for line in self.target.log().splitlines() if "changes wait in the journal" in line]
        self.assertIn("not today", line)
        before = self.target.assert_sound()
        self.target.kill()
        with contextlib.closing(sqlite3.connect(self.file)) as database:
            database.execute("DROP TRIGGER refuse")
        self.assertTrue(self.start())
        self.assertEqual(self.target.assert_sound(), before)

    def test_damaged_bytes(self):
        generator = random.Random(7)
        for number in range(25):
            with self.subTest(number):
                self.restore()
                damaged = bytearray(self.good)
                for _ in range(generator.choice((1, 2, 10, 100))):
                    damaged[generator.randrange(len(damaged))] = generator.randrange(256)
                self.file.write_bytes(damaged)
                if self.start():
                    self.use()


class ReadOnlyTest(HostileTest):
    options = {"unprivileged": True}

    def test_a_state_that_may_not_be_written(self):
        if os.geteuid() == 0 and not shutil.which("setpriv"):
            self.skipTest("root may write everything, and setpriv is not installed")
        self.succeed(self.link("control"), CREATE, backend(tag(1)))
        self.target.kill()
        directory = self.target.path / "state"
        for path, mode in ((directory / "fmapid.db", 0o444), (directory, 0o555)):
            path.chmod(mode)
            self.target.start()
            self.assertEqual(self.target.wait(), 1)
            self.assertTrue(f"{directory}/fmapid.db: " in self.target.log().splitlines()[-1])
        directory.chmod(0o755)
        (directory / "fmapid.db").chmod(0o644)
        self.target.start()
        self.assertEqual(len(self.target.assert_sound().backends), 1)


class KillTest(HostileTest):
    """SIGKILL while requests are on their way: what was answered is there, and what was not is there in order, or not at all."""

    ROUNDS, REQUESTS = 12, 80

    def test_killed_while_backends_come_and_go(self):
        generator = random.Random(11)
        present: frozenset[bytes] = frozenset()
        for turn in range(self.ROUNDS):
            states = [present]
            control = self.target.link("control")
            for number in range(self.REQUESTS):
                name = tag(generator.randrange(8))
                opcode = DELETE if name in states[-1] else CREATE
                kind = generator.choice((ANONYMOUS, FILE))
                # A file is closed at the end of the turn that deletes its backend, so each gets a new one.
                path = b"%d-%d" % (turn, number) if kind == FILE else b""
                control.link.send(request(opcode, name if opcode == DELETE else backend(name, SIZE, kind, 0, path), number))
                states.append(states[-1] ^ {name})
            answered = generator.randrange(self.REQUESTS)
            codes = [struct.unpack_from("<HH", control.link.receive(PATIENCE).body, 8) for _ in range(answered)]
            self.target.kill()
            control.link.close()
            self.assertEqual(codes, [(SUCCESS, 0)] * answered)
            self.target.start()
            present = frozenset(one[:16] for one in self.target.assert_sound().backends)
            self.assertIn(present, states[answered:])


class SharedStateTest(HostileTest):
    def test_two_services_on_one_state(self):
        before = self.target.assert_sound()
        other = [part.replace("/state", "/state/../state") if part.endswith("/state") else part for part in self.target.command]
        for command in (self.target.command, other):
            second = subprocess.run(command, capture_output=True, timeout=PATIENCE)
            self.assertEqual(second.returncode, 1)
            self.assertIn(b"it is in use", second.stderr)
        self.succeed(self.link("control"), CREATE, backend(tag(1)))
        self.assertEqual(len(self.target.assert_sound().backends), len(before.backends) + 1)


if __name__ == "__main__":
    unittest.main()
