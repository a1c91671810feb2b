"""SIGHUP: the configuration file is read again."""

import signal
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from daemon import BINARY, PATIENCE
from fmapid_peer import SUCCESS, Peer, connect_packet

CONFIGURATION = """
kind = "lazy"
capacity = "4GiB"
hosts = 2
{more}

[[listener]]
name = "control"
role = "control"
binding = "packet"
address = "unix:{directory}/control"
{backend}
"""
BACKEND = """
[[backend]]
tag = "5be13bce-ae34-4a77-b6c3-16df975fcf1a"
size = "64MiB"
"""


class ReloadTest(unittest.TestCase):
    def setUp(self):
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="fmapid-reload-")))
        self.write()
        self.log = open(self.directory / "log", "w+")
        self.addCleanup(self.log.close)
        self.process = subprocess.Popen(
            [BINARY, "--config", self.directory / "conf", "--state-dir", self.directory / "state"], stderr=self.log
        )
        self.addCleanup(self.process.wait)
        self.addCleanup(self.process.kill)
        self.wait_for("regions")
        self.control = self.enterContext(Peer(connect_packet(str(self.directory / "control"))))

    def write(self, more: str = "", backend: str = "") -> None:
        text = CONFIGURATION.format(directory=self.directory, more=more, backend=backend)
        (self.directory / "conf").write_text(text)

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while text not in (self.directory / "log").read_text():
            self.assertIsNone(self.process.poll(), (self.directory / "log").read_text())
            self.assertLess(time.monotonic(), deadline, (self.directory / "log").read_text())
            time.sleep(0.01)

    def backends(self) -> int:
        response = self.control.command(0xC002, struct.pack("<II", 0, 0))
        self.assertEqual(response.code, SUCCESS)
        return struct.unpack_from("<I", response.payload, 4)[0]

    def test_reload(self):
        self.assertEqual(self.backends(), 0)
        self.write(more="eid = 20", backend=BACKEND)
        self.process.send_signal(signal.SIGHUP)
        self.wait_for("the configuration was read again")
        self.assertEqual(self.backends(), 1)
        self.wait_for("only a restart applies it: eid")

        self.write(more="hosts = 9000")
        self.process.send_signal(signal.SIGHUP)
        self.wait_for("conf:5: ")
        self.assertEqual(self.backends(), 1)
        self.assertIsNone(self.process.poll())
        self.process.terminate()
        self.assertEqual(self.process.wait(PATIENCE), 0)
