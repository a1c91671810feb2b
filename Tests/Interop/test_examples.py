"""The examples of the documentation, as they stand there."""

import json
import os
import re
import subprocess
import tempfile
import unittest

from daemon import BINARY, PATIENCE, ROOT, TOOL


class ReadmeTest(unittest.TestCase):
    """The README's example by hand, as it stands there."""

    def test_example(self):
        text = (ROOT / "README.md").read_text()
        example = text.split("<!-- example: run by Tests/Interop/test_examples.py -->")[1]
        script = example.split("```sh\n")[1].split("```")[0]
        with tempfile.TemporaryDirectory(prefix="fmapid-readme-") as directory:
            result = subprocess.run(
                ["bash", "-euc", f"export PATH={BINARY.parent}:$PATH\n{script}\nkill %1; wait %1"],
                cwd=directory, capture_output=True, text=True, timeout=5 * PATIENCE,
            )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("hello\n", result.stdout)
        self.assertTrue(result.stdout.endswith("released\n"), result.stdout)


class MainJobTest(unittest.TestCase):
    def test_main_job(self):
        script = ROOT / "examples" / "main-job"
        result = subprocess.run([script, str(BINARY.parent)], capture_output=True, text=True, timeout=5 * PATIENCE)
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
                cwd=directory, capture_output=True, text=True, timeout=5 * PATIENCE,
            )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("accepted 4 MiB", result.stdout)


class ManualTest(unittest.TestCase):
    """The examples of fmapictl(1), all of them in their order, against the service that they begin with."""

    def blocks(self) -> list[str]:
        page = (ROOT / "man" / "fmapictl.1").read_text()
        section = re.search(r"^\.Sh EXAMPLES\n(.*?)^\.Sh ", page, re.M | re.S)[1]
        blocks = re.findall(r"^\.Bd -literal[^\n]*\n(.*?)^\.Ed", section, re.M | re.S)
        return [block.replace("\\e", "\\").replace("\\&", "") for block in blocks]

    def test_examples(self):
        service, *examples = self.blocks()
        # A line that begins with "$ " is a command; what follows without it belongs to it.
        commands = ["".join(re.sub(r"^\$ ", "", block, flags=re.M)) for block in examples]
        with tempfile.TemporaryDirectory(prefix="fmapid-manual-") as directory:
            script = f"""
            export PATH={TOOL.parent}:{BINARY.parent}:$PATH FMAPICTL_DIRECTORY={directory}
            {service.rstrip()} &
            service=$!
            until fmapictl info > /dev/null 2>&1; do kill -0 $service; sleep 0.05; done
            """
            # Each example has its own shell, as far as jobs go, and may not leave one behind.
            for block in commands:
                script += f"(\nset -euxo pipefail\n{block}\njobs -p | xargs --no-run-if-empty kill 2> /dev/null || true\nwait\n)\n"
            script += "kill $service; wait $service\n"
            environment = {name: value for name, value in os.environ.items() if not name.startswith("FMAPICTL_")}
            result = subprocess.run(
                ["bash", "-euc", script], cwd=directory, env=environment, capture_output=True, text=True, timeout=5 * PATIENCE,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        for line in ["hello", "released", "host 1 accepted 256 MiB in 1 extent", "host 1 released 256 MiB", "let go of tag corpus"]:
            self.assertIn(f"\n{line}\n", result.stdout)

    def test_every_command_has_an_example(self):
        help = json.loads(subprocess.run([TOOL, "--experimental-dump-help"], capture_output=True, check=True).stdout)

        def leaves(command, path):
            children = [child for child in command.get("subcommands", []) if child["commandName"] != "help"]
            if not children:
                yield path
            for child in children:
                yield from leaves(child, [*path, child["commandName"]])

        text = re.sub(r"fmapictl host \d ", "fmapictl host ", "".join(self.blocks()))
        # Both need a terminal.
        expected = {" ".join(path) for path in leaves(help["command"], [])} - {"host ask", "watch"}
        self.assertEqual({name for name in expected if f"fmapictl {name}" not in text}, set())
