"""fmapictl demo: how long it takes, how it ends, and what it leaves behind."""

import os
import signal
import subprocess
import tempfile
import time
import unittest

from daemon import PATIENCE
from tool import TOOL

LONGEST = 10.0
"""Seconds that the demo may take."""


class DemoTest(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="fmapid-demo-test-")
        self.addCleanup(directory.cleanup)
        self.path = directory.name
        self.environment = {**os.environ, "TMPDIR": self.path, "LC_ALL": "C.UTF-8"}

    def test_plays_to_its_end(self):
        start = time.monotonic()
        done = subprocess.run(
            [TOOL, "demo"], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
        )
        seconds = time.monotonic() - start
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertLess(seconds, LONGEST)
        self.assertEqual(os.listdir(self.path), [])
        self.assertNotIn("\x1b", done.stdout)
        for text in [
            "5604h Initiate Dynamic Capacity Add", "Invalid Extent List (001Eh), 23 bytes\n                    the length is not the backend's size\n",
            "'fmapictl demo --slow' leaves",
            "hello from host 0", "4802h Add Dynamic Capacity Response", "status released", "payload  5b e1 3b ce",
        ]:  # fmt: skip
            self.assertIn(text, done.stdout)
        # Offered, accepted and asked back are drawn.
        for glyph in "░█▒":
            self.assertRegex(done.stdout, f"0 A{glyph}+·")
        self.assertTrue(all(len(line) <= 80 for line in done.stdout.splitlines()))

    def test_is_interrupted(self):
        for number in [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]:
            demo = subprocess.Popen([TOOL, "demo", "--slow"], env=self.environment, stdout=subprocess.PIPE, text=True)
            self.assertEqual(demo.stdout.readline(), "\n")
            (directory,) = os.listdir(self.path)
            self.assertTrue(directory.startswith("fmapid-demo-"))
            demo.send_signal(number)
            demo.communicate(timeout=PATIENCE)
            self.assertEqual(demo.returncode, 130)
            self.assertEqual(os.listdir(self.path), [])
            left = subprocess.run(["pgrep", "-f", f"{self.path}/"], capture_output=True, text=True, check=False).stdout
            self.assertEqual(left, "", "its fmapid is still there")

    def test_is_killed(self):
        """Its fmapid ends with it, however it ends."""
        demo = subprocess.Popen([TOOL, "demo", "--slow"], env=self.environment, stdout=subprocess.PIPE, text=True)
        self.assertEqual(demo.stdout.readline(), "\n")
        demo.kill()
        demo.communicate(timeout=PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while subprocess.run(["pgrep", "--runstates", "R,S,D", "-f", f"{self.path}/"], capture_output=True, check=False).stdout:
            self.assertLess(time.monotonic(), deadline, "its fmapid is still there")
            time.sleep(0.02)

    def test_nobody_reads(self):
        """`fmapictl demo | head -1` leaves nothing behind; a result that cannot be written is a failure."""
        demo = subprocess.Popen([TOOL, "demo", "--fast"], env=self.environment, stdout=subprocess.PIPE)
        demo.stdout.close()
        self.assertEqual(demo.wait(timeout=PATIENCE), 0)
        self.assertEqual(os.listdir(self.path), [])
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [TOOL, "demo", "--fast"], env=self.environment, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
            )
        self.assertEqual((done.returncode, done.stderr), (6, "fmapictl: cannot write the result: No space left on device\n"))
        self.assertEqual(os.listdir(self.path), [])

    def test_says_what_is_missing(self):
        """Away from fmapid, and without it in PATH."""
        tool = os.path.join(self.path, "fmapictl")
        with open(TOOL, "rb") as source, open(tool, "wb") as copy:
            copy.write(source.read())
        os.chmod(tool, 0o755)
        done = subprocess.run(
            [tool, "demo"], env={**self.environment, "PATH": self.path}, capture_output=True, text=True, timeout=60, check=False
        )
        self.assertEqual(done.returncode, 6)
        self.assertIn("cannot find fmapid", done.stderr)


if __name__ == "__main__":
    unittest.main()
