"""A machine of its own whose process 1 is systemd, made of namespaces over this machine's files.

Nothing of it is mounted in this machine, and its processes end with its process 1. What then is left, a control group
and a directory, is removed here.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
NAME = "fmapid-test"
NAMESPACES = ["--pid", "--mount", "--cgroup", "--uts", "--ipc", "--net"]
ENVIRONMENT = {"container": NAME, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
PATIENCE = 60.0
PR_SET_PDEATHSIG = 1


class Unavailable(Exception):
    """Why this machine cannot make another one."""


def _unified_groups() -> Path:
    """The root of the unified control group hierarchy."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    raise Unavailable("no unified control group hierarchy is mounted")


def _check() -> None:
    """Tries what `boot` will do."""
    if os.geteuid() != 0:
        raise Unavailable("only root may make namespaces and mounts")
    for program in ("unshare", "nsenter", "/lib/systemd/systemd"):
        if not shutil.which(program):
            raise Unavailable(f"{program} is not installed")
    script = "mount --make-rprivate / && mount -t tmpfs none /mnt && mkdir /mnt/u /mnt/w /mnt/r && " + (
        "mount -t overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w none /mnt/r && mount -t cgroup2 none /mnt/u"
    )
    trial = subprocess.run(
        ["unshare", "--fork", *NAMESPACES, "sh", "-c", script], capture_output=True, text=True, timeout=PATIENCE
    )
    if trial.returncode != 0:
        raise Unavailable(f"no namespaces or overlays here: {trial.stderr.strip()}")


class Machine:
    """Boots on entry, ends on exit. `pid` is its process 1 as this machine counts."""

    def __init__(self) -> None:
        _check()
        groups = _unified_groups()
        _remove_leftovers(groups)
        self._group = groups / f"{NAME}.{os.getpid()}"
        try:
            self._group.mkdir()
        except OSError as error:
            raise Unavailable(f"no control group can be made: {error}") from None
        self.directory = Path(tempfile.gettempdir()) / f"{NAME}.{os.getpid()}"
        self.directory.mkdir(mode=0o700)
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> Machine:
        try:
            with open(self.directory / "console", "wb") as console:
                self._process = subprocess.Popen(
                    ["unshare", "--fork", "--kill-child", *NAMESPACES, HERE / "boot", self.directory, REPOSITORY],
                    stdin=subprocess.DEVNULL, stdout=console, stderr=console, preexec_fn=self._prepare,
                )  # fmt: skip
            self.pid = self._wait_for_systemd()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
        _remove_groups(self._group)
        shutil.rmtree(self.directory)

    def console(self) -> str:
        return (self.directory / "console").read_text(errors="replace")

    def path(self, inside: str) -> Path:
        """Where this machine finds a file of that one."""
        return Path(f"/proc/{self.pid}/root{inside}")

    def command(self, *words: str) -> list[str]:
        """What runs a command in there, with the environment of a service."""
        flags = ["--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd"]
        environment = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
        return ["nsenter", f"--target={self.pid}", *flags, "env", "-i", *environment, *words]

    def _prepare(self) -> None:
        # Of the child: it ends with this process, and its control group is the root of the machine's.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        (self._group / "cgroup.procs").write_text("0")

    def _wait_for_systemd(self) -> int:
        deadline = time.monotonic() + PATIENCE
        pid = 0
        while self._process.poll() is None and time.monotonic() < deadline:
            children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
            pid = int(children[0]) if children else 0
            # It becomes systemd after it has taken its new root.
            if pid and os.readlink(f"/proc/{pid}/exe").endswith("/systemd"):
                if Path(f"/proc/{pid}/root/run/systemd/private").exists():
                    break
            time.sleep(0.01)
        else:
            raise RuntimeError(f"the machine did not boot\n{self.console()}")
        self.pid = pid
        state = subprocess.run(
            self.command("systemctl", "is-system-running", "--wait"), capture_output=True, text=True, timeout=PATIENCE
        )
        if state.stdout.strip() != "running":
            failed = subprocess.run(self.command("systemctl", "--failed"), capture_output=True, text=True)
            raise RuntimeError(f"the machine is {state.stdout.strip()}\n{failed.stdout}\n{self.console()}")
        return pid


def _remove_leftovers(groups: Path) -> None:
    """What a run that was killed could not remove: its process is gone."""
    for left in (*groups.glob(f"{NAME}.*"), *Path(tempfile.gettempdir()).glob(f"{NAME}.*")):
        if not Path(f"/proc/{left.suffix[1:]}").exists():
            if left.parent == groups:
                _remove_groups(left)
            else:
                shutil.rmtree(left)


def _remove_groups(group: Path) -> None:
    if not group.exists():
        return
    deadline = time.monotonic() + PATIENCE
    while "populated 1" in (group / "cgroup.events").read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    for directory, _, _ in os.walk(group, topdown=False):
        os.rmdir(directory)
