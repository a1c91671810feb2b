"""Starts the real fmapid for a test, and stops it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from collections.abc import Callable
from pathlib import Path

from fmapid_peer import Link, Peer

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("FMAPID", ROOT / ".build/debug/fmapid"))
DEVICE = ["--lazy", "4GiB", "--regions", "1", "--hosts", "2"]
PATIENCE = 20.0
"""Seconds to wait for what takes milliseconds on an idle machine."""


def needs_program(name: str):
    return unittest.skipUnless(shutil.which(name), f"{name} is not installed")


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
        """The path of a socket or terminal link in the daemon's directory, once it is there."""
        path = self.path / name
        deadline = time.monotonic() + PATIENCE
        while not path.exists():
            if self.process.poll() is not None:
                raise AssertionError(f"it ended with {self.process.returncode} before {name} was there")
            if time.monotonic() > deadline:
                raise AssertionError(f"{name} did not appear in {PATIENCE} s")
            time.sleep(0.01)
        return str(path)

    def peer(self, connect: Callable[[str], Link], name: str) -> Peer:
        """A peer on the socket `name`, once it is listened on: a moment after it is there."""
        path = self.wait_for(name)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return Peer(connect(path))
            # The socket of one that was killed is refused, and then removed before the new one is there.
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
