"""fmapictl for tests: its environment, runs of it, terminals around it, and a device in the middle of its work."""

from __future__ import annotations

import os
import struct
import subprocess
import tempfile
import time
import uuid
from pathlib import Path

from daemon import PATIENCE, TOOL, Daemon
from fmapid_peer import FM_API, Peer, connect_packet, connect_serial

MIB, GIB = 1 << 20, 1 << 30

LISTENERS = [
    "--listen", "fm=fm,serial,unix:{dir}/fm.sock",
    "--listen", "host0=host:0,packet,unix:{dir}/host0.sock",
    "--listen", "host1=host:1,packet,unix:{dir}/host1.sock",
    "--listen", "control=control,packet,unix:{dir}/control.sock",
]  # fmt: skip


NAMES = uuid.UUID("919d1d30-d048-4882-b978-6240ee1f60bb")
"""The namespace of names (protocol/README.md, C000h)."""


def tag(key: int | str) -> bytes:
    """The tag of a name; those of numbers tell themselves apart in their first digits."""
    return uuid.uuid5(NAMES, key).bytes if isinstance(key, str) else bytes([key * 17]) * 16


class Device:
    """A lazy device with two hosts, and a peer on every link. Further hosts have none."""

    def __init__(self, hosts: int = 2) -> None:
        self.daemon = Daemon(*LISTENERS, device=["--lazy", "4GiB", "--regions", "1", "--hosts", str(hosts)])

    def __enter__(self) -> Device:
        self.daemon.__enter__()
        self.fm: Peer = self.daemon.peer(connect_serial, "fm.sock")
        self.control: Peer = self.daemon.peer(connect_packet, "control.sock")
        self.hosts: list[Peer] = [self.daemon.peer(connect_packet, f"host{number}.sock") for number in range(2)]
        return self

    def __exit__(self, *details) -> None:
        for peer in [self.fm, self.control, *self.hosts]:
            peer.link.close()
        self.daemon.__exit__(*details)

    @property
    def environment(self) -> dict[str, str]:
        """For fmapictl: where the links are, and characters in UTF-8."""
        links = {f"FMAPICTL_{name.upper()}": str(self.daemon.path / f"{name}.sock") for name in ["fm", "control", "host0", "host1"]}
        return {**os.environ, **links, "LC_ALL": "C.UTF-8", "SWIFT_BACKTRACE": "enable=no"}

    def run(self, *arguments: str, **changes: str) -> str:
        """Standard output of a run that must succeed."""
        environment = {**self.environment, **changes}
        done = subprocess.run([TOOL, *arguments], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    # Steps of a device's work.

    def create(self, key: int | str, size: int) -> None:
        name = key.encode() if isinstance(key, str) else b""
        self._must(self.control.command(0xC000, tag(key) + struct.pack("<QBBHB3x", size, 0, 0, 0, len(name)) + name))

    def add(self, host: int, start: int, size: int, key: int | str) -> None:
        header = struct.pack("<HBBQ16x", host, 2, 0, 0)
        extent = struct.pack("<QQ16sHHHH", start, size, tag(key), 0, 0, 0, 0)
        self._must(self.fm.command(0x5604, header + struct.pack("<I", 1) + extent, kind=FM_API))

    def answer(self, host: int, *ranges: tuple[int, int]) -> None:
        """Accepts these ranges of the oldest offer; without any, rejects it."""
        payload = struct.pack("<IB3x", len(ranges), 0) + b"".join(struct.pack("<QQ8x", *each) for each in ranges)
        self._must(self.hosts[host].command(0x4802, payload))

    def delete(self, key: int | str) -> None:
        self._must(self.control.command(0xC001, tag(key)))

    def ask_back(self, host: int, size: int, key: int | str) -> None:
        self._must(self.fm.command(0x5605, struct.pack("<HBBQ", host, 0, 0, size) + tag(key), kind=FM_API))

    def give_back(self, host: int, start: int, size: int) -> None:
        self._must(self.hosts[host].command(0x4803, struct.pack("<IB3xQQ8x", 1, 0, start, size)))

    def work(self) -> None:
        """Host 0 has 1 GiB, is asked for 512 MiB and is offered 768 MiB; host 1 has 2 MiB; 256 MiB wait."""
        for number, size in enumerate([GIB, GIB // 2, 3 * GIB // 4, 2 * MIB, GIB // 4], start=1):
            self.create(number, size)
        self.add(0, 0, GIB, 1)
        self.answer(0, (0, GIB))
        self.add(0, 2 * GIB, GIB // 2, 2)
        self.answer(0, (2 * GIB, GIB // 2))
        self.ask_back(0, GIB // 2, 2)
        self.add(0, 3 * GIB, 3 * GIB // 4, 3)
        self.add(1, GIB, 2 * MIB, 4)
        self.answer(1, (GIB, 2 * MIB))

    @staticmethod
    def _must(response) -> None:
        assert response.code == 0, f"return code {response.code}, status {response.vendor_status}"


class Terminal:
    """A program in a terminal of tmux, with a server of its own."""

    def __init__(self, script: str, environment: dict[str, str], columns: int, rows: int) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="fmapid-tmux-")
        self._base = ["tmux", "-u", "-S", str(Path(self._directory.name) / "tmux"), "-f", "/dev/null"]
        environment = {**environment, "TERM": "xterm-256color"}
        environment.pop("TMUX", None)
        self._environment = environment
        self._tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), script)

    def _tmux(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._base, *arguments], env=self._environment, capture_output=True, text=True, timeout=PATIENCE, check=True
        )
        return done.stdout

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_) -> None:
        subprocess.run([*self._base, "kill-server"], env=self._environment, capture_output=True, timeout=PATIENCE, check=False)
        self._directory.cleanup()

    @property
    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    def wait_for(self, *texts: str) -> str:
        """The screen, once it shows all of these."""
        deadline = time.monotonic() + PATIENCE
        while not all(text in (screen := self.screen) for text in texts):
            assert time.monotonic() < deadline, f"{texts} do not appear:\n{screen}"
            time.sleep(0.02)
        return screen

    def type(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def resize(self, columns: int, rows: int) -> None:
        self._tmux("resize-window", "-x", str(columns), "-y", str(rows))
