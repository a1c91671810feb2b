"""The pages under docs/: their examples run as they stand there, and their links lead somewhere."""

import re
import socket
import subprocess
import sys
import tempfile
import unittest

from daemon import BINARY, PATIENCE, ROOT, TOOL

MARK = r"<!-- example: run by Tests/Interop/test_documents\.py[^>]*-->\n```{language}\n(.*?)```"
WAITS = "until fmapictl info > /dev/null 2>&1; do kill -0 %1 && sleep 0.05; done\n"


def examples(page: str, language: str) -> list[str]:
    return re.findall(MARK.format(language=language), (ROOT / page).read_text(), re.S)


def run(script: str, directory: str) -> subprocess.CompletedProcess:
    path = f"{BINARY.parent}:{TOOL.parent}"
    return subprocess.run(
        ["bash", "-euc", f"export PATH={path}:$PATH\ntrap 'kill $(jobs -p)' ERR\n{script}\nkill %1; wait %1"],
        cwd=directory, capture_output=True, text=True, timeout=5 * PATIENCE,
    )  # fmt: skip


class DocumentsTest(unittest.TestCase):
    def test_concepts(self):
        (script,) = examples("docs/concepts.md", "sh")
        with tempfile.TemporaryDirectory(prefix="fmapid-concepts-") as directory:
            result = run(script, directory)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("weights", result.stdout)
        self.assertTrue(result.stdout.endswith("released\n"), result.stdout)

    def test_fabric_manager(self):
        (program,) = examples("docs/writing-a-fabric-manager.md", "python")
        script = f"fmapid --lazy 4GiB --hosts 2 --listen fm=fm,serial,unix:fm.sock &\nexport FMAPICTL_FM=fm.sock\n{WAITS}"
        with tempfile.TemporaryDirectory(prefix="fmapid-fm-") as directory:
            with open(f"{directory}/manager.py", "w") as file:
                file.write(program)
            result = run(f"{script}{sys.executable} manager.py fm.sock", directory)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertEqual(result.stdout, "2 hosts, 1 regions, 4 GiB\n")

    def test_fabric_manager_whose_device_goes(self):
        """The program ends when the link closes, wherever in a frame that is."""
        (program,) = examples("docs/writing-a-fabric-manager.md", "python")
        for begun in [b"", b"\x7e", b"\x7e\x01", b"\x7e\x01\x30\x01\x08", b"\x7e\x01\x30\x01\x7d"]:
            with self.subTest(begun), tempfile.TemporaryDirectory(prefix="fmapid-fm-") as directory, socket.socket(socket.AF_UNIX) as end:
                end.bind(f"{directory}/fm.sock")
                end.listen()
                manager = subprocess.Popen(
                    [sys.executable, "-c", program, f"{directory}/fm.sock"], stderr=subprocess.PIPE, text=True
                )  # fmt: skip
                self.addCleanup(manager.kill)
                link, _ = end.accept()
                link.recv(64)
                link.sendall(begun)
                link.close()
                _, errors = manager.communicate(timeout=PATIENCE)
                self.assertEqual(manager.returncode, 1)
                self.assertIn("ConnectionError: the device closed the link", errors)

    def test_testing_a_fabric_manager(self):
        (script,) = examples("docs/writing-a-fabric-manager.md", "sh")
        with tempfile.TemporaryDirectory(prefix="fmapid-fm-") as directory:
            # The trace may have opened a moment after the last command.
            seen = "until grep -q 5603h trace.log; do fmapictl extents > /dev/null; done"
            result = run(f"{script}\n{seen}\nkill %2 %3; wait %2 %3 || true\ncat trace.log >&2", directory)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        self.assertIn("1 GiB", result.stdout)
        self.assertIn("5603h Get DC Region Extent Lists", result.stderr)

    def test_links(self):
        """Every relative link of every page leads to a file, and to a heading of it."""
        pages = [*ROOT.glob("*.md"), *(page for folder in ("docs", "protocol", "examples", "systemd", "Fuzz", "Benchmarks")
                                       for page in (ROOT / folder).rglob("*.md"))]  # fmt: skip
        self.assertGreater(len(pages), 8)
        broken = []
        for page in pages:
            for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                file = (page.parent / path).resolve() if path else page
                if not file.exists():
                    broken.append(f"{page.relative_to(ROOT)}: {target}")
                elif anchor and anchor not in self.anchors(file.read_text()):
                    broken.append(f"{page.relative_to(ROOT)}: {target} (no such heading)")
        self.assertEqual(broken, [])

    @staticmethod
    def anchors(text: str) -> set[str]:
        headings = re.findall(r"^#+ (.*)$", text, re.M)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
