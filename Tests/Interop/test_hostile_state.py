"""State directories that fail, lie or are shared, and a service that is killed at the worst moment."""

import os
import resource
import struct
import time

from hostile import *


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
