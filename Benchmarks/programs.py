"""The programs that benchmarks run: how they are built, started, placed on processors and stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REFERENCE = ROOT / "Benchmarks/reference"
SCRATCH = ROOT / ".build-release"
WORK = SCRATCH / "benchmark"
"""Programs in C, and the state of durable devices: on the disk that the working copy is on."""

sys.path.insert(0, str(ROOT / "Tests/Interop"))

CPUS = sorted(os.sched_getaffinity(0))
ONE_CPU = (CPUS[0], CPUS[0])
TWO_CPUS = (CPUS[0], CPUS[-1])
"""Where server and client run."""


def build_reference() -> None:
    WORK.mkdir(parents=True, exist_ok=True)
    for source in sorted(REFERENCE.glob("*.c")):
        target = WORK / source.stem
        flags = ["-fPIC", "-shared"] if source.stem == "mallocs" else []
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", *flags, "-o", target, source], check=True)


def build_release() -> None:
    """fmapid as it is installed, stripped; and the benchmarks in process."""
    output = subprocess.run(
        [ROOT / "scripts/build-release", "fmapid", "fmapid-benchmark"], env={**os.environ, "FMAPID_BENCHMARK": "1"}, check=True,
        text=True, stdout=subprocess.PIPE,
    ).stdout  # fmt: skip
    binaries = Path(output.splitlines()[-1])
    for product in ("fmapid", "fmapid-benchmark"):
        subprocess.run(["strip", "-o", WORK / product, binaries / product], check=True)


def use_fmapid(path: str) -> bool:
    """Another fmapid, and the benchmarks in process that lie beside it; whether there are any."""
    WORK.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, WORK / "fmapid")
    beside = Path(path).with_name("fmapid-benchmark")
    if beside.exists():
        shutil.copy2(beside, WORK / "fmapid-benchmark")
    return beside.exists()


def run(
    program: str, *arguments: object, cpu: int | None = None, gives_way: bool = False, before: list[str] | None = None, **environment: str
) -> str:
    """Runs a program to its end; what it prints. One that gives way never takes the processor from a server that it woke up."""
    command = [*(before or []), str(WORK / program), *map(str, arguments)]

    def place() -> None:
        if cpu is not None:
            os.sched_setaffinity(0, {cpu})
        if gives_way:
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

    result = subprocess.run(
        command, preexec_fn=place, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600,
        env={**os.environ, **environment},
    )  # fmt: skip
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)[:300]}\n{result.stderr.strip()}")
    return result.stdout


def run_json(program: str, *arguments: object, cpu: int | None = None) -> dict:
    return json.loads(run(program, *arguments, cpu=cpu))


class Server:
    """A program in the background, in a directory of its own for its sockets."""

    def __init__(self, *command: object, cpu: int | None = None, sockets: tuple[str, ...] = (), **environment: str) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="fmapid-benchmark-", dir="/tmp")
        self.path = Path(self._directory.name)
        self._log = open(self.path / "log", "wb")
        self.process = subprocess.Popen(
            [str(part).replace("{dir}", str(self.path)) for part in command],
            stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
            env={**os.environ, "SWIFT_BACKTRACE": "enable=no", **environment},
        )  # fmt: skip
        if cpu is not None:
            os.sched_setaffinity(self.process.pid, {cpu})
        for name, kind in sockets:
            self._wait_for(name, kind)

    def _wait_for(self, name: str, kind: int) -> None:
        deadline = time.monotonic() + 60
        while True:
            with socket.socket(socket.AF_UNIX, kind) as probe:
                try:
                    return probe.connect(str(self.path / name))
                except OSError:
                    if self.process.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError((self.path / "log").read_text(errors="replace")) from None
            time.sleep(0.005)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()
        self._directory.cleanup()

    def place(self, cpu: int) -> None:
        os.sched_setaffinity(self.process.pid, {cpu})

    def socket(self, name: str) -> str:
        return str(self.path / name)

    def cpu_time(self) -> int:
        """Nanoseconds on a processor so far."""
        return int(Path(f"/proc/{self.process.pid}/schedstat").read_text().split()[0])

    def resident(self) -> int:
        """Bytes of memory that are in use."""
        for line in Path(f"/proc/{self.process.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no Rss")


def fmapid(
    *options: str, hosts: int = 1, durable: bool = False, cpu: int | None = None, before: list[str] | None = None, **environment: str
) -> Server:
    """The service, with fm.stream, fm.packet, control.packet and hostN.packet in its directory."""
    listen = ["fm=fm,serial,unix:{dir}/fm.stream", "fmp=fm,packet,unix:{dir}/fm.packet"]
    listen += ["control=control,packet,unix:{dir}/control.packet"]
    sockets = [("fm.stream", socket.SOCK_STREAM), ("fm.packet", socket.SOCK_SEQPACKET), ("control.packet", socket.SOCK_SEQPACKET)]
    for host in range(hosts):
        listen.append(f"host{host}=host:{host},packet,unix:{{dir}}/host{host}.packet")
        sockets.append((f"host{host}.packet", socket.SOCK_SEQPACKET))
    arguments = ["--hosts", str(hosts), "--max-links", "1024", *options]
    for listener in listen:
        arguments += ["--listen", listener]
    if durable:
        state = tempfile.mkdtemp(prefix="state-", dir=WORK)
        arguments += ["--state-dir", state]
    server = Server(*(before or []), WORK / "fmapid", *arguments, cpu=cpu, sockets=tuple(sockets), **environment)
    if durable:
        # Behind the service's end.
        leave = server.__exit__
        server.__class__ = type("DurableServer", (Server,), {"__exit__": lambda self, *e: (leave(*e), shutil.rmtree(state))[0]})
    return server
