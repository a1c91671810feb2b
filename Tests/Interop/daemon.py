"""Starts the real fmapid for a test, and stops it."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
import unittest
from collections.abc import Callable
from pathlib import Path

from fmapid_peer import PATIENCE, Link, Peer

ROOT = Path(__file__).resolve().parents[2]
# Absolute: many tests have directories of their own.
BINARY = Path(os.environ.get("FMAPID", ROOT / ".build/debug/fmapid")).absolute()
TOOL = Path(os.environ.get("FMAPICTL", BINARY.parent / "fmapictl")).absolute()
DEVICE = ["--lazy", "4GiB", "--regions", "1", "--hosts", "2"]


def needs_program(name: str):
    return unittest.skipUnless(shutil.which(name), f"{name} is not installed")


def is_there(path: Path) -> bool:
    """Whether somebody can connect. The file of a socket is there a moment before it is listened on, and for long after a `kill -9`."""
    try:
        if not stat.S_ISSOCK(path.stat().st_mode):
            return True
    except OSError:
        return False
    # unix(7) has the columns; the flag is the kernel's __SO_ACCEPTCON.
    rows = (line.split(maxsplit=7) for line in Path("/proc/net/unix").read_text(errors="replace").splitlines()[1:])
    return any(len(row) == 8 and row[7] == str(path) and int(row[3], 16) & 0x10000 for row in rows)


def next_line(process: subprocess.Popen) -> str:
    """The next line that a program prints; none if it ends first. One that prints nothing for too long is ended."""
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    try:
        return process.stdout.readline()
    finally:
        timer.cancel()


class Daemon:
    """One fmapid in a directory of its own. `arguments` may contain {dir}; `before` is a command that starts it."""

    def __init__(self, *arguments: str, before: list[str] | None = None, device: list[str] = DEVICE) -> None:
        if not BINARY.exists():
            raise FileNotFoundError(f"{BINARY}: run swift build first, or set FMAPID")
        self._directory = tempfile.TemporaryDirectory(prefix="fmapid-interop-")
        self.path = Path(self._directory.name)
        (self.path / "state").mkdir()
        command = [*(before or []), str(BINARY), *device, "--state-dir", "{dir}/state", *arguments]
        self.command = [part.replace("{dir}", str(self.path)) for part in command]
        self._log = open(self.path / "log", "w+b")
        self.start()

    def start(self) -> None:
        """Starts it, again if it has ended."""
        # Swift's crash handler would keep a crashed service alive while it symbolizes.
        environment = {**os.environ, "SWIFT_BACKTRACE": "enable=no"}
        self.process = subprocess.Popen(
            self.command, env=environment, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
        )

    def __enter__(self) -> Daemon:
        return self

    def __exit__(self, kind, *_) -> None:
        # Whether it stops on request is a test's question (`stop`); here it only has to be gone.
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if kind:
            print(f"--- log of {self.process.args[0]}\n{self.log()}---", flush=True)
        self._log.close()
        self._directory.cleanup()

    def log(self) -> str:
        return (self.path / "log").read_text(errors="replace")

    def wait_for(self, name: str) -> str:
        """The path of a socket that is listened on, or of a terminal link, in the daemon's directory, once it is there."""
        path = self.path / name
        deadline = time.monotonic() + PATIENCE
        while not is_there(path):
            if self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode} before {name} was there")
            if time.monotonic() > deadline:
                raise AssertionError(f"{name} did not appear in {PATIENCE} s")
            time.sleep(0.01)
        return str(path)

    def peer(self, connect: Callable[[str], Link], name: str) -> Peer:
        """A peer on the socket or terminal link `name`, once it is there."""
        path = self.wait_for(name)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return Peer(connect(path))
            # It may have been killed meanwhile, and started again.
            except (ConnectionRefusedError, FileNotFoundError):
                if self.process.poll() is not None:
                    raise AssertionError(f"it ended with {self.process.returncode}") from None
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def wait(self) -> int:
        """Exit status of a daemon that ends by itself."""
        return self.process.wait(PATIENCE)

    def stop(self) -> int:
        """Asks it to end; exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)
