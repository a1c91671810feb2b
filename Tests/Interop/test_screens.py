"""What fmapictl draws: maps and live views in real terminals, pictures for documents.

Screens are compared with those in screens/, where what changes from run to run is masked. FMAPID_SCREENS=write stores them anew.
"""

import json
import os
import re
import signal
import struct
import subprocess
import time
import unittest
import xml.etree.ElementTree as xml
from pathlib import Path

from daemon import PATIENCE, Daemon, needs_program, next_line
from fmapid_peer import Peer, connect_packet
from tool import GIB, MIB, TOOL, Device, Terminal

SCREENS = Path(__file__).parent / "screens"
SVG = "{http://www.w3.org/2000/svg}"


def masked(screen: str) -> str:
    """The screen without times, rates, counters and names of sockets; links in order of their names."""
    lines = [line.rstrip() for line in screen.splitlines()]
    lines = [re.sub(r"^\d\d:\d\d:\d\d\.\d{6}", "HH:MM:SS.mmmmmm", line) for line in lines]
    lines = [re.sub(r"^fmapid unix:.*", "fmapid ADDRESS  RATE", line) for line in lines]
    links = [index for index, line in enumerate(lines) if re.match(r" *\d+ (fm|host \d+|control) +[a-z]", line)]
    names = sorted(" ".join(["LINK", *lines[index].split()[1:-6]]) for index in links)
    for index, name in zip(links, names, strict=True):
        lines[index] = name
    return "\n".join(lines).rstrip() + "\n"


class ScreenCase(unittest.TestCase):
    maxDiff = None

    def assertScreen(self, terminal: Terminal, name: str) -> None:
        """Waits for the stored screen: what is drawn last may still be on its way."""
        path = SCREENS / f"{name}.txt"
        writes = os.environ.get("FMAPID_SCREENS") == "write"
        deadline = time.monotonic() + (5 if writes else PATIENCE)
        while (screen := terminal.screen) and path.exists() and masked(screen) != path.read_text():
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        if writes:
            path.parent.mkdir(exist_ok=True)
            path.write_text(masked(screen))
        self.assertEqual(masked(screen), path.read_text(), f"{path}; FMAPID_SCREENS=write stores the new one")


@needs_program("tmux")
class MapScreenTest(ScreenCase):
    def test_map(self):
        with Device() as device:
            device.work()
            for columns in [60, 80, 160]:
                with Terminal(f"{TOOL} map; sleep 60", device.environment, columns, 24) as terminal:
                    terminal.wait_for("free")
                    self.assertScreen(terminal, f"map-{columns}")


