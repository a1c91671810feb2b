"""The real fmapictl, as a person and as a script meet it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from daemon import BINARY, PATIENCE, Daemon
from toolcase import TOOL, ToolTest, environment, run


class FindingTest(ToolTest):
    """Which service is meant, and what is said if that is not clear."""

    def test_no_service(self):
        with tempfile.TemporaryDirectory() as directory:
            done = run(directory, "info", cwd=directory)
            self.assertEqual(done.returncode, 3)
            for part in ["fmapictl demo", "systemctl start fmapid-fm.socket", "fmapid --lazy 4GiB --listen fm=fm,serial,unix:fm.sock"]:
                self.assertIn(part, done.stderr)
            self.assertNotIn("This directory", done.stderr)
            error = json.loads(run(directory, "backend", "list", "--json").stdout)["error"]
            self.assertEqual(error["kind"], "unreachable")
            self.assertIn("no fmapid is running", error["message"])

    def test_the_advice_works(self):
        """What it says to start is started, as it stands there."""
        with tempfile.TemporaryDirectory() as directory:
            said = run(directory, "info").stderr
            command = re.search(r"fmapid --lazy.*?host0\.sock", said, re.S)[0].replace("\\\n", " ")
            service = subprocess.Popen(
                command.split(), executable=BINARY, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            try:
                self.eventually(lambda: run("/nonexistent", "--instance", ".", "info", cwd=directory).returncode == 0)
                # Sockets of the current directory are mentioned, and not used by themselves.
                done = run("/nonexistent", "info", cwd=directory)
                self.assertEqual(done.returncode, 3)
                self.assertIn("fmapictl --instance . uses them", done.stderr)
            finally:
                service.terminate()
                service.wait(PATIENCE)

    def test_precedence(self):
        with tempfile.TemporaryDirectory() as root:
            sizes = {"fmapid": 1, "red": 2, "blue": 3}
            services = {}
            for name, size in sizes.items():
                services[name] = service = self.device(device=["--lazy", f"{size}GiB", "--hosts", "2"])
                place = Path(root) if name == "fmapid" else Path(root, name)
                place.mkdir(exist_ok=True)
                for sock in service.path.glob("*.sock"):
                    (place / sock.name).symlink_to(sock)

            def size(*arguments: str, **more: str) -> int:
                done = run(root, *arguments, "info", "--json", **more)
                self.assertEqual(done.returncode, 0, done.stderr)
                return json.loads(done.stdout)["capacity"]["total"] >> 30

            done = run(root, "info")
            self.assertEqual(done.returncode, 2)
            for name in sizes:
                self.assertRegex(done.stderr, rf"\n  {name} +/.*: fm, control, host0, host1\n")
            fm = {name: str(service.path / "fm.sock") for name, service in services.items()}
            for name, expected in sizes.items():
                self.assertEqual(size("--instance", name), expected)
                self.assertEqual(size("--socket", fm[name]), expected)
                self.assertEqual(size(FMAPICTL_SOCKET=fm[name]), expected)
                self.assertEqual(size(FMAPICTL_FM=fm[name]), expected)
                self.assertEqual(size("--instance", str(services[name].path)), expected)
            # One that says more goes before one that says less, and an option before the environment.
            self.assertEqual(size("--fm", fm["red"], "--socket", fm["blue"], "--instance", "fmapid"), 2)
            self.assertEqual(size("--socket", fm["blue"], "--instance", "fmapid", FMAPICTL_FM=fm["red"]), 3)
            self.assertEqual(size("--instance", "fmapid", FMAPICTL_FM=fm["red"], FMAPICTL_SOCKET=fm["blue"]), 1)
            self.assertEqual(size(FMAPICTL_FM=fm["red"], FMAPICTL_SOCKET=fm["blue"]), 2)

            # The only one that has the link is meant, and the other link does where both serve the command.
            for name in ["fmapid", "red"]:
                for sock in (Path(root) if name == "fmapid" else Path(root, name)).glob("*.sock"):
                    sock.unlink()
            self.assertEqual(size(), 3)
            Path(root, "blue", "fm.sock").unlink()
            self.assertEqual(size(), 3)
            done = run(root, "add", "--to", "0", "--size", "2MiB")
            self.assertEqual(done.returncode, 3)
            self.assertIn("'systemctl enable fmapid-fm@blue.socket && systemctl restart fmapid@blue.service' adds it.", done.stderr)
            done = run(root, "host", "7", "list")
            self.assertIn("'systemctl enable fmapid-host7@blue.socket && systemctl restart fmapid@blue.service' adds it, if", done.stderr)

    def test_no_connection(self):
        """What is said depends on where nobody listens."""
        with tempfile.TemporaryDirectory() as root:
            service = self.device(device=["--lazy", "2GiB", "--hosts", "2"])
            Path(root, "red").symlink_to(service.path)
            runs = f"These run:\n  red  {root}/red: fm, control, host0, host1\n"
            table = {
                ("--instance", "zzz", "info"): f"'systemctl start fmapid-fm@zzz.socket' starts fmapid@zzz.service, where that is installed. {runs}",
                ("--instance", "fmapid", "host", "3", "list"): f"'systemctl start fmapid-host@3.socket' starts fmapid.service, where that is installed. {runs}",
                ("--instance", "red", "host", "3", "list"):
                    f"{root}/red has sockets of fm, control, host0, host1, and none of host3; "
                    "'systemctl enable fmapid-host3@red.socket && systemctl restart fmapid@red.service' adds one, if the device has a host 3.\n",
                ("--socket", f"{service.path}/host3.sock", "host", "3", "list"):
                    f"{service.path} has sockets of fm, control, host0, host1, and none of host3.\n",
                ("--instance", f"{service.path}/.", "host", "3", "list"):
                    f"{service.path}/. has sockets of fm, control, host0, host1, and none of host3.\n",
                ("--socket", "nothing.sock", "info"): f"Is fmapid running there? {runs}",
                ("--fm", "tcp:127.0.0.1:1", "info"): "cannot connect to tcp:127.0.0.1:1: Connection refused. Is fmapid running there?\n",
            }  # fmt: skip
            with tempfile.TemporaryDirectory() as empty:
                for arguments, said in table.items():
                    with self.subTest(arguments):
                        done = run(root, *arguments, cwd=empty)
                        self.assertEqual(done.returncode, 3)
                        self.assertTrue(done.stderr.endswith(said), done.stderr)
            done = run(root, "--instance", ".", "host", "3", "list", cwd=service.path)
            self.assertIn(". This directory has sockets of fm, control, host0, host1, and none of host3.\n", done.stderr)

    def test_sockets_left_over(self):
        """What a killed service left in its directory is no service; it is named where there is no other."""
        with tempfile.TemporaryDirectory() as root:
            services = {}
            for name in ["dead", "live"]:
                services[name] = self.device(device=["--lazy", "2GiB", "--hosts", "2"])
                Path(root, name).symlink_to(services[name].path)
            self.assertEqual(run(root, "info").returncode, 2)
            services["dead"].process.kill()
            services["dead"].process.wait(PATIENCE)
            self.assertTrue((services["dead"].path / "fm.sock").is_socket())
            done = run(root, "info")
            self.assertEqual(done.returncode, 0, done.stderr)

            for sock in list(services["live"].path.glob("*.sock")):
                if sock.name != "host1.sock":
                    sock.unlink()
            done = run(root, "info")
            self.assertIn("no fmapid that runs has a socket for fm.\n  live ", done.stderr)
            self.assertNotIn("dead", done.stderr)
            services["live"].process.kill()
            services["live"].process.wait(PATIENCE)
            done = run(root, "info", cwd=services["dead"].path)
            self.assertEqual(done.returncode, 3)
            self.assertIn("no fmapid is running: nobody listens in or below", done.stderr)
            self.assertIn("\n  dead: not running (its sockets are left over)", done.stderr)
            self.assertIn("\n  live: not running (its socket is left over)", done.stderr)
            self.assertNotIn("This directory", done.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to be somebody else")
    def test_not_allowed(self):
        service = self.device()
        os.chmod(service.path, 0o755)
        os.chmod(service.path / "fm.sock", 0o660)
        command = [TOOL, "--socket", str(service.path / "fm.sock"), "info"]
        done = subprocess.run(command, capture_output=True, text=True, user=65534, group=65534, extra_groups=[], check=False)
        if "Permission denied" not in done.stderr:
            self.skipTest("the tool cannot be run by another user here")
        self.assertEqual(done.returncode, 3)
        self.assertIn("usermod --append --groups root", done.stderr)


class NameTest(ToolTest):
    def test_what_is_no_name(self):
        service = self.device()
        for name in ["   ", " a", "a ", "a\nb", ""]:
            done = self.tool(service, "backend", "create", "--name", name, "--size", "2MiB", status=2)
            self.assertIn("without control characters and without white space at its ends", done.stderr)
        self.tool(service, "backend", "create", "--name", "a b", "--size", "0.5GiB")
        self.assertEqual(self.json(service, "backend", "list")["backends"][0]["size"], 1 << 29)

    def test_a_name_goes_where_a_tag_goes(self):
        service = self.device()
        created = self.json(service, "backend", "create", "--name", "llm weights/1", "--size", "64MiB")
        tag = created["tag"]
        self.assertEqual(tag[14], "5")
        self.assertEqual(created["name"], "llm weights/1")
        self.tool(service, "backend", "create", "--tag", "11111111-1111-4111-8111-111111111111", "--size", "64MiB")
        names = [entry["name"] for entry in self.json(service, "backend", "list")["backends"]]
        self.assertEqual(names, ["llm weights/1", None])
        self.assertEqual(self.json(service, "backend", "show", "--tag", "llm weights/1")["tag"], tag)
        self.tool(service, "add", "--to", "0", "--at", "0", "--size", "64MiB", "--tag", "llm weights/1")
        self.tool(service, "host", "0", "accept", "--tag", "llm weights/1")
        self.assertEqual(self.json(service, "extents")["hosts"][0]["extents"][0]["name"], "llm weights/1")
        self.assertEqual(self.json(service, "tags")["tags"][0]["name"], "llm weights/1")
        self.assertIn("llm weights/1", self.tool(service, "extents", "0").stdout)
        self.assertEqual(self.json(service, "status", tag), {"tag": tag, "name": "llm weights/1", "status": "not released"})
        self.tool(service, "host", "0", "release", "--tag", "llm weights/1")
        self.tool(service, "backend", "delete", "--tag", "llm weights/1")
        self.assertEqual(self.json(service, "status", "llm weights/1")["status"], "released")


class RefusalTest(ToolTest):
    """The numbers that a refusal is about, from the device."""

    def test_facts(self):
        service = self.device(device=["--lazy", "2GiB", "--regions", "2", "--hosts", "3"])
        for name, size in {"a": "512MiB", "b": "1GiB", "c": "64MiB"}.items():
            self.tool(service, "backend", "create", "--name", name, "--size", size)
        self.tool(service, "add", "--to", "0", "--at", "0", "--size", "512MiB", "--tag", "a")
        table = {
            "add --to 9 --size 1GiB --tag b": "it has hosts 0 to 2, and 9 was asked",
            "add --to 0 --size 1GiB --tag b --region 2": "it has regions 0 to 1, and 2 was asked",
            "add --to 0 --size 1GiB --tag b --region 0": "host 0 has 512 MiB free in region 0, 1 GiB was asked",
            "add --to 1 --size 1GiB --tag nobody": "nobody was asked, and there are 3 backends with other tags",
            "add --to 1 --size 512MiB --tag b": "b has 1 GiB, 512 MiB was asked",
            "add --to 1 --size 512MiB --tag a": "backend 1, 512 MiB: host 0 is offered a",
            "add --to 1 --size 1MiB --tag c": "region 0 has blocks of 2 MiB, 1 MiB was asked",
            "add --to 0 --extent 2MiB,64MiB,c": "host 0 is offered 512 MiB from 0x0 on",
            "add --to 0 --extent 64GiB,64MiB,c": "region 0 has 1 GiB from 0x0 on, region 1 has",
            "release --from 1 --tag a --size 512MiB": "host 0 is offered a",
            "release --from 0 --extent 0,2MiB": None,
            "backend create --name a --size 1GiB": "backend 1, 512 MiB: host 0 is offered a",
            "backend create --name d --size 4GiB": "the largest region has 1 GiB, the smallest block 2 MiB, 4 GiB was asked",
            "backend delete --tag a": "backend 1, 512 MiB: host 0 is offered a",
            "region set 0 --block-size 3": "region 0 takes powers of two from 64 B to 256 MiB, 3 B was asked",
            "region set 0 --block-size 4MiB": "host 0 has or is offered 512 MiB of it",
            "extents 9": "it has hosts 0 to 2, and 9 was asked",
        }
        for line, facts in table.items():
            with self.subTest(line):
                error = self.json(service, *line.split(), status=1)["error"]
                if facts:
                    self.assertIn(facts, error["facts"] or error["message"])
                self.assertGreater(len(error["message"]), len(error["name"]) + 10)

    def test_advice_works(self):
        """The command that is advised does what is said, as it is printed: it is run, and then what was refused is done."""
        service = self.device()
        self.tool(service, "backend", "create", "--name", "c", "--size", "64MiB")
        self.tool(service, "backend", "create", "--name", "a b", "--size", "64MiB")

        def follow(*refused: str) -> str:
            advice = self.json(service, *refused, status=1)["error"]["advice"]
            (command,) = re.findall("'fmapictl ([^']*)'", advice)
            self.tool(service, *command.split())
            return command

        for name in ["c", "a b"]:
            with self.subTest(name):
                add = ["add", "--size", "64MiB", "--contiguous", "--tag", name, "--to"]
                self.tool(service, *add, "1")
                command = follow(*add, "0")
                if name == "c":
                    self.assertEqual(command, "release --from 1 --tag c --forced")
                self.tool(service, *add, "1")
                self.assertIn("--forced", follow("release", "--from", "1", "--tag", name))
                self.tool(service, *add, "1")
                self.tool(service, "host", "1", "accept", "--all")
                self.assertNotIn("--forced", follow(*add, "0"))
                self.tool(service, "host", "1", "answer-releases")
                self.tool(service, *add, "0")
        self.assertEqual(
            follow("add", "--to", "0", "--at", "1GiB", "--size", "32MiB", "--tag", "d"), "backend create --name d --size 32MiB")
        tag = "11111111-1111-4111-8111-111111111111"
        self.assertEqual(
            follow("add", "--to", "0", "--extent", f"1GiB,2MiB,{tag}"), f"backend create --tag {tag} --size 2MiB")
        self.tool(service, "add", "--to", "0", "--at", "1GiB", "--size", "32MiB", "--tag", "d")
        self.assertIn("--extent 0x40000000,32MiB,", follow("release", "--from", "0", "--extent", "1GiB,2MiB"))

        service = self.device(device=["--lazy", "1GiB", "--hosts", "2", "--sharable-region", "0"])
        self.tool(service, "backend", "create", "--name", "c", "--size", "64MiB")
        add = ["add", "--to", "0", "--size", "64MiB", "--tag", "c"]
        self.tool(service, *add)
        self.tool(service, "host", "0", "accept", "--all")
        self.tool(service, "reference", "add", "--tag", "c")
        self.tool(service, "host", "0", "release", "--tag", "c")
        self.assertEqual(follow(*add), "reference remove --tag c")
        self.tool(service, *add)

    def test_wrong_link(self):
        """A socket of another role is said to be that, with the one that is needed."""
        service = self.device()
        place = {name: str(service.path / f"{name}.sock") for name in ["fm", "control", "host0"]}
        table = {
            ("fm", "trace"): ("a link of the fabric manager", "control"), ("fm", "links"): ("a link of the fabric manager", "control"),
            ("host0", "trace"): ("a host's link", "control"), ("fm", "host 0 list"): ("a link of the fabric manager", "host 0"),
            ("control", "host 0 accept"): ("a control link", "host 0"), ("control", "add --to 0 --size 1GiB"): ("a control link", "fm"),
            ("control", "events"): ("a control link", "fm"), ("host0", "info"): ("a host's link", "fm"),
        }  # fmt: skip
        for (socket, line), (found, needed) in table.items():
            with self.subTest(line, socket=socket):
                done = self.tool(service, "--socket", place[socket], *line.split(), status=1)
                self.assertIn(f"unix:{place[socket]} is {found}, and ", done.stderr)
                variable = needed.upper().replace(" ", "")
                self.assertIn(f"  say where that is with --{needed}{'=' if 'host' in needed else ' '}ADDRESS or FMAPICTL_{variable}", done.stderr)
        for socket in ["fm", "control"]:
            for line in ["info", "extents", "tags", "backend list", "map"]:
                self.tool(service, "--socket", place[socket], *line.split())

    def test_of_a_pool(self):
        service = self.device(device=["--static", "1GiB", "--hosts", "2"])
        self.tool(service, "add", "--to", "0", "--size", "768MiB")
        error = self.json(service, "add", "--to", "1", "--size", "512MiB", status=1)["error"]
        self.assertEqual(error["facts"], "256 MiB of 1 GiB are free, 512 MiB was asked")
        error = self.json(service, "add", "--to", "1", "--extent", "0,512MiB", status=1)["error"]
        self.assertEqual(error["facts"], "256 MiB of 1 GiB are free, 512 MiB was asked")
        self.tool(service, "host", "0", "accept")
        error = self.json(service, "release", "--from", "0", "--extent", "512MiB,512MiB", status=1)["error"]
        self.assertEqual(error["facts"], "host 0 has 256 MiB of the 512 MiB from 0x20000000 on")


class HelpTest(ToolTest):
    """What is said to somebody who is almost right."""

    def test_suggestions(self):
        table = {
            "hots": "fmapictl host", "hots 0 list": "fmapictl host", "host 0 lst": "fmapictl host 0 list", "evnts": "fmapictl events",
            "backend crate": "fmapictl backend create", "--fm x relase": "fmapictl release", "mpa": "fmapictl map", "xyzzy": None, "info host": None,
        }  # fmt: skip
        for line, meant in table.items():
            with self.subTest(line):
                done = run("/nonexistent", *line.split())
                self.assertEqual(done.returncode, 2)
                if meant:
                    self.assertIn(f"; did you mean '{meant}'?\nUsage: fmapictl ", done.stderr)
                else:
                    self.assertNotIn("did you mean", done.stderr)

    def test_host_without_a_command(self):
        done = run("/nonexistent", "host", "0")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "^fmapictl: host 0 needs a command:\n  run +Stay, and")
        self.assertTrue(done.stderr.endswith("See 'fmapictl host COMMAND --help' for more information.\n"))

    def test_wait_in_help(self):
        for command in ["add", "release"]:
            text = run("/nonexistent", command, "--help").stdout
            self.assertIn("(default as flag: as --timeout, else 30)", text)
            self.assertEqual(text.count("[--wait [SECONDS]]"), {"add": 4, "release": 2}[command])
            self.assertNotIn("Argument", text)

    def test_events_without_times(self):
        service = self.device()
        self.tool(service, "region", "set", "0", "--block-size", "4MiB")
        note = "no times: nobody has set the device's clock (0301h)\n"
        self.assertTrue(self.tool(service, "events", "0").stdout.endswith(note))
        self.tool(service, "send", "--to", "fm", "0301", "0000000000000010")
        self.tool(service, "region", "set", "0", "--block-size", "2MiB")
        self.assertNotIn("no times", self.tool(service, "events", "0").stdout)


class PoolTest(ToolTest):
    """What is left of a static device's memory."""

    def test_free(self):
        service = self.device(device=["--static", "8GiB", "--hosts", "2", "--regions", "2", "--sharable-region", "1"])
        self.assertFree(service, 8 * 1024)
        self.tool(service, "add", "--to", "0", "--size", "3GiB")
        self.tool(service, "host", "0", "accept")
        self.tool(service, "add", "--to", "1", "--size", "1GiB")
        self.assertFree(service, 4 * 1024)
        # Two hosts have the same.
        self.tool(service, "add", "--to", "0", "--region", "1", "--size", "512MiB", "--tag", "both")
        self.tool(service, "host", "0", "accept")
        self.tool(service, "add", "--to", "1", "--share", "--region", "1", "--tag", "both")
        self.assertFree(service, 4 * 1024 - 512)
        for command in [["map"], ["info"]]:
            self.assertIn("3.5 GiB ", self.tool(service, *command).stdout)
        # What the FM alone keeps is in nobody's list.
        self.tool(service, "reference", "add", "--tag", "both")
        self.tool(service, "release", "--from", "1", "--tag", "both", "--forced")
        self.assertFree(service, 4 * 1024 - 512)
        self.tool(service, "release", "--from", "0", "--tag", "both", "--forced")
        self.assertFree(service, 4 * 1024, exact=False)
        self.assertIn("at most 4 GiB of 8 GiB free", self.tool(service, "map").stdout)
        self.assertIn("at most 4 GiB free", self.tool(service, "info").stdout)

    def test_a_lazy_device_has_none(self):
        service = self.device(device=["--lazy", "8GiB", "--hosts", "2"])
        for command in ["map", "info"]:
            self.assertIsNone(self.json(service, command)["pool"])
            self.assertNotRegex(self.tool(service, command).stdout, r"GiB of 8 GiB free|, 8 GiB free")

    def assertFree(self, service: Daemon, mebibytes: int, exact: bool = True) -> None:
        pool = {"total": 8 << 30, "free": mebibytes << 20, "exact": exact}
        for command in ["map", "info"]:
            self.assertEqual(self.json(service, command)["pool"], pool)


