"""Runs the interoperability tests: python3 Tests/Interop/run.py [MODULE...]. FMAPID names the binary under test.

The last line is `Interop: N passed, N failed, N skipped`.
"""

import sys
import time
import unittest
from pathlib import Path

DIRECTORY = Path(__file__).resolve().parent


class Result(unittest.TestResult):
    """One line for each test that ran, and what went wrong below it."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = self.failed = 0
        self._bad = False

    def startTest(self, test) -> None:
        super().startTest(test)
        self._bad = self._skipped = False
        self._start = time.monotonic()

    def stopTest(self, test) -> None:
        super().stopTest(test)
        if self._skipped:
            return
        self.passed += not self._bad
        self.failed += self._bad
        seconds = time.monotonic() - self._start
        print(f"{'FAILED' if self._bad else 'passed'}  {test.id()}  ({seconds:.2f} s)", flush=True)

    def addFailure(self, test, error) -> None:
        super().addFailure(test, error)
        self._report(test, self.failures[-1][1])

    def addError(self, test, error) -> None:
        super().addError(test, error)
        self._report(test, self.errors[-1][1])

    def addSubTest(self, test, subtest, error) -> None:
        super().addSubTest(test, subtest, error)
        if error is not None:
            self._report(subtest, self._exc_info_to_string(error, test))

    def addSkip(self, test, reason) -> None:
        super().addSkip(test, reason)
        self._skipped = True
        print(f"skipped {test.id()}: {reason}", flush=True)

    def _report(self, test, text: str) -> None:
        self._bad = True
        print(f"--- {test.id()}\n{text}", flush=True)
        if not isinstance(test, unittest.TestCase):
            # A class that could not be set up never starts a test.
            self.failed += 1


def main() -> int:
    result = Result()
    for name in sys.argv[1:] or ["test_*"]:
        unittest.TestLoader().discover(str(DIRECTORY), pattern=f"{name}.py").run(result)
    print(f"Interop: {result.passed} passed, {result.failed} failed, {len(result.skipped)} skipped")
    return 0 if result.passed and not result.failed else 1


if __name__ == "__main__":
    sys.exit(main())
