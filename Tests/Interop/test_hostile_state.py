"""State directories that fail, lie or are shared, and a service that is killed at the worst moment."""

import os
import resource
import struct
import time

from fmapid_peer import CONTROL, GET_EID, SET_EID
from hostile import *
from mctp import Message


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
        self.succeed(manager, INITIATE_RELEASE, release)
        self.assertIn("could not be noted", self.target.log())
        self.refuse(INTERNAL_ERROR, 100, manager, INITIATE_ADD, add(1, FREE, 0, SIZE, tag(1)))
        self.limit_files(resource.RLIM_INFINITY)
        retry = add(1, FREE, 0, SIZE, tag(1))
        self.target.wait_until(
            lambda: manager.command(INITIATE_ADD, retry, kind=FM_API).code == SUCCESS, "the backend is offered again"
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
            self.assertEqual(control.control(GET_EID)[1][0], 9)
            self.assertEqual(self.target.assert_sound(), before)
        self.limit_files(resource.RLIM_INFINITY)
        self.target.wait_until(lambda: control.command(DELETE, tag(1)).code == SUCCESS, "changes are possible again")
        self.target.restart()
        self.assertEqual(self.target.assert_sound().backends, ())

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
        self.assertIn("fmapid.db: ", self.target.log())
