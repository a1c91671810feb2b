"""Random traffic for as long as one likes, with links and a store that fail: soak.py [MINUTES], or FMAPID_SOAK_SECONDS.

32 links of all roles, on both bindings, do what makes sense often, but not always. Meanwhile links are cut within frames, reset, and left
unread; the disk fills up, and the service is killed and started again (in the first third only: after that one process has to last). Now and
then the traffic pauses, and the device is looked at: its lists agree with each other, as hosts and fabric manager see them, and with a
second model of one host that nobody else touches; every descriptor is accounted for. At the end all is taken back, and memory is what it was.

Exit status 0 if all of that held.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import re
import resource
import shutil
import struct
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator

from hostile import *
from soak_links import NOT_DURABLE_ANSWERS, Control, Exact, Host, Manager, Saboteur, Worker

HOSTS = 5
"""The last one belongs to the second model."""
LINKS = {Manager: ("fm",) * 3 + ("manager",) * 4, Control: ("control",) * 5, Saboteur: (None,) * 3,
         Host: ("host0", "host1", "host2", "host3") * 3 + ("serial0", "serial1") * 2, Exact: (None,)}  # fmt: skip
SLOWEST = 30.0
"""Seconds until an answer, disk failures included."""
PAUSE = 4.0
"""Seconds between two looks at the device."""
TMPFS = 48 * MIB
GROWTH = 3 * MIB
"""What memory may grow from the end of the warm-up to the end: the allocator's pages, and SQLite's cache."""


class Soaked(Target):
    listeners = {
        "fm": "fm,serial,unix:{dir}/fm", "manager": "fm,packet,unix:{dir}/manager", "calm": "control,packet,unix:{dir}/calm",
        "control": "control,packet,unix:{dir}/control",
        "hostile-packet": "host:0,packet,unix:{dir}/hostile-packet", "hostile-serial": "fm,serial,unix:{dir}/hostile-serial",
        **{f"host{host}": f"host:{host},packet,unix:{{dir}}/host{host}" for host in range(HOSTS)},
        **{f"serial{host}": f"host:{host},serial,unix:{{dir}}/serial{host}" for host in range(2)},
    }  # fmt: skip
    hosts = HOSTS

    def start(self) -> None:
        self.is_small = getattr(self, "is_small", None) or self.mount()
        super().start()

    def mount(self) -> bool:
        """Puts the state on a small file system of its own, where that is allowed: one that can be filled up."""
        if os.geteuid() != 0 or not shutil.which("mount"):
            return False
        command = ["mount", "-t", "tmpfs", "-o", f"size={TMPFS}", "tmpfs", str(self.path / "state")]
        return subprocess.run(command, capture_output=True).returncode == 0

    def __exit__(self, *details) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.is_small:
            subprocess.run(["umount", "-l", str(self.path / "state")], check=True)
        super().__exit__(*details)


class Gate:
    """Many may pass at a time, or one alone."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._inside = 0
        self._closed = False

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        with self._condition:
            self._condition.wait_for(lambda: not self._closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._condition:
                self._inside -= 1
                self._condition.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        with self._condition:
            self._closed = True
            self._condition.wait_for(lambda: self._inside == 0)
        try:
            yield
        finally:
            with self._condition:
                self._closed = False
                self._condition.notify_all()


class Soak:
    def __init__(self, target: Soaked, seconds: float, seed: int) -> None:
        self.target, self.seconds, self.random = target, seconds, random.Random(seed)
        self.gate = Gate()
        self.counts: Counter[str] = Counter()
        self.slowest = 0.0
        self.ended = threading.Event()
        self.failure: str | None = None
        # Whether changes may be refused now because they cannot be written.
        self.store_fails = False
        # Whether the service is not there, and how often it was killed before.
        self.is_dead, self.life = False, 0
        self.samples: list[tuple[float, int, int]] = []
        self.began = time.monotonic()
        kinds = [(kind, name) for kind, names in LINKS.items() for name in names]
        self.workers: list[Worker] = [kind(self, name, index, seed + index) for index, (kind, name) in enumerate(kinds)]

    # What workers call.

    def note(self, seconds: float) -> None:
        self.counts["commands"] += 1
        self.slowest = max(self.slowest, seconds)
        if seconds > SLOWEST:
            raise AssertionError(f"an answer took {seconds:.1f} s")

    def fail(self, text: str) -> None:
        self.failure = self.failure or text
        self.ended.set()

    # Failures of the service and its store.

    def kill(self) -> None:
        """With commands on their way."""
        self.is_dead = True
        self.target.kill()
        with self.gate.alone():
            self.target.start()
            self.target.state()
            self.life, self.is_dead = self.life + 1, False
        self.counts["kills"] += 1

    @contextlib.contextmanager
    def failing_store(self) -> Iterator[None]:
        self.store_fails = True
        try:
            yield
        finally:
            with self.gate.alone():
                # Changes are tried again after a moment.
                peer = self.target.link("calm")
                probe = backend(bytes(15) + b"\1")
                self.target.wait_until(lambda: peer.command(CREATE, probe, timeout=PATIENCE).code == SUCCESS, "changes are possible again")
                self.target.wait_until(lambda: peer.command(DELETE, probe[:16], timeout=PATIENCE).code == SUCCESS, "it can be deleted")
                peer.link.close()
                self.store_fails = False

    def limit_files(self) -> None:
        """No file can be written, not even where it has been written before: unprivileged, and everywhere."""
        pid, before = self.target.process.pid, self.counts[NOT_DURABLE_ANSWERS]
        with self.failing_store():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            self.ended.wait(self.random.uniform(0.1, 1.0))
            # Somebody tries to change something all the time, but on a busy machine it may take a moment.
            is_noticed = lambda: self.counts[NOT_DURABLE_ANSWERS] > before or self.ended.is_set()
            self.target.wait_until(is_noticed, "a change is refused, as no file can be written")
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.counts["times that files could not be written"] += 1

    def fill_disk(self) -> None:
        ballast = self.target.path / "state/ballast"
        with self.failing_store():
            with open(ballast, "wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(1 << 16))
            self.ended.wait(self.random.uniform(0.1, 1.0))
            ballast.unlink()
        self.counts["times that the disk was full"] += 1

    # The look at the device.

    def look(self) -> None:
        with self.gate.alone():
            state = self.target.assert_sound()
            for host in range(HOSTS):
                with self.target.link(f"host{host}") as peer:
                    own, _ = read_list(peer, OWN_EXTENTS)
                    assert own == state.extents[host], f"host {host} and the fabric manager see different extents"
            for worker in self.workers:
                worker.check(state)
            # What it had at first, one for each backend and link, and nothing else.
            links = sum(worker.open_links for worker in self.workers) + 1
            expected = self.idle + len(state.backends) + links
            self.target.wait_until(lambda: self.target.descriptors() <= expected, f"{expected} descriptors or fewer are open")
            self.samples.append((time.monotonic() - self.began, self.target.resident(), self.target.descriptors() - expected))
        self.counts["looks"] += 1

    def take_back(self) -> None:
        """Ends all that hosts have, and all backends."""
        with self.gate.alone():
            for worker in self.workers:
                worker.disconnect()
            with self.target.link("manager") as manager, self.target.link("calm") as control:
                state = self.target.state()
                for entry in state.tags:
                    manager.command(REMOVE_REFERENCE, entry[:16], kind=FM_API, timeout=PATIENCE)
                    sizes = {one[:16]: struct.unpack_from("<Q", one, 16)[0] for one in state.backends}
                    for host in range(HOSTS):
                        payload = ask_back(host, FORCED | SANITIZE, sizes[entry[:16]], entry[:16])
                        manager.command(INITIATE_RELEASE, payload, kind=FM_API, timeout=PATIENCE)
                for entry in self.target.state().backends:
                    code = control.command(DELETE, entry[:16], timeout=PATIENCE).code
                    assert code == SUCCESS, f"backend {entry[:16].hex()}: {code}"
            state = self.target.assert_sound()
            assert not any(state.extents) and not state.backends and not state.tags, "something is left"
            self.target.wait_until(lambda: self.target.descriptors() <= self.idle + 1, "all descriptors are closed")

    def run(self) -> int:
        self.target.assert_sound()
        self.idle = self.target.descriptors() - 1
        threads = [threading.Thread(target=worker.run, daemon=True) for worker in self.workers]
        for thread in threads:
            thread.start()
        line = next_fault = next_look = self.began
        warm: int | None = None
        # Each once, and then whatever comes.
        first = [self.kill, self.limit_files] + [self.fill_disk] * self.target.is_small
        try:
            while (now := time.monotonic() - self.began) < self.seconds and not self.ended.is_set():
                self.target.assert_alive()
                early = now < self.seconds / 3
                if time.monotonic() >= next_fault and now > 1:
                    next_fault = time.monotonic() + self.random.uniform(2, 10 if self.seconds < 120 else 40)
                    faults = [self.limit_files] + [self.kill] * early * 2 + [self.fill_disk] * self.target.is_small
                    (first.pop(0) if first else self.random.choice(faults))()
                if time.monotonic() >= next_look:
                    self.look()
                    next_look = time.monotonic() + PAUSE
                    if warm is None and now > self.seconds / 2:
                        warm = self.target.resident()
                if time.monotonic() >= line:
                    line += max(5.0, self.seconds / 60)
                    self.progress()
                self.ended.wait(0.2)
            if self.failure is None:
                self.look()
                last = self.target.resident()
        except Exception:
            self.fail(traceback.format_exc())
        self.ended.set()
        for thread in threads:
            thread.join(3 * PATIENCE)
        if self.failure is None:
            try:
                self.conclude(warm, last)
            except Exception:
                self.fail(traceback.format_exc())
        self.progress()
        for what, count in sorted(self.counts.items()):
            print(f"    {count} {what}")
        place = "on" if self.target.is_small else "not on"
        print(f"    slowest answer {self.slowest * 1000:.0f} ms; the state is {place} a small file system")
        print(f"soak: {'FAILED: ' + self.failure if self.failure else 'all of it held'}", flush=True)
        return 1 if self.failure else 0

    def conclude(self, warm: int | None, last: int) -> None:
        idle = [worker.name for worker in self.workers if not worker.acts]
        assert not idle, f"workers that never got anything done: {idle}"
        if warm is not None:
            print(f"    memory {warm / MIB:.1f} MiB when warm, {last / MIB:.1f} at the end", end="")
            assert last - warm <= GROWTH, f"memory grew from {warm} to {last} bytes"
        self.take_back()
        print(f", {self.target.resident() / MIB:.1f} with everything taken back")
        assert self.target.stop() == 0, "it did not end in peace"

    def progress(self) -> None:
        memory, descriptors = 0.0, 0
        # It may just be ending.
        with contextlib.suppress(AssertionError, OSError):
            memory, descriptors = self.target.resident() / MIB, self.target.descriptors()
        now, commands = time.monotonic() - self.began, self.counts["commands"]
        print(
            f"    {now:6.0f} s: {commands} commands ({commands / max(now, 1):.0f}/s), {self.counts['links cut']} links cut, "
            f"{self.counts['kills']} kills, {self.counts['looks']} looks; {memory:.1f} MiB, {descriptors} descriptors",
            flush=True,
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/soak", description="Random traffic, with links and a store that fail.")
    parser.add_argument("minutes", nargs="?", default="30", metavar="MINUTES", help="30 unless said")
    minutes = parser.parse_args().minutes
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", minutes):
        parser.error(f"{minutes} is no number of minutes")
    seconds = float(os.environ.get("FMAPID_SOAK_SECONDS", 0)) or 60 * float(minutes)
    seed = int(os.environ.get("FMAPID_SOAK_SEED", random.randrange(1 << 32)))
    print(f"soak: {seconds:.0f} s, seed {seed}, {sum(map(len, LINKS.values()))} links", flush=True)
    device = ["--lazy", "8GiB", "--regions", "2", "--sharable-region", "1", "--hosts", str(HOSTS)]
    with Soaked(device=device) as target:
        if not target.is_small:
            print("soak: no small file system for the state (that takes root): the disk does not fill up, its files only stop growing")
        return Soak(target, seconds, seed).run()


if __name__ == "__main__":
    sys.exit(main())
