"""The agent of a host as systemd's service: what it accepts is there as files, for its user."""

import mmap
import os
import pwd
import signal
import subprocess
import unittest
import uuid
from pathlib import Path

from device import SIZE, Device, new_tag
from service import AGENT, SERVICE, ServiceTest, main_pid, show, systemctl, wait_until

FILES = Path("/run/fmapid-host-agent/0")


def file(tag: bytes) -> Path:
    return FILES / f"0x0-{uuid.UUID(bytes=tag)}"


def read_as(user: str, path: Path) -> subprocess.CompletedProcess:
    """What a user finds at 1000h of a file."""
    entry = pwd.getpwnam(user)
    program = f"file = open({str(path)!r}, 'r+b'); file.seek(0x1000); print(file.read(5).decode())"
    return subprocess.run(
        ["/usr/bin/python3", "-c", program], user=entry.pw_uid, group=entry.pw_gid, extra_groups=[], capture_output=True, text=True
    )


class AgentTest(ServiceTest):
    def setUp(self) -> None:
        super().setUp()
        self.device = self.enterContext(Device())
        self.tag = new_tag()
        self.device.create(self.tag)
        systemctl("start", AGENT)

    def accept(self) -> None:
        self.device.offer(0, self.tag)
        wait_until(file(self.tag).exists, "the file of the extent")

    def test_extents_are_files_for_its_user(self):
        self.assertEqual(show("ActiveState", AGENT), "active")
        self.accept()
        self.assertEqual(self.device.extents(0), [(0, SIZE, self.tag)])
        with self.device.map(0, 0) as memory:
            memory[0x1000:0x1005] = b"hello"
            done = read_as("fmapid-host", file(self.tag))
            self.assertEqual(done.stdout, "hello\n", done.stderr)
            self.assertIn("PermissionError", read_as("nobody", file(self.tag)).stderr)
            # The file is the memory, both ways.
            with open(file(self.tag), "r+b") as opened, mmap.mmap(opened.fileno(), SIZE) as other:
                other[0x1000:0x1005] = b"HELLO"
            self.assertEqual(memory[0x1000:0x1005], b"HELLO")
        self.device.ask_back(0, self.tag)
        wait_until(lambda: self.device.extents(0) == [], "the release")
        self.assertFalse(os.path.lexists(file(self.tag)))

    def test_a_stop_keeps_what_was_accepted(self):
        self.accept()
        systemctl("stop", AGENT)
        self.assertEqual((show("ActiveState", AGENT), show("Result", AGENT)), ("inactive", "success"))
        self.assertFalse(FILES.exists())
        self.assertEqual(self.device.extents(0), [(0, SIZE, self.tag)])
        systemctl("start", AGENT)
        self.assertTrue(file(self.tag).exists())

    def test_it_comes_back_with_its_files(self):
        self.accept()
        for unit, number in ((AGENT, signal.SIGKILL), (SERVICE, signal.SIGKILL)):
            with self.subTest(unit):
                agent = main_pid(AGENT)
                os.kill(main_pid(unit), number)
                wait_until(lambda: main_pid(AGENT) not in (0, agent), "the next agent")
                wait_until(file(self.tag).exists, "the file of the extent")
                self.device.forget()
                self.assertEqual(self.device.extents(0), [(0, SIZE, self.tag)])

    def test_its_options_are_in_a_file(self):
        options = Path("/etc/fmapid/host-agent-0.conf")
        options.write_text("OPTIONS=--policy reject\n")
        self.addCleanup(options.unlink)
        systemctl("restart", AGENT)
        self.device.offer(0, self.tag)
        # A rejected offer can be made again; while it is open, it cannot.
        wait_until(self.offered_again, "the rejection")
        self.assertEqual(self.device.extents(0), [])

    def offered_again(self) -> bool:
        try:
            self.device.offer(0, self.tag)
        except AssertionError:
            return False
        return True


if __name__ == "__main__":
    unittest.main()
