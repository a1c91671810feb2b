"""A soak that is short: `scripts/soak` runs for as long as one likes."""

import os
import subprocess
import sys
import unittest
from pathlib import Path

from daemon import BINARY


class SoakTest(unittest.TestCase):
    def test_short(self):
        seconds = os.environ.get("FMAPID_SOAK_SECONDS", "25")
        environment = {**os.environ, "FMAPID": str(BINARY), "FMAPID_SOAK_SECONDS": seconds}
        script = Path(__file__).with_name("soak.py")
        found = subprocess.run([sys.executable, str(script)], env=environment, capture_output=True, text=True, timeout=float(seconds) + 400)
        print(f"    {found.stdout.strip().splitlines()[-1]}")
        self.assertEqual(found.returncode, 0, found.stdout + found.stderr)


if __name__ == "__main__":
    unittest.main()