@needs_program("tmux")
class WatchScreenTest(ScreenCase):
    def test_watch(self):
        for columns in [80, 160]:
            with self.subTest(columns=columns), Device() as device:
                with Terminal(f"{TOOL} watch", device.environment, columns, 36) as terminal:
                    terminal.wait_for("nothing has changed", "HOST", "LINK")
                    for step in range(12):
                        self.step(device, step)
                        # Each is seen before the next, so that none is passed over.
                        terminal.wait_for(self.seen[step])
                    # Counters of links are a second old.
                    terminal.wait_for("host1")
                    self.assertScreen(terminal, f"watch-{columns}")

    seen = [
        "1 GiB was made", "512 MiB was made", "768 MiB was made", "2 MiB was made", "offered 1 GiB", "accepted 1 GiB",
        "offered 512 MiB", "accepted 512 MiB", "asked for up to 512 MiB", "offered 768 MiB", "offered 2 MiB", "accepted 2 MiB",
    ]  # fmt: skip

    def step(self, device: Device, number: int) -> None:
        steps = [
            lambda: device.create(1, GIB),
            lambda: device.create(2, GIB // 2),
            lambda: device.create(3, 3 * GIB // 4),
            lambda: device.create(4, 2 * MIB),
            lambda: device.add(0, 0, GIB, 1),
            lambda: device.answer(0, (0, GIB)),
            lambda: device.add(0, 2 * GIB, GIB // 2, 2),
            lambda: device.answer(0, (2 * GIB, GIB // 2)),
            lambda: device.ask_back(0, GIB // 2, 2),
            lambda: device.add(0, 3 * GIB, 3 * GIB // 4, 3),
            lambda: device.add(1, GIB, 2 * MIB, 4),
            lambda: device.answer(1, (GIB, 2 * MIB)),
        ]
        steps[number]()

    def test_names(self):
        """The map's key and the last changes call what has a name by it, so that they can be matched."""
        with Device() as device, Terminal(f"{TOOL} watch", device.environment, 80, 24) as terminal:
            terminal.wait_for("nothing has changed", "LINK")
            long = "checkpoints-of-the-nightly-training-run-in-the-second-hall"
            device.create("kv-cache", GIB)
            terminal.wait_for("was made, tag kv-cache")
            device.create(long, GIB // 2)
            terminal.wait_for("512 MiB was made, tag checkpoints")
            device.add(0, 0, GIB, "kv-cache")
            terminal.wait_for("0x0, tag kv-cache")
            device.answer(0, (0, GIB))
            terminal.wait_for("accepted 1 GiB at 0x0, tag kv-cache")
            device.add(1, 2 * GIB, GIB // 2, long)
            terminal.wait_for("host 1 is offered 512 MiB at 0x80000000, tag checkp")
            terminal.wait_for("host1")
            self.assertScreen(terminal, "watch-names-80x24")

    def test_low_screen(self):
        """The usual terminal with more bars than it has room for: each part is there."""
        with Device(hosts=16) as device, Terminal(f"{TOOL} watch", device.environment, 80, 24) as terminal:
            terminal.wait_for("nothing has changed", "LINK")
            for number in range(1, 16):
                device.create(number, 2 * MIB)
                device.add(number - 1, 0, 2 * MIB, number)
                terminal.wait_for(f"host {number - 1} is offered")
            self.assertScreen(terminal, "watch-80x24")

    def test_ends(self):
        """However it ends, the terminal is as it was; at the end of the service it says so."""
        ends = {
            "q": lambda terminal, device: terminal.type("q"),
            "Ctrl-C": lambda terminal, device: terminal.type("C-c"),
            "SIGTERM": lambda terminal, device: subprocess.run(["pkill", "-TERM", "-P", self.shell(terminal)], check=True),
            "service": lambda terminal, device: device.daemon.stop(),
        }
        for name, end in ends.items():
            with self.subTest(name), Device() as device:
                script = f"echo before $$; {TOOL} watch; echo ended $?; stty -a | grep -o '.icanon\\|.echo '; sleep 60"
                with Terminal(script, device.environment, 80, 24) as terminal:
                    # What was before it is hidden by now.
                    terminal.wait_for("q quits")
                    end(terminal, device)
                    screen = terminal.wait_for("ended", "icanon", "echo")
                    self.assertIn("before", screen)
                    self.assertIn("ended 3" if name == "service" else "ended 0", screen)
                    self.assertNotIn("-icanon", screen)
                    self.assertNotIn("-echo", screen)
                    self.assertNotIn("q quits", screen)
                    if name == "service":
                        self.assertIn("fmapictl: ", screen)

    def shell(self, terminal: Terminal) -> str:
        return terminal._tmux("display-message", "-p", "#{pane_pid}").strip()

    def test_resize(self):
        with Device() as device, Terminal(f"{TOOL} watch", device.environment, 80, 30) as terminal:
            terminal.wait_for("nothing has changed")
            device.work()
            terminal.wait_for("2 MiB")
            for columns, rows in [(160, 50), (60, 12), (20, 5), (100, 24)]:
                terminal.resize(columns, rows)
                deadline = time.monotonic() + PATIENCE
                while (lines := terminal.screen.splitlines())[-1:] != ["q quits"] or len(lines) != rows:
                    self.assertLess(time.monotonic(), deadline, "\n".join(lines))
                    time.sleep(0.02)
                self.assertTrue(all(len(line) <= columns for line in lines))


class WatchLinesTest(unittest.TestCase):
    """Elsewhere than on a terminal: one line for each change."""

    def test_lines(self):
        with Device() as device:
            watches = [
                subprocess.Popen([TOOL, "watch", "--count", "4", *more], env=device.environment, stdout=subprocess.PIPE, text=True)
                for more in [[], ["--json"]]
            ]
            self.wait_for_watches(device, 2)
            steps = [
                lambda: device.create(1, GIB), lambda: device.add(1, 0, GIB, 1), lambda: device.answer(1, (0, GIB)),
                lambda: device.ask_back(1, GIB, 1),
            ]  # fmt: skip
            lines: list[list[str]] = [[], []]
            for step in steps:
                step()
                # Two changes between two looks would be one, so each is seen by both before the next.
                for watch, seen in zip(watches, lines):
                    seen.append(next_line(watch))
            text, documents = ("".join(seen) + watch.communicate(timeout=PATIENCE)[0] for watch, seen in zip(watches, lines))
            self.assertEqual([watch.returncode for watch in watches], [0, 0])
            tag = "11111111-1111-1111-1111-111111111111"
            self.assertEqual(
                [line.split("  ", 1)[1] for line in text.splitlines()],
                [
                    f"backend of 1 GiB was made, tag {tag}", f"host 1 is offered 1 GiB at 0x0, tag {tag}",
                    f"host 1 accepted 1 GiB at 0x0, tag {tag}", f"host 1 is asked for up to 1 GiB at 0x0, tag {tag}",
                ],
            )  # fmt: skip
            changes = [json.loads(line) for line in documents.splitlines()]
            self.assertEqual([change["change"] for change in changes], ["backend made", "offered", "accepted", "asked back"])
            self.assertEqual({change["tag"] for change in changes}, {tag})

    def test_names(self):
        """Backends are called by their names, in lines and in documents, also one that was there before and is deleted."""
        with Device() as device:
            device.create("old", MIB * 2)
            watches = [
                subprocess.Popen([TOOL, "watch", "--count", "3", *more], env=device.environment, stdout=subprocess.PIPE, text=True)
                for more in [[], ["--json"]]
            ]
            self.wait_for_watches(device, 2)
            lines: list[list[str]] = [[], []]
            device.create("new", GIB)
            for watch, seen in zip(watches, lines):
                seen.append(next_line(watch))
            device.add(0, 0, GIB, "new")
            for watch, seen in zip(watches, lines):
                seen.append(next_line(watch))
            device.delete("old")
            text, documents = ("".join(seen) + watch.communicate(timeout=PATIENCE)[0] for watch, seen in zip(watches, lines))
            self.assertEqual(
                [line.split("  ", 1)[1] for line in text.splitlines()],
                [
                    "backend of 1 GiB was made, tag new", "host 0 is offered 1 GiB at 0x0, tag new",
                    "backend of 2 MiB was deleted, tag old",
                ],
            )  # fmt: skip
            documents = [json.loads(line) for line in documents.splitlines()]
            self.assertEqual([document["name"] for document in documents], ["new", "new", "old"])
            self.assertEqual({len(document["tag"]) for document in documents}, {36})

    def test_fm_link_alone(self):
        """No notification tells of an offer or a backend; the watch sees them all the same."""
        with Device() as device:
            environment = {name: text for name, text in device.environment.items() if name != "FMAPICTL_CONTROL"}
            environment["FMAPICTL_DIRECTORY"] = "/nonexistent"
            watch = subprocess.Popen([TOOL, "watch", "--count", "2"], env=environment, stdout=subprocess.PIPE, text=True)
            self.addCleanup(watch.wait)
            self.addCleanup(watch.kill)
            # Its second look is a second after its first.
            deadline = time.monotonic() + PATIENCE
            while (links := [link for link in self.links(device) if link["pid"] == watch.pid]) == [] or links[0]["commands"] < 10:
                self.assertLess(time.monotonic(), deadline)
            device.create(1, GIB)
            self.assertIn("was made", next_line(watch))
            device.add(1, 0, GIB, 1)
            self.assertIn("is offered", next_line(watch))
            watch.communicate(timeout=PATIENCE)

    def links(self, device: Device) -> list[dict]:
        return json.loads(device.run("links", "--json"))["links"]

    def wait_for_watches(self, device: Device, number: int) -> None:
        """Until so many watches have looked once: each has a control link, and after its first look asked there once more."""
        deadline = time.monotonic() + PATIENCE
        while True:
            links = self.links(device)
            # The links, a trace, the device, the extents and regions of two hosts, the backends twice, and the links.
            if sum(link["role"] == "control" and link["commands"] >= 10 for link in links) >= number:
                return
            self.assertLess(time.monotonic(), deadline)

    def test_log_is_left_alone(self):
        """Records of the FM's log are for the fabric manager: the watch reads and clears none."""
        with Device() as device:
            watch = subprocess.Popen([TOOL, "watch"], env=device.environment, stdout=subprocess.PIPE, text=True)
            self.wait_for_watches(device, 1)
            device.work()
            self.assertIn("backend", next_line(watch))
            time.sleep(0.3)
            watch.send_signal(signal.SIGINT)
            watch.communicate(timeout=PATIENCE)
            self.assertEqual(watch.returncode, 0)
            events = json.loads(device.run("events", "fm", "--json"))
            self.assertEqual(len(events["records"]), 3)


class WatchRestTest(unittest.TestCase):
    """Watches see in their traces what other watches ask: that must not make them ask."""

    LISTENERS = ["--listen", "fm=fm,serial,unix:{dir}/fm.sock", "--listen", "control=control,packet,unix:{dir}/control.sock"]

    def wait_for_rest(self, service: Daemon, watches: list[subprocess.Popen]) -> None:
        """Until the watches together ask no more than their counters of links for a while."""
        own = {watch.pid for watch in watches}
        control = service.peer(connect_packet, "control.sock")
        deadline = time.monotonic() + PATIENCE
        before, start = None, time.monotonic()
        while True:
            rows = self.links(control)
            now = sum(commands for pid, commands in rows if pid in own)
            self.assertEqual([watch.poll() for watch in watches], [None] * len(watches))
            # Links are listed in one or two parts, once a second.
            if before and now - before <= 2 * len(watches) * (time.monotonic() - start + 1):
                return
            self.assertLess(time.monotonic(), deadline, f"{now - before if before else now} commands in two seconds")
            before, start = now, time.monotonic()
            time.sleep(2)

    def links(self, control: Peer) -> list[tuple[int, int]]:
        """Process and executed commands of each link (C011h)."""
        rows: list[tuple[int, int]] = []
        while True:
            payload = control.command(0xC011, struct.pack("<II", len(rows), 1000)).payload
            total, returned = struct.unpack_from("<II", payload, 4)
            for index in range(returned):
                pid, commands = struct.unpack_from("<I4xQ", payload, 16 + 96 * index + 0x10)
                rows.append((pid, commands))
            if len(rows) >= total:
                return rows

    def watches(self, service: Daemon, number: int) -> list[subprocess.Popen]:
        links = {"FMAPICTL_FM": service.wait_for("fm.sock"), "FMAPICTL_CONTROL": service.wait_for("control.sock")}
        watches = [
            subprocess.Popen([TOOL, "watch"], env={**os.environ, **links}, stdout=subprocess.DEVNULL) for _ in range(number)
        ]
        for watch in watches:
            self.addCleanup(watch.wait)
            self.addCleanup(watch.kill)
        return watches

    def create(self, control: Peer, numbers: range) -> None:
        for number in numbers:
            made = control.command(0xC000, struct.pack(">QQ", number, number) + struct.pack("<QBBH4x", 2 * MIB, 0, 0, 0))
            self.assertEqual(made.code, 0)

    def test_many_backends(self):
        with Daemon(*self.LISTENERS, device=["--lazy", "16GiB", "--hosts", "2"]) as service:
            control = service.peer(connect_packet, "control.sock")
            self.create(control, range(1, 2001))
            watches = self.watches(service, 2)
            self.wait_for_rest(service, watches)
            self.create(control, range(2001, 2002))
            self.wait_for_rest(service, watches)

    def test_backends_that_come_fast(self):
        """A list that changes while it is read is read again later, and the watch goes on."""
        with Daemon(*self.LISTENERS, device=["--lazy", "16GiB", "--hosts", "2"]) as service:
            watches = self.watches(service, 1)
            self.wait_for_rest(service, watches)
            self.create(service.peer(connect_packet, "control.sock"), range(1, 1001))
            self.wait_for_rest(service, watches)

    def test_many_hosts(self):
        """What others read of a large device is no reason to look."""
        with Daemon(*self.LISTENERS, device=["--static", "64GiB", "--hosts", "200", "--regions", "8"]) as service:
            watches = self.watches(service, 1)
            self.wait_for_rest(service, watches)
            before = self.asked(service, watches)
            environment = {**os.environ, "FMAPICTL_FM": str(service.path / "fm.sock")}
            for _ in range(3):
                subprocess.run([TOOL, "info"], env=environment, stdout=subprocess.DEVNULL, timeout=PATIENCE, check=True)
            self.wait_for_rest(service, watches)
            # One look is 402 commands. Lost records are reason enough for some, but not for one after the other.
            self.assertLess(self.asked(service, watches) - before, 4 * 402)

    def asked(self, service: Daemon, watches: list[subprocess.Popen]) -> int:
        rows = self.links(service.peer(connect_packet, "control.sock"))
        return sum(commands for pid, commands in rows if pid in {watch.pid for watch in watches})


class MapTest(unittest.TestCase):
    """Maps that no terminal shows."""

    def test_colours(self):
        with Device() as device:
            device.work()
            self.assertNotIn("\x1b", device.run("map"))
            self.assertNotIn("\x1b", device.run("map", "--color", "never"))
            self.assertIn("\x1b[38;5;", device.run("map", "--color", "always", TERM="xterm-256color", COLORTERM=""))
            self.assertTrue(device.run("map", LC_ALL="C").isascii())

    def test_document(self):
        with Device() as device:
            device.work()
            document = json.loads(device.run("map", "--json"))
            extents = [
                (host["host"], extent["start"], extent["length"], extent["state"])
                for host in document["hosts"] for region in host["regions"] for extent in region["extents"]
            ]  # fmt: skip
            self.assertEqual(
                extents,
                [
                    (0, 0, GIB, "accepted"), (0, 2 * GIB, GIB // 2, "asked back"), (0, 3 * GIB, 3 * GIB // 4, "offered"),
                    (1, GIB, 2 * MIB, "accepted"),
                ],
            )  # fmt: skip
            self.assertEqual(len(document["backends"]), 5)

    def test_picture(self):
        """Well-formed; everything lies in the picture; widths are to scale; and it can be drawn."""
        with Device() as device:
            device.work()
            path = device.daemon.path / "map.svg"
            device.run("map", "--svg", str(path))
            self.assertEqual(device.run("map", "--svg", "-"), path.read_text())
            root = xml.parse(path).getroot()
            self.assertEqual(root.tag, SVG + "svg")
            self.assertNotIn("href", path.read_text(), "it refers to nothing outside")
            width, height = float(root.get("width")), float(root.get("height"))
            self.assertEqual(root.get("viewBox"), f"0 0 {width:g} {height:g}")
            boxes = [box for box in root.iter(SVG + "rect") if box.get("x")]
            for box in boxes:
                x, y, w, h = (float(box.get(name)) for name in ["x", "y", "width", "height"])
                self.assertTrue(0 <= x and x + w <= width and 0 <= y and y + h <= height and w > 0, xml.tostring(box))
            for text in root.iter(SVG + "text"):
                self.assertTrue(0 <= float(text.get("x")) <= width and 0 <= float(text.get("y")) <= height)

            pieces = {piece.find(SVG + "title").text: float(piece.get("width")) for piece in boxes
                      if piece.get("class") == "piece" and piece.find(SVG + "title") is not None}  # fmt: skip
            bars = [box for box in boxes if box.get("class") == "free" and float(box.get("width")) > 100]
            self.assertEqual(len(bars), 2)
            whole = float(bars[0].get("width"))
            expected = {"accepted": GIB, "asked back, all or part": GIB // 2, "offered": 3 * GIB // 4}
            for state, size in expected.items():
                (found,) = [w for title, w in pieces.items() if title.endswith(state) and not title.startswith("2 MiB")]
                self.assertAlmostEqual(found / whole, size / (4 * GIB), places=3)
            (small,) = [w for title, w in pieces.items() if title.startswith("2 MiB")]
            self.assertEqual(small, 3)
            self.assertEqual(len(pieces), 4)

    @needs_program("rsvg-convert")
    def test_picture_is_drawn(self):
        with Device() as device:
            device.work()
            path = device.daemon.path / "map.svg"
            device.run("map", "--svg", str(path))
            picture = subprocess.run(["rsvg-convert", path], capture_output=True, timeout=PATIENCE, check=True).stdout
            self.assertEqual(picture[:8], b"\x89PNG\r\n\x1a\n")
            self.assertGreater(len(picture), 5000)


if __name__ == "__main__":
    unittest.main()