class WaitingTest(ToolTest):
    """Operations that are followed to their end."""

    def follow(self, service: Daemon, *arguments: str) -> tuple[subprocess.Popen, int]:
        """Starts the tool on a terminal of its own; the terminal's other end."""
        parent, child = pty.openpty()
        process = subprocess.Popen(
            [str(TOOL), *arguments], env=environment(service.path, TERM="xterm", NO_COLOR="1"), stdin=subprocess.DEVNULL,
            stdout=child, stderr=child,
        )  # fmt: skip
        os.close(child)
        self.addCleanup(os.close, parent)
        self.addCleanup(lambda: process.poll() is None and (process.kill(), process.wait()))
        return process, parent

    def read_until(self, terminal: int, text: str) -> str:
        # A terminal gives what it has, which may end within a character.
        seen, wanted = b"", text.encode()
        deadline = time.monotonic() + PATIENCE
        while wanted not in seen:
            self.assertLess(time.monotonic(), deadline, f"no {text!r} in {seen!r}")
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    seen += os.read(terminal, 4096)
                except OSError:
                    self.assertIn(wanted, seen)
        return seen.decode(errors="replace")

    def test_progress_on_a_terminal(self):
        service = self.device(device=["--static", "2GiB", "--hosts", "2"])
        extents = [f"--extent={n * 4}MiB,2MiB" for n in range(8)]
        process, terminal = self.follow(service, "add", "--to", "0", *extents, "--wait")
        self.read_until(terminal, "\r\x1b[Khost 0 has accepted 0 of 8 extents, 0 B of 16 MiB …")
        self.tool(service, "host", "0", "accept")
        self.read_until(terminal, "\r\x1b[Khost 0 accepted 16 MiB in 8 extents")
        self.assertEqual(process.wait(PATIENCE), 0)

        process, terminal = self.follow(service, "release", "--from", "0", *extents, "--wait")
        self.read_until(terminal, "host 0 has given back 0 of 8 extents, 0 B of 16 MiB …")
        self.tool(service, "host", "0", "release", *extents[:3])
        self.read_until(terminal, "host 0 has given back 3 of 8 extents, 6 MiB of 16 MiB …")
        self.tool(service, "host", "0", "release", *extents[3:])
        self.read_until(terminal, "host 0 released 16 MiB")
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_agents_tell_what_they_wait_for(self):
        """On a terminal, after half a second; a pipe sees the end only."""
        service = self.device()
        for line, what in {"accept": "an offer", "reject": "an offer", "answer-releases": "a request"}.items():
            with self.subTest(line):
                process, terminal = self.follow(service, "host", "0", line, "--timeout", "1.5")
                self.read_until(terminal, f"\r\x1b[Kwaiting for {what}, up to 1.5 s …\r\x1b[Kfmapictl: ")
                self.assertEqual(process.wait(PATIENCE), 4)
        self.assertNotIn("waiting", self.tool(service, "host", "0", "accept", "--timeout", "1", status=4).stderr)

    def test_nothing_but_the_end_in_a_pipe(self):
        service = self.device()
        self.tool(service, "backend", "create", "--name", "a", "--size", "64MiB")
        self.agent(service, 0, "--policy", "accept")
        done = self.tool(service, "add", "--to", "0", "--size", "64MiB", "--tag", "a", "--wait")
        self.assertEqual(done.stderr, "")
        self.assertTrue(done.stdout.startswith("host 0 accepted 64 MiB in 1 extent\n"), done.stdout)

    def test_rejected_and_late(self):
        service = self.device()
        self.tool(service, "backend", "create", "--name", "a", "--size", "64MiB")
        agent = self.agent(service, 0, "--policy", "reject")
        done = self.tool(service, "add", "--to", "0", "--size", "64MiB", "--tag", "a", "--wait", status=6)
        self.assertIn("host 0 rejected 64 MiB, tag a", done.stderr)
        self.assertEqual(agent.stop(), 0)
        # --timeout is for every answer of the service too.
        for wait, seconds in [(["--wait", "0.2"], "0.2"), (["--timeout", "4", "--wait"], "4")]:
            done = self.tool(service, "add", "--to", "0", "--size", "64MiB", "--tag", "a", *wait, status=4)
            self.assertIn(f"has not answered in {seconds} s; the offer of 64 MiB, tag a stays open", done.stderr)
            self.tool(service, "host", "0", "reject")

    def test_a_release_that_is_late(self):
        service = self.device(device=["--static", "1GiB", "--hosts", "2"])
        extents = [f"--extent={n * 4}MiB,2MiB" for n in range(4)]
        self.tool(service, "add", "--to", "0", *extents)
        self.tool(service, "host", "0", "accept")
        done = self.tool(service, "release", "--from", "0", *extents, "--wait", "0.1", status=4)
        self.assertIn("host 0 has given back 0 of 4 extents, 0 B of 8 MiB in 0.1 s; the request stays\n", done.stderr)
        process, terminal = self.follow(service, "release", "--from", "0", *extents, "--wait", "5")
        self.read_until(terminal, "host 0 has given back 0 of 4 extents, 0 B of 8 MiB …")
        self.tool(service, "host", "0", "release", extents[0])
        self.read_until(terminal, ": host 0 has given back 1 of 4 extents, 2 MiB of 8 MiB in 5 s; the request stays")
        self.assertEqual(process.wait(PATIENCE), 4)

    def test_it_is_told_and_does_not_ask(self):
        """With an empty log of the FM, the number of requests does not grow with the time that the host takes."""
        service = self.device(device=["--static", "1GiB", "--hosts", "2"])
        process = subprocess.Popen(
            [str(TOOL), "add", "--to", "0", "--size", "2MiB", "--wait", str(PATIENCE)], env=environment(service.path),
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

        def commands() -> int:
            links = self.json(service, "links")["links"]
            return max([link["commands"] for link in links if link["role"] == "fm"], default=0)

        self.eventually(lambda: commands() >= 5)
        time.sleep(0.2)
        begin = time.monotonic()
        before = commands()
        time.sleep(3)
        grown, seconds = commands() - before, time.monotonic() - begin
        # A look a second, and what it asked before it began to wait. Who asks all the time would ask five times as often.
        self.assertLessEqual(grown, 2 * (seconds + 1) + 4)
        self.tool(service, "host", "0", "accept")
        self.assertEqual(process.wait(PATIENCE), 0)
        process.stdout.close()


if __name__ == "__main__":
    unittest.main()
