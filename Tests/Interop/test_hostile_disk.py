"""A disk whose reads, writes and syncs fail now and then: what was refused is undone, and what was acknowledged stays."""

import errno
import mmap
import os
import random
import shutil
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

from hostile import *

READS, WRITES, SYNCS, CUTS = 1, 2, 4, 8
NOT_DURABLE, UNREADABLE = 100, 102
"""Reasons of Internal Error."""
NAMES = [tag(number) for number in range(8)]
ROUNDS = 150


@unittest.skipUnless(shutil.which("cc"), "cc is not installed")
@unittest.skipIf("FMAPID_SANITIZER" in os.environ, "a sanitizer's own library has to come first")
def setUpModule() -> None:
    global directory
    directory = tempfile.TemporaryDirectory(prefix="fmapid-faults-")
    source, target = Path(__file__).with_name("faults.c"), Path(directory.name) / "faults.so"
    subprocess.run(["cc", "-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o", target, source], check=True)
    Path(directory.name, "faults").write_bytes(bytes(16))


def tearDownModule() -> None:
    directory.cleanup()


class DiskTest(HostileTest):
    def setUp(self) -> None:
        with open(Path(directory.name, "faults"), "r+b") as file:
            self.faults = self.enterContext(mmap.mmap(file.fileno(), 16))
        self.disarm()
        self.options = {"before": ["env", f"LD_PRELOAD={directory.name}/faults.so", f"FAULTS={directory.name}/faults"]}
        super().setUp()

    def arm(self, kinds: int, skip: int, times: int, error: int = errno.EIO) -> None:
        self.faults[:] = struct.pack("<4i", kinds, skip, times, error)

    def disarm(self) -> None:
        self.faults[:] = bytes(16)

    @property
    def pending(self) -> int:
        """Faults that are still to come."""
        return struct.unpack("<4i", self.faults)[2]

    def test_two_syncs_fail(self):
        """The changes are in the log then, and the disk takes no word of their being undone; a restart does not find them."""
        control = self.link("control")
        self.succeed(control, CREATE, backend(tag(1)))
        before = self.target.assert_sound()
        self.arm(SYNCS, 0, 2)
        self.refuse(INTERNAL_ERROR, NOT_DURABLE, control, CREATE, backend(tag(2)))
        self.assertEqual(self.pending, 0)
        self.assertEqual(self.target.assert_sound(), before)
        self.target.restart()
        self.assertEqual(self.target.assert_sound(), before)

    def test_faults_at_random(self):
        seed = int(os.environ.get("FMAPID_SEED", 20261123))
        print(f"    seed {seed}")
        self.random = random.Random(seed)
        expected, failed, acknowledged = self.target.assert_sound(), 0, 0
        for _ in range(ROUNDS):
            kinds = self.random.choice([WRITES, SYNCS, WRITES | SYNCS, WRITES | SYNCS | CUTS, READS, READS | WRITES | SYNCS | CUTS])
            self.arm(kinds, self.random.randrange(12), self.random.randint(1, 2), self.random.choice([errno.EIO, errno.ENOSPC]))
            for _ in range(self.random.randint(1, 12)):
                if not self.change():
                    failed += 1
                    break
                expected = self.target.assert_sound()
                acknowledged += 1
            self.disarm()
            if self.random.random() < 0.3:
                # It ends in peace, whatever has failed before.
                self.assertEqual(self.target.stop(), 0)
                self.target.drop_probe()
                self.target.start()
            else:
                self.target.restart()
            self.assertEqual(self.target.assert_sound(), expected)
        print(f"    {ROUNDS} restarts, {acknowledged} commands answered, {failed} that could not be made durable")
        self.assertGreater(failed, ROUNDS // 10)
        self.assertGreater(acknowledged, ROUNDS)

    def change(self) -> bool:
        """Sends a command that may change something; False if the change could not be made durable."""
        name, host = self.random.choice(NAMES), self.random.randrange(HOSTS)
        link, opcode, payload = self.random.choice(
            [
                ("control", CREATE, backend(name)),
                ("control", DELETE, name),
                ("manager", INITIATE_ADD, add(host, FREE, 0, SIZE, name)),
                (f"host{host}", ADD_RESPONSE, ranges((self.random.randrange(3) * SIZE, SIZE))),
                ("manager", INITIATE_RELEASE, ask_back(host, self.random.choice([0, FORCED]), SIZE, name)),
                (f"host{host}", RELEASE, ranges((self.random.randrange(3) * SIZE, SIZE))),
            ]
        )
        with self.target.link(link) as peer:
            response = peer.command(opcode, payload, kind=message_type(opcode), timeout=PATIENCE)
        if response.code == INTERNAL_ERROR:
            self.assertIn(response.vendor_status, (NOT_DURABLE, UNREADABLE))
            return False
        return True
