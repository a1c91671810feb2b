"""The programs in examples/ that are starts for peers, as they stand there, against the real service."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import uuid
from pathlib import Path

from daemon import BINARY, PATIENCE, ROOT, Daemon, needs_program
from fmapid_peer import FM_API, Peer, connect_packet, connect_serial

EXAMPLES = ROOT / "examples"
MIB = 1 << 20
SIZE = 4 * MIB
CREATE, ADD, RELEASE, EXTENTS = 0xC000, 0x5604, 0x5605, 0x5603


def tag(number: int) -> bytes:
    return struct.pack(">QQ", 0xE4A3, number)


def wait_until(condition, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {PATIENCE} s: {what}")
        time.sleep(0.01)


class Agent:
    """The agent in C, run for a host; its output is in a file."""

    def __init__(self, program: Path, socket: str, log: Path) -> None:
        self.log = log
        with open(log, "wb") as file:
            self.process = subprocess.Popen([program, socket], stdin=subprocess.DEVNULL, stdout=file, stderr=file)

    def lines(self, pattern: str) -> list[str]:
        return re.findall(pattern, self.log.read_text())

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@needs_program("cc")
class PeerExamplesTest(unittest.TestCase):
    """A fabric manager in Python moves memory between two hosts, whose agents are in C."""

    @classmethod
    def setUpClass(cls):
        directory = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="fmapid-agent-"))
        cls.agent = Path(directory, "host_agent")
        strict = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1"]
        subprocess.run(["cc", *strict, "-o", cls.agent, EXAMPLES / "host_agent.c"], check=True, timeout=60)

    def setUp(self):
        listeners = ["fm=fm,serial,unix:{dir}/fm", "control=control,packet,unix:{dir}/control"]
        listeners += [f"host{host}=host:{host},packet,unix:{{dir}}/host{host}" for host in range(2)]
        self.daemon = self.enterContext(Daemon(*[part for text in listeners for part in ("--listen", text)]))
        self.control = self.enterContext(self.daemon.peer(connect_packet, "control"))
        self.manager = self.enterContext(self.daemon.peer(connect_serial, "fm"))

    def succeed(self, peer: Peer, opcode: int, payload: bytes) -> bytes:
        response = peer.command(opcode, payload, FM_API if 0x51 <= opcode >> 8 <= 0x59 else 0x08)
        self.assertEqual(response.code, 0, f"{opcode:04x}h, status {response.vendor_status}")
        return response.payload

    def create(self, number: int, size: int = SIZE) -> None:
        self.succeed(self.control, CREATE, struct.pack("<16sQBBH4x", tag(number), size, 0, 0, 0))

    def start(self, host: int) -> Agent:
        agent = Agent(self.agent, self.daemon.wait_for(f"host{host}"), self.daemon.path / f"agent{host}-{time.monotonic_ns()}")
        self.addCleanup(agent.process.kill)
        return agent

    def tags_of(self, host: int) -> set[bytes]:
        answer = self.succeed(self.manager, EXTENTS, struct.pack("<HHII", host, 0, 25, 0))
        (count,) = struct.unpack_from("<I", answer, 8)
        return {answer[24 + 40 * index + 16 : 24 + 40 * index + 32] for index in range(count)}

    def balance(self, *options: str) -> str:
        result = subprocess.run(
            [sys.executable, EXAMPLES / "fabric_manager.py", self.daemon.path / "fm", *options],
            capture_output=True, text=True, timeout=5 * PATIENCE,
        )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def test_short(self):
        """It is read in one go: few lines, none long, and nothing but the standard library."""
        lines = (EXAMPLES / "fabric_manager.py").read_text().splitlines()
        self.assertLessEqual(sum(bool(line.strip()) for line in lines), 166)
        self.assertLessEqual(max(map(len, lines)), 110)
        imported = {name.strip() for line in lines if line.startswith("import ") for name in line[7:].split(",")}
        self.assertLessEqual(imported, sys.stdlib_module_names)
        self.assertNotIn("from ", {line[:5] for line in lines})

    def test_balance(self):
        """What is free goes to the hosts in turns; when the weights change, pieces move, and their bytes with them."""
        agents = [self.start(host) for host in range(2)]
        for number in range(6):
            self.create(number)
        output = self.balance()
        self.assertIn("hosts: 2, DC regions: 1\n  host 0: region 0 at 0x0, ", output)
        self.assertTrue(output.endswith("host 0 has 12 MiB in 3 pieces\nhost 1 has 12 MiB in 3 pieces\n"), output)
        before = [self.tags_of(host) for host in range(2)]
        self.assertEqual([len(tags) for tags in before], [3, 3])
        output = self.balance("--share", "0=2")
        self.assertTrue(output.endswith("host 0 has 16 MiB in 4 pieces\nhost 1 has 8 MiB in 2 pieces\n"), output)
        (moved,) = self.tags_of(0) - before[0]
        self.assertIn(moved, before[1])
        self.assertIn(f"ask host 1 for {uuid.UUID(bytes=moved)}", output)
        # The agent of host 0 found in it what that of host 1 had written.
        wait_until(lambda: agents[0].lines("reads: "), "host 0 reads the piece")
        self.assertEqual(agents[0].lines(r"reads: (.*)"), [f"first mapped by process {agents[1].process.pid}"])
        self.assertEqual(len(agents[1].lines("wrote: ")), 3)
        self.assertEqual(self.balance("--share", "0=2").count("offer"), 0)
        # A host that wants nothing gives all of it away.
        self.assertIn("host 1 has 0 MiB in 0 pieces", self.balance("--share", "1=0"))

    def test_refused(self):
        """A fabric manager whose host does not answer says so, and ends."""
        self.create(1, 2 * SIZE)
        with self.daemon.peer(connect_packet, "host0") as host:
            # 4802h with nothing refuses the oldest offer, as soon as there is one.
            process = subprocess.Popen(
                [sys.executable, EXAMPLES / "fabric_manager.py", self.daemon.path / "fm"], stdout=subprocess.PIPE, text=True
            )
            wait_until(lambda: host.command(0x4802, bytes(8)).code == 0, "an offer to refuse")
            output, _ = process.communicate(timeout=5 * PATIENCE)
        self.assertEqual(process.returncode, 0, output)
        self.assertIn("not accepted\n", output)
        self.assertIn("host 0 has 0 MiB in 0 pieces", output)

    def test_silent_host(self):
        """What a host does not answer is taken back and goes to another one; it is not asked again."""
        agent = self.start(1)
        for number in range(3):
            self.create(number)
        source = (EXAMPLES / "fabric_manager.py").read_text()
        impatient = self.daemon.path / "impatient.py"
        impatient.write_text(source.replace("PATIENCE = 10.0", "PATIENCE = 0.5"))
        self.assertNotEqual(impatient.read_text(), source)
        result = subprocess.run(
            [sys.executable, impatient, self.daemon.path / "fm"], capture_output=True, text=True, timeout=5 * PATIENCE
        )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual(result.stdout.count("no answer: host 0 is left alone"), 1, result.stdout)
        self.assertTrue(result.stdout.endswith("host 0 has 0 MiB in 0 pieces\nhost 1 has 12 MiB in 3 pieces\n"), result.stdout)
        self.assertEqual(len(agent.lines("mapped 0x")), 3)
        extents = self.succeed(self.manager, 0xC013, struct.pack("<HHIQ", 0, 0, 20, 0))
        self.assertEqual(struct.unpack_from("<I", extents, 4), (0,), "nothing is on offer to the silent host")

    def test_no_device(self):
        """The failure names the place."""
        path = self.daemon.path / "nothing"
        result = subprocess.run([sys.executable, EXAMPLES / "fabric_manager.py", path], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((result.returncode, result.stderr), (1, f"fabric_manager.py: {path}: [Errno 2] No such file or directory\n"))

    def test_agent(self):
        """It maps what it is offered, keeps it over its own restart, unmaps what is taken, and ends with the service."""
        first = self.start(0)
        for number in range(2):
            self.create(number)
            self.succeed(self.manager, ADD, struct.pack("<HBBQ16s", 0, 1, 0, SIZE, tag(number)))
        wait_until(lambda: len(first.lines("wrote: ")) == 2, "both extents are mapped")
        # Another process reaches the memory by the path that the agent prints.
        (path, offset), *_ = re.findall(r"(/proc/\d+/fd/\d+), offset (\d+)", first.log.read_text())
        with open(path, "rb") as file:
            file.seek(int(offset))
            self.assertTrue(file.read(64).startswith(b"first mapped by process"))
        self.assertEqual(first.stop(), -signal.SIGTERM)

        second = self.start(0)
        wait_until(lambda: len(second.lines("reads: ")) == 2, "the extents of the agent before")
        self.succeed(self.manager, RELEASE, struct.pack("<HBxQ16s", 0, 0, SIZE, tag(0)))
        wait_until(lambda: self.tags_of(0) == {tag(1)}, "the extent is released")
        self.assertEqual(len(second.lines("asked back")), 1)
        self.succeed(self.manager, RELEASE, struct.pack("<HBxQ16s", 0, 0x10, SIZE, tag(1)))
        wait_until(lambda: second.lines("taken away"), "the forced release")
        maps = lambda: Path(f"/proc/{second.process.pid}/maps").read_text().count("memfd:")
        wait_until(lambda: maps() == 0, "nothing is mapped")
        self.assertEqual(self.daemon.stop(), 0)
        self.assertEqual(second.process.wait(PATIENCE), 0)


    def test_withdrawn_offer(self):
        """An offer that was forced back before the agent came is no end: the one behind it is accepted and mapped."""
        for number in range(2):
            self.create(number)
            self.succeed(self.manager, ADD, struct.pack("<HBBQ16s", 0, 1, 0, SIZE, tag(number)))
        self.succeed(self.manager, RELEASE, struct.pack("<HBxQ16s", 0, 0x10, SIZE, tag(0)))
        agent = self.start(0)
        wait_until(lambda: agent.lines("wrote: ") or agent.process.poll() is not None, "the second offer is mapped")
        self.assertEqual(agent.lines("was withdrawn|no descriptor|mapped 0x"), ["was withdrawn", "mapped 0x"])
        self.assertEqual(self.tags_of(0), {tag(1)})
        self.assertIsNone(agent.process.poll())


class VirtualMachineTest(unittest.TestCase):
    """The scripts of examples/qemu. They end with 77 when something is missing, and say what."""

    NEEDS_SOMETHING = 77

    def play(self, *command: str | Path) -> str:
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=400)
        if result.returncode == self.NEEDS_SOMETHING:
            self.skipTest(result.stderr.strip())
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def test_extent_as_guest_memory(self):
        output = self.play(EXAMPLES / "qemu" / "extent-as-guest-memory", BINARY.parent)
        self.assertTrue(output.endswith("    released\n\nDone.\n"), output)

    def test_guest_with_mctp(self):
        names = [os.environ.get(f"FMAPID_GUEST_{name}") for name in ("KERNEL", "MODULE")]
        arguments = [names[0], names[1] or "-", BINARY.parent] if names[0] else []
        self.assertIn("guest: Get DCD Info: 3 hosts", self.play(EXAMPLES / "qemu" / "mctp-guest", *arguments))


class ContinuousIntegrationTest(unittest.TestCase):
    """The steps of examples/ci/github-actions.yml, run as a runner does."""

    RECIPE = EXAMPLES / "ci" / "github-actions.yml"

    def steps(self) -> list[dict[str, str]]:
        """Name, condition and script of each step; the file is read as the few forms of YAML that it uses."""
        steps: list[dict[str, str]] = []
        lines = self.RECIPE.read_text().split("    steps:\n")[1].splitlines()
        for index, line in enumerate(lines):
            if entry := re.match(r"      (?:- |  )(name|uses|if|run): (.*)", line):
                if line.startswith("      - "):
                    steps.append({})
                key, value = entry.groups()
                if value == "|":
                    block = []
                    for part in lines[index + 1 :]:
                        if part and not part.startswith(" " * 10):
                            break
                        block.append(part[10:])
                    value = "\n".join(block)
                steps[-1][key] = value
        return steps

    def test_yaml(self):
        """It is YAML, and its steps are those that are run here."""
        script = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"
        result = subprocess.run(["/usr/bin/python3", "-c", script], input=self.RECIPE.read_text(), capture_output=True, text=True)
        if "ModuleNotFoundError" in result.stderr:
            self.skipTest("python3-yaml is not installed")
        self.assertEqual(result.returncode, 0, result.stderr)
        (job,) = json.loads(result.stdout)["jobs"].values()
        known = ("name", "uses", "if", "run")
        wanted = [{key: str(text).rstrip() for key, text in step.items() if key in known} for step in job["steps"]]
        self.assertEqual([{key: text.rstrip() for key, text in step.items()} for step in self.steps()], wanted)

    def play(self, directory: Path, tests: str) -> tuple[list[str], str]:
        """Runs the steps in a project whose tests are a script; the names of the steps that failed, and all output."""
        runner, project = directory / "temp", directory / "project"
        (project / "tests").mkdir(parents=True)
        runner.mkdir()
        script = project / "tests" / "fabric-manager"
        script.write_text(f"#!/bin/sh\n{tests}\n")
        script.chmod(0o755)
        variables = directory / "env"
        variables.touch()
        failed, output = [], ""
        for step in self.steps():
            if "run" not in step or failed and "if" not in step:
                continue
            set_before = dict(line.split("=", 1) for line in variables.read_text().splitlines())
            environment = {
                **os.environ, **set_before, "RUNNER_TEMP": str(runner), "GITHUB_ENV": str(variables),
                "PATH": f"{BINARY.parent}:{os.environ['PATH']}",
            }  # fmt: skip
            # As GitHub runs `run:` on Linux. Output goes to a file, for what runs on in the background would keep a pipe open.
            with open(directory / "output", "w+b") as file:
                result = subprocess.run(
                    ["bash", "--noprofile", "--norc", "-e", "-c", step["run"]], cwd=project, env=environment,
                    stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, timeout=5 * PATIENCE,
                )  # fmt: skip
                file.seek(0)
                output += f"=== {step['name']}\n{file.read().decode(errors='replace')}"
            if result.returncode != 0:
                failed.append(step["name"])
        return failed, output

    def stop_what_is_left(self, directory: Path) -> list[int]:
        """Process IDs of the recipe's background processes that still run."""
        left = []
        for file in (directory / "temp" / "fmapid").glob("*.pid"):
            process = int(file.read_text())
            # It may be collected at any moment, and until then it is a zombie.
            with contextlib.suppress(OSError):
                state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
                if state not in "ZX":
                    os.kill(process, signal.SIGKILL)
                    left.append(process)
        return left

    def test_recipe(self):
        for tests, failing in {
            f'{sys.executable} {EXAMPLES}/fabric_manager.py "$1"': [],
            "exit 1": ["Run the tests"],
        }.items():
            with self.subTest(tests), tempfile.TemporaryDirectory(prefix="fmapid-ci-") as name:
                directory = Path(name)
                try:
                    failed, output = self.play(directory, tests)
                finally:
                    left = self.stop_what_is_left(directory)
                self.assertEqual(failed, failing, output)
                self.assertEqual(left, [], output)
                if not failing:
                    self.assertIn("host 1 has 512 MiB in 2 pieces", output)
                # What would be kept after a failure: a capture that holds the commands of the job.
                capture = (directory / "temp" / "fmapid" / "trace.pcap").read_bytes()
                self.assertEqual(struct.unpack_from("<I", capture, 20)[0] & 0xFFFF, 276)
                self.assertGreater(len(capture), 1000)


if __name__ == "__main__":
    unittest.main()
