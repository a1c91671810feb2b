"""Lines 3, 4, 5 and 8: what happens between two system calls, measured inside one process."""

from __future__ import annotations

import json

from programs import run
from table import Row, limit_row, ratio_row


def results(line: int, quick: bool) -> list[dict]:
    output = run("fmapid-benchmark", *(["--quick"] if quick else []), line)
    return [json.loads(text) for text in output.splitlines()]


def line3(quick: bool) -> list[Row]:
    return [ratio_row("3", r["name"], [(r["ns"], r["reference"])], "ns", 1.2, "less") for r in results(3, quick)]


def line4(quick: bool) -> list[Row]:
    names = {
        "0001h": ("0001h, decode to encode", 300),
        "5600h": ("5600h, decode to encode", 300),
        "cycle": ("5604h + 4802h + 5605h + 4803h, 10^3 extents", 3000),
    }
    found = {r["name"]: r["ns"] for r in results(4, quick)}
    return [limit_row("4", what, found[name], "ns", limit) for name, (what, limit) in names.items()]


def line5(quick: bool) -> list[Row]:
    found = {(r["name"], round(r["extents"])): r["ns"] for r in results(5, quick)}
    sizes = sorted({extents for _, extents in found})
    first, last = sizes[0], sizes[-1]
    rows = []
    for name in ("cycle", "5603h start", "5603h end", "5608h start", "5608h end"):
        growth = {f"{size}": found[name, size] for size in sizes}
        what = f"{name}, {last:,} extents to {first:,}"
        rows.append(ratio_row("5", what, [(found[name, last], found[name, first])], "ns", 2, "less", growth=growth))
    for command in ("5603h", "5608h"):
        pair = (found[f"{command} end", last], found[f"{command} start", last])
        rows.append(ratio_row("5", f"{command}, end of {last:,} to start", [pair], "ns", 1.25, "less"))
    return rows


def line8(quick: bool) -> list[Row]:
    rows = []
    for r in results(8, quick):
        for work in ("encode", "decode"):
            speed = r["bytes"] / r[work] / 1.073741824
            goal = None if "random" in r["name"] else 1.0
            row = limit_row("8", f"{work} {r['name']}", speed, "GiB/s", goal, "more")
            row.details |= {"ratio_to_crc": r["crc"] / r[work], "ratio_to_crc8": r["crc8"] / r[work]}
            row.reference = f"CRC {r['bytes'] / r['crc'] / 1.073741824:.3g} GiB/s"
            row.value = r["crc"] / r[work]
            rows.append(row)
    return rows
