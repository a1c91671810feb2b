"""Runs the real fmapictl for a test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import unittest
from pathlib import Path

from daemon import PATIENCE, TOOL, Daemon, next_line

LISTENERS = [
    "--listen", "fm=fm,serial,unix:{dir}/fm.sock", "--listen", "control=control,packet,unix:{dir}/control.sock",
    "--listen", "host0=host:0,packet,unix:{dir}/host0.sock", "--listen", "host1=host:1,packet,unix:{dir}/host1.sock",
]  # fmt: skip
MIB = 1 << 20


def environment(directory: Path | str, **more: str) -> dict[str, str]:
    """Nothing of whoever runs the tests decides which service is meant."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FMAPICTL_")}
    return {**kept, "SWIFT_BACKTRACE": "enable=no", "FMAPICTL_DIRECTORY": str(directory), **more}


def run(directory: Path | str, *arguments: str, cwd=None, **more: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(TOOL), *arguments], env=environment(directory, **more), cwd=cwd, capture_output=True, text=True, timeout=2 * PATIENCE,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


class ToolTest(unittest.TestCase):
    def device(self, *arguments: str, device: list[str] | None = None) -> Daemon:
        options = [*LISTENERS, *arguments]
        service = self.enterContext(Daemon(*options, device=device) if device else Daemon(*options))
        for name in ["fm.sock", "control.sock", "host0.sock", "host1.sock"]:
            service.wait_for(name)
        self.tool(service, "info")
        return service

    def tool(self, service: Daemon, *arguments: str, status: int = 0) -> subprocess.CompletedProcess:
        done = run(service.path, *arguments)
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stdout}{done.stderr}")
        return done

    def json(self, service: Daemon, *arguments: str, status: int = 0):
        return json.loads(self.tool(service, *arguments, "--json", status=status).stdout)

    def agent(self, service: Daemon, *arguments: str, **more: str) -> Agent:
        agent = Agent(service, *arguments, **more)
        self.addCleanup(agent.close)
        self.assertEqual(agent.next("ready")["event"], "ready")
        return agent

    def eventually(self, condition) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline, "it did not happen")
            time.sleep(0.02)


class Agent:
    """`fmapictl host N run --json`, whose events can be waited for."""

    def __init__(self, service: Daemon, host: int, *arguments: str, **more: str) -> None:
        self.process = subprocess.Popen(
            [str(TOOL), "host", str(host), "run", "--json", *arguments], env=environment(service.path, **more), cwd=service.path,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def next(self, *kinds: str) -> dict:
        """The next event of one of these kinds."""
        while line := next_line(self.process):
            event = json.loads(line)
            if event["event"] in kinds:
                return event
        raise AssertionError(f"the agent ended: {self.process.stderr.read()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
