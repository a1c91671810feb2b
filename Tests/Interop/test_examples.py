"""The examples of the documentation, as they stand there."""

import subprocess
import tempfile
import unittest

from daemon import BINARY, ROOT


class ReadmeTest(unittest.TestCase):
    """The README's example by hand, as it stands there."""

    def test_example(self):
        text = (ROOT / "README.md").read_text()
        example = text.split("<!-- example: run by Tests/Interop/test_examples.py -->")[1]
        script = example.split("```sh\n")[1].split("```")[0]
        waits = "until fmapictl info > /dev/null 2>&1; do kill -0 %1 && sleep 0.05; done\n"
        script = script.replace("\nfmapictl backend create", f"\n{waits}fmapictl backend create", 1)
        with tempfile.TemporaryDirectory(prefix="fmapid-readme-") as directory:
            result = subprocess.run(
                ["bash", "-euc", f"export PATH={BINARY.parent}:$PATH\n{script}\nkill %1; wait %1"],
                cwd=directory, capture_output=True, text=True, timeout=60,
            )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("hello\n", result.stdout)
        self.assertTrue(result.stdout.endswith("released\n"), result.stdout)


class MainJobTest(unittest.TestCase):
    def test_main_job(self):
        script = ROOT / "examples" / "main-job"
        result = subprocess.run([script, str(BINARY.parent)], capture_output=True, text=True, timeout=120)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertTrue(result.stdout.endswith("The main job is done.\n"), result.stdout)
