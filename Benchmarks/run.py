"""Runs the benchmarks and prints a table; see README.md."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time

import counts
import durable_lines
import footprint_lines
import inprocess_lines
import link_lines
import programs
from table import render

LINES = {
    "1": link_lines.line1,
    "2": link_lines.line2,
    "3": inprocess_lines.line3,
    "4": inprocess_lines.line4,
    "5": inprocess_lines.line5,
    "6": durable_lines.line6,
    "7": durable_lines.line7,
    "8": inprocess_lines.line8,
    "9": footprint_lines.line9,
    "10": footprint_lines.line10,
    "11": footprint_lines.line11,
    "counts": counts.lines,
}
IN_PROCESS = {"3", "4", "5", "8"}


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/benchmark", description="Measures fmapid against programs in C.")
    parser.add_argument("lines", nargs="*", metavar="LINE", help=f"of {' '.join(LINES)} (default: all)")
    parser.add_argument("--json", metavar="FILE", help="write the results there")
    parser.add_argument("--quick", action="store_true", help="see only that everything runs: the numbers mean nothing")
    parser.add_argument("--fmapid", metavar="PATH", help="measure this program, and the fmapid-benchmark beside it, if there is one")
    options = parser.parse_args()
    for line in options.lines:
        if line not in LINES:
            parser.error(f"there is no line {line}")
    wanted = options.lines or list(LINES)

    programs.build_reference()
    if options.fmapid:
        if not programs.use_fmapid(options.fmapid):
            wanted = [line for line in wanted if line not in IN_PROCESS]
    else:
        programs.build_release()

    rows = []
    for line in wanted:
        start = time.monotonic()
        rows += LINES[line](options.quick)
        print(f"line {line}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    if options.quick:
        for row in rows:
            row.goal, row.met = "", None
    print(render(rows))
    if options.json:
        machine = {"cpus": os.cpu_count(), "kernel": platform.release(), "machine": platform.machine()}
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": machine, "load": os.getloadavg(), "rows": [row.json() for row in rows]}, file, indent=1)
            file.write("\n")
    if options.quick:
        print(f"Benchmarks: {len(rows)} passed, 0 failed, 0 skipped")
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
