"""Programs that are started without standard streams: no file or socket may come to stand in their place."""

import os
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from daemon import BINARY, PATIENCE
from tool import TOOL, Device


class ClosedStreamsTest(unittest.TestCase):
    def start(self, command: list[str], **options) -> subprocess.Popen:
        process = subprocess.Popen(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *command], **options)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def assert_held(self, process: subprocess.Popen) -> None:
        self.assertEqual([os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)], 3 * ["/dev/null"])

    def test_service(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "control"
            process = self.start([str(BINARY), "--lazy", "1GiB", "--listen", f"control=control,packet,unix:{path}"])
            deadline = time.monotonic() + PATIENCE
            while not path.exists():
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.01)
            self.assert_held(process)

    def test_agent(self):
        with Device() as device:
            process = self.start([str(TOOL), "host", "0", "run", "--policy", "accept"], env=device.environment)
            deadline = time.monotonic() + PATIENCE
            while f'"pid": {process.pid},' not in device.run("links", "--json"):
                self.assertLess(time.monotonic(), deadline)
            self.assert_held(process)


if __name__ == "__main__":
    unittest.main()
