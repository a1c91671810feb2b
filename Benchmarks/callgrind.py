"""Instructions in user space, counted by valgrind's callgrind: they do not drift as times do."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from programs import CPUS, WORK, run

FEW, MANY = 200, 1200
"""Repetitions of two runs: their difference has nothing of start and end."""
_numbers = itertools.count()


def is_there(quick: bool) -> bool:
    """Whether to count. A quick run only sees that everything runs, and valgrind is slow."""
    if quick:
        return False
    if shutil.which("valgrind"):
        return True
    print("no valgrind: instructions are not counted", file=sys.stderr)
    return False


def _total(dump: Path) -> int:
    found = re.search(r"^(?:totals|summary): (\d+)", dump.read_text(), re.MULTILINE)
    if not found:
        raise RuntimeError(f"{dump} has no sum")
    return int(found.group(1))


class Callgrind:
    """Counts what one program does: start it with `before` in front of it."""

    def __init__(self) -> None:
        self._output = WORK / f"callgrind-{next(_numbers)}"
        self._remove()
        self.before = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={self._output}"]

    def __enter__(self) -> Callgrind:
        return self

    def __exit__(self, *_) -> None:
        self._remove()

    def _remove(self) -> None:
        for dump in WORK.glob(f"{self._output.name}*"):
            dump.unlink()

    def total(self) -> int:
        """Of a program that has ended."""
        return _total(self._output)

    def dump(self, process: int) -> int:
        """Instructions of a program that runs, since the last dump."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(["callgrind_control", "--dump=x", str(process)], check=True, **quiet)
        return _total(max(WORK.glob(f"{self._output.name}.*"), key=lambda path: int(path.suffix[1:])))

    def each(self, process: int, send: Callable[[int], None]) -> float:
        """Of each of the requests that `send` sends as many of as it is told."""
        self.dump(process)
        send(FEW)
        few = self.dump(process)
        send(MANY)
        return (self.dump(process) - few) / (MANY - FEW)


def of_work(name: str) -> float:
    """Of one repetition of what `fmapid-benchmark --repeat` knows by this name."""
    totals = []
    for count in (FEW, MANY):
        with Callgrind() as counter:
            run("fmapid-benchmark", "--repeat", name, count, before=counter.before)
            totals.append(counter.total())
    return (totals[1] - totals[0]) / (MANY - FEW)


def of_works(names: list[str], quick: bool) -> dict[str, float]:
    """The same for some names; nothing where it is not counted."""
    if not is_there(quick):
        return {}
    with ThreadPoolExecutor(len(CPUS)) as pool:
        return dict(zip(names, pool.map(of_work, names)))
