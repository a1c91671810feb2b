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


class AgentTest(unittest.TestCase):
    """Offers that were answered by an agent that ended before it cleared its log do not stop the next one."""

    def test_answered_but_not_cleared(self):
        script = """
        fmapid --static 1GiB --listen fm=fm,serial,unix:fm.sock --listen host0=host:0,packet,unix:host0.sock &
        export FMAPICTL_FM=fm.sock FMAPICTL_HOST0=host0.sock
        until fmapictl info > /dev/null 2>&1; do kill -0 %1 && sleep 0.05; done
        fmapictl add --to 0 --at 0 --size 2MiB
        fmapictl send --to host0 4802 0000000000000000
        fmapictl add --to 0 --at 4MiB --size 4MiB
        fmapictl host 0 accept
        kill %1; wait %1
        """
        with tempfile.TemporaryDirectory(prefix="fmapid-agent-") as directory:
            result = subprocess.run(
                ["bash", "-euc", f"export PATH={BINARY.parent}:$PATH\n{script}"],
                cwd=directory, capture_output=True, text=True, timeout=60,
            )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("accepted 4 MiB", result.stdout)
