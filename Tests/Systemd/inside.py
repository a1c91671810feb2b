"""Runs the tests; called by `run` in the machine that it made."""

import subprocess
import sys
import unittest
from pathlib import Path

SETTLE = (
    "systemd-sysusers", "systemd-tmpfiles --create", "journalctl --update-catalog", "systemctl daemon-reload",
)  # fmt: skip
HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Interop")]

from run import Result  # noqa: E402  (of Interop: the program beside this file has no suffix)


def main() -> int:
    # As systemd/install says.
    for command in SETTLE:
        subprocess.run(command.split(), check=True, capture_output=True)
    result = Result()
    for name in sys.argv[1:] or ["test_*"]:
        unittest.TestLoader().discover(str(HERE), pattern=f"{name}.py").run(result)
    print(f"Systemd: {result.passed} passed, {result.failed} failed, {len(result.skipped)} skipped")
    return 0 if result.passed and not result.failed else 1


if __name__ == "__main__":
    sys.exit(main())
