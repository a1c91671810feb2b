"""fmapid as systemd's service, as its administrator sees it. For tests inside the machine."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import unittest
from pathlib import Path

PATIENCE = 60.0
"""Seconds to wait for what takes milliseconds on an idle machine."""
SETTINGS = Path("/run/systemd/system")
STATE = Path("/var/lib/fmapid")
CONFIGURATION = Path("/etc/fmapid/fmapid.conf")
SERVICE = "fmapid.service"
OTHER_SERVICE = "fmapid@blue.service"
SOCKETS = {
    "fm": "fmapid-fm.socket",
    "control": "fmapid-control.socket",
    "host0": "fmapid-host@0.socket",
    "host1": "fmapid-host@1.socket",
}
AGENT = "fmapid-host-agent@0.service"
TCP_SOCKET = "fmapid-fm-tcp.socket"


def systemctl(*words: str, check: bool = True) -> str:
    done = subprocess.run(["systemctl", *words], capture_output=True, text=True, timeout=PATIENCE)
    if check and done.returncode != 0:
        raise AssertionError(f"systemctl {' '.join(words)}: {done.stderr.strip()}\n{log()}")
    return done.stdout.strip()


def show(name: str, unit: str = SERVICE) -> str:
    """A property of a unit."""
    return systemctl("show", "--value", f"--property={name}", unit)


def main_pid(unit: str = SERVICE) -> int:
    return int(show("MainPID", unit))


def log() -> str:
    words = ["journalctl", "--no-pager", "--lines=40", "--output=short-monotonic"]
    return subprocess.run(words, capture_output=True, text=True).stdout


def journal(*matches: str, since: float, text: str = "") -> list[dict]:
    """Entries with these fields, once there is one whose message has the text."""
    found: list[dict] = []

    def read() -> bool:
        words = ["journalctl", "--output=json", "--all", f"--since=@{since:.6f}", *matches]
        lines = subprocess.run(words, capture_output=True, text=True).stdout.splitlines()
        found[:] = [json.loads(line) for line in lines]
        return any(text in entry["MESSAGE"] for entry in found)

    wait_until(read, f"an entry with {' '.join(matches)} {text}")
    return found


def wait_until(condition, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not in {PATIENCE} s\n{log()}")
        time.sleep(0.01)


class ServiceTest(unittest.TestCase):
    """A service with no state behind open sockets, not yet running."""

    sockets = list(SOCKETS.values())

    def setUp(self) -> None:
        # An entry has the time at which the journal reads it, so all of the test before must have been read.
        subprocess.run(["journalctl", "--sync"], check=True, capture_output=True, timeout=PATIENCE)
        # What the journal calls "since" has microseconds, and this test's first entry must be later.
        self.since = time.time()
        self.addCleanup(self._clear)
        systemctl("start", *self.sockets)

    def _clear(self) -> None:
        # Sockets first, and the services by name: a connection may just be starting one that no pattern matches yet.
        systemctl("stop", "fmapid*.socket")
        systemctl("stop", SERVICE, OTHER_SERVICE, AGENT)
        systemctl("reset-failed")
        for state in STATE.parent.glob(f"{STATE.name}*"):
            shutil.rmtree(state)

    def write_configuration(self, text: str) -> None:
        """The device's configuration for the time of this test."""
        self.addCleanup(CONFIGURATION.write_text, CONFIGURATION.read_text())
        CONFIGURATION.write_text(text)

    def configure(self, unit: str, text: str) -> None:
        """A drop-in for the time of this test."""
        directory = SETTINGS / f"{unit}.d"
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / "test.conf"
        file.write_text(text)
        systemctl("daemon-reload")

        def undo() -> None:
            file.unlink(missing_ok=True)
            systemctl("daemon-reload")

        self.addCleanup(undo)
