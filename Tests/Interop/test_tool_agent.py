"""`fmapictl host N run`: policies, programs that decide, and extents as files."""

from __future__ import annotations

import json
import mmap
import os
import re
import shutil
import signal
import socket
import subprocess
import unittest
from pathlib import Path

from daemon import PATIENCE, Daemon, next_line
from toolcase import MIB, TOOL, Agent, ToolTest, environment


class AgentTest(ToolTest):
    def offer(self, service: Daemon, host: int, name: str, size: str = "64MiB", status: int = 0):
        return self.tool(service, "add", "--to", str(host), "--size", size, "--tag", name, "--wait", status=status)

    def backends(self, service: Daemon, *names: str) -> None:
        for name in names:
            self.tool(service, "backend", "create", "--name", name, "--size", "64MiB")

    def test_by_tag(self):
        service = self.device()
        self.backends(service, "a", "b", "c")
        self.agent(service, 0, "--accept-tag", "a", "--accept-tag", "c")
        self.offer(service, 0, "a")
        self.offer(service, 0, "b", status=6)
        self.offer(service, 0, "c")
        self.assertEqual([e["name"] for e in self.json(service, "extents", "0")["hosts"][0]["extents"]], ["a", "c"])

    def test_lines_have_names(self):
        """What the agent was told by name, it tells by name."""
        service = self.device()
        self.backends(service, "a")
        agent = subprocess.Popen(
            [str(TOOL), "host", "0", "run", "--accept-tag", "a"], env=environment(service.path), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.addCleanup(agent.communicate)
        self.addCleanup(agent.terminate)
        self.assertIn("answering", next_line(agent))
        self.offer(service, 0, "a")
        self.assertEqual(next_line(agent), "accepted 64 MiB\n")
        self.assertEqual(next_line(agent), "  0x0  64 MiB  a\n")

    def test_an_offer_with_two_tags_is_taken_in_part(self):
        service = self.device()
        self.backends(service, "a", "b")
        self.agent(service, 0, "--accept-tag", "b")
        extents = ["--extent", "0,64MiB,a", "--extent", "64MiB,64MiB,b"]
        done = self.tool(service, "add", "--to", "0", *extents, "--wait", status=6)
        self.assertIn("host 0 took 64 MiB of 128 MiB", done.stderr)

    def script(self, service: Daemon, text: str) -> str:
        path = service.path / "script"
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return str(path)

    def test_script(self):
        service = self.device()
        self.backends(service, "a", "b")
        tag = self.json(service, "backend", "show", "--tag", "a")["tag"]
        script = self.script(service, f"cat > {service.path}/$$.json; grep -q {tag} {service.path}/$$.json")
        agent = self.agent(service, 0, "--script", script, "--on-release", "script")
        self.offer(service, 0, "a")
        self.offer(service, 0, "b", status=6)
        self.tool(service, "release", "--from", "0", "--tag", "a", "--wait")
        self.assertEqual(agent.next("accepted")["extents"][0]["tag"], tag)
        self.assertEqual(agent.next("rejected")["extents"][0]["length"], 64 * MIB)
        self.assertEqual(agent.next("released")["extents"][0]["tag"], tag)
        documents = [json.loads(path.read_text()) for path in service.path.glob("*.json")]
        self.assertEqual(sorted(document["event"] for document in documents), ["offer", "offer", "release"])
        self.assertEqual({(document["host"], document["length"]) for document in documents}, {(0, 64 * MIB)})

    def test_scripts_that_fail_reject(self):
        for text, reason, limit in [
            ("kill -SEGV $$", "signal 11", PATIENCE), ("exit 7", "status 7", PATIENCE), ("exec < /nonexistent", "status", PATIENCE),
            ("sleep 1000", "killed", 0.5),
        ]:  # fmt: skip
            with self.subTest(text):
                service = self.device()
                self.backends(service, "a")
                agent = self.agent(service, 0, "--script", self.script(service, text), "--script-timeout", str(limit))
                self.offer(service, 0, "a", status=6)
                self.assertIn(reason, agent.next("script failed")["reason"])
                # It is there for the next one.
                self.offer(service, 0, "a", status=6)
                self.assertEqual(agent.stop(), 0)

    def test_a_stop_ends_the_script_and_leaves_the_offer(self):
        service = self.device()
        self.backends(service, "a")
        script = self.script(service, f"touch {service.path}/began; sleep 1000")
        agent = self.agent(service, 0, "--script", script, "--script-timeout", "600")
        self.tool(service, "add", "--to", "0", "--size", "64MiB", "--tag", "a")
        self.eventually((service.path / "began").exists)
        self.assertEqual(agent.stop(signal.SIGINT), 0)
        self.tool(service, "host", "0", "accept")

    def test_a_killed_agent_takes_the_script_with_it(self):
        """And what the script has started."""
        service = self.device()
        self.backends(service, "a")
        pids = service.path / "pids"
        script = self.script(service, f"sleep 1000 & echo $$ $! > {pids}.new; mv {pids}.new {pids}; wait")
        agent = self.agent(service, 0, "--script", script, "--script-timeout", "600")
        self.tool(service, "add", "--to", "0", "--size", "64MiB", "--tag", "a")
        self.eventually(pids.exists)
        processes = [Path("/proc", pid, "stat") for pid in pids.read_text().split()]
        self.assertTrue(all(process.exists() for process in processes))
        agent.process.kill()
        # Their parent is gone; whoever reaps them may take its time.
        self.eventually(lambda: not any(process.exists() and ") Z " not in process.read_text() for process in processes))

    def test_a_script_decides_also_where_nobody_waits_for_children(self):
        """What starts the agent may ignore SIGCHLD, and the agent with it."""
        service = self.device()
        self.backends(service, "a")
        before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        try:
            agent = Agent(service, 0, "--script", self.script(service, "exit 1"))
        finally:
            signal.signal(signal.SIGCHLD, before)
        self.addCleanup(agent.close)
        agent.next("ready")
        self.offer(service, 0, "a", status=6)
        self.assertEqual(agent.next("rejected", "accepted")["event"], "rejected")

    def test_hold_and_give(self):
        service = self.device()
        self.backends(service, "a")
        agent = self.agent(service, 0, "--policy", "accept")
        self.offer(service, 0, "a")
        self.tool(service, "release", "--from", "0", "--tag", "a", "--wait", "0.2", status=4)
        self.assertEqual(agent.next("release requested")["extents"][0]["length"], 64 * MIB)
        self.assertEqual(agent.stop(), 0)
        self.agent(service, 0, "--policy", "accept", "--on-release", "give")
        self.tool(service, "release", "--from", "0", "--tag", "a", "--wait")

    def test_foreign_files_are_left_alone(self):
        """What an agent did not make it neither replaces nor removes."""
        service = self.device(device=["--static", "1GiB", "--hosts", "2"])
        exports = service.path / "taken"
        exports.mkdir()
        (exports / "extents.json").write_text('{"mine": true}')
        refused = self.tool(service, "host", "0", "run", "--policy", "accept", "--export", str(exports), status=6)
        self.assertIn("is not an agent's", refused.stderr)
        (exports / "extents.json").unlink()
        (exports / "0x0").write_text("mine")
        agent = self.agent(service, 0, "--policy", "accept", "--export", str(exports))
        self.tool(service, "add", "--to", "0", "--at", "0", "--size", "2MiB")
        event = agent.next("not mapped")
        self.assertIn("is no link of an agent", json.dumps(event["error"]))
        self.assertEqual(agent.stop(), 0)
        self.assertEqual([(file.name, file.read_text()) for file in exports.iterdir()], [("0x0", "mine")])

    def test_exported_files_are_the_memory(self):
        service = self.device()
        self.backends(service, "llm-weights", "b")
        exports = service.path / "exports"
        agent = self.agent(service, 0, "--accept-tag", "llm-weights", "--accept-tag", "b", "--on-release", "give", "--export", "exports")
        self.offer(service, 0, "llm-weights")
        event = agent.next("mapped")
        path = exports / "0x0-llm-weights"
        self.assertEqual(event["export"], "exports/0x0-llm-weights")
        self.assertEqual(os.stat(path).st_size, 64 * MIB)
        # Another process maps it, and a third, by the device, sees what it stored.
        with open(path, "r+b") as file, mmap.mmap(file.fileno(), 64 * MIB) as memory:
            memory[0x1000:0x1005] = b"hello"
        done = self.tool(service, "host", "0", "read", "--at", "0x1000", "--length", "5", "--text")
        self.assertEqual(done.stdout, "hello\n")
        index = json.loads((exports / "extents.json").read_text())
        self.assertEqual(
            [(e["file"], e["start"], e["length"], e["offset"], e["name"]) for e in index["extents"]],
            [("0x0-llm-weights", 0, 64 * MIB, 0, "llm-weights")],
        )
        # Taken by force, given back, and by the end of the agent: each time the file goes.
        self.tool(service, "release", "--from", "0", "--tag", "llm-weights", "--forced")
        self.eventually(lambda: not os.path.lexists(path))
        self.offer(service, 0, "b")
        self.eventually((exports / "0x0-b").exists)
        self.tool(service, "release", "--from", "0", "--tag", "b", "--wait")
        self.assertFalse(os.path.lexists(exports / "0x0-b"))
        self.offer(service, 0, "b")
        self.eventually((exports / "0x0-b").exists)
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(list(exports.iterdir()), [])
        self.assertEqual(self.json(service, "status", "b")["status"], "not released")

    def test_after_a_kill_the_next_one_cleans_up_and_goes_on(self):
        service = self.device()
        self.backends(service, "a")
        arguments = ["--accept-tag", "a", "--export", str(service.path / "exports"), "--release-on-exit"]
        agent = self.agent(service, 0, *arguments)
        self.offer(service, 0, "a")
        path = service.path / "exports" / "0x0-a"
        self.eventually(path.exists)
        agent.process.kill()
        agent.process.wait()
        self.assertTrue(os.path.lexists(path) and not path.exists())
        agent = Agent(service, 0, *arguments)
        self.addCleanup(agent.close)
        # What the host had before is mapped before it says that it is ready.
        self.assertEqual(agent.next("mapped", "ready")["event"], "mapped")
        self.assertTrue(path.exists())
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(self.json(service, "status", "a")["status"], "released")

    def test_a_lost_service_ends_it_without_leftovers(self):
        service = self.device()
        self.backends(service, "a")
        agent = self.agent(service, 0, "--accept-tag", "a", "--export", "exports")
        self.offer(service, 0, "a")
        self.eventually((service.path / "exports" / "0x0-a").exists)
        service.process.kill()
        self.assertEqual(agent.process.wait(PATIENCE), 3)
        self.assertEqual(list((service.path / "exports").iterdir()), [])

    def test_ready_is_told_to_the_manager(self):
        service = self.device()
        path = str(service.path / "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(PATIENCE)
            self.agent(service, 0, "--policy", "accept", NOTIFY_SOCKET=path)
            self.assertEqual(manager.recv(100), b"READY=1")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            name = f"fmapid-test-{os.getpid()}"
            manager.bind("\0" + name)
            manager.settimeout(PATIENCE)
            self.agent(service, 1, "--policy", "accept", NOTIFY_SOCKET="@" + name)
            self.assertEqual(manager.recv(100), b"READY=1")

    @unittest.skipUnless(shutil.which("qemu-system-x86_64"), "qemu-system-x86_64 is not installed")
    def test_a_virtual_machine_takes_the_file(self):
        service = self.device()
        self.backends(service, "a")
        self.agent(service, 0, "--accept-tag", "a", "--export", "exports")
        self.offer(service, 0, "a")
        path = service.path / "exports" / "0x0-a"
        self.eventually(path.exists)
        self.tool(service, "host", "0", "write", "--at", "0x1000", "--text", "from the host")
        # A machine without firmware or kernel, whose memory is the extent; its monitor shows it.
        done = subprocess.run(
            [
                "qemu-system-x86_64", "-machine", "pc,accel=tcg,memory-backend=m", "-m", "64", "-nodefaults", "-display", "none", "-S",
                "-object", f"memory-backend-file,id=m,share=on,mem-path={path},size=64M", "-monitor", "stdio",
            ],
            input="xp /13xb 0x1000\nquit\n", capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stderr)
        shown = bytes(int(byte, 16) for row in re.findall(r"^0*1[0-9a-f]{3}: (.*)$", done.stdout, re.M) for byte in row.split())
        self.assertEqual(shown, b"from the host", done.stdout)


if __name__ == "__main__":
    unittest.main()
