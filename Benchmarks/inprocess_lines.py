"""Lines 3, 4, 5 and 8: what happens between two system calls, measured inside one process."""

from __future__ import annotations

import json
import statistics

import callgrind
from programs import WORK, run
from table import Row, limit_row, number, ratio_row

GIB = 1 << 30


def results(line: int, quick: bool) -> list[dict]:
    output = run("fmapid-benchmark", *(["--quick"] if quick else []), line)
    return [json.loads(text) for text in output.splitlines()]


def allocations(name: str) -> int:
    """Heap allocations of a thousand repetitions."""
    counter, numbers = WORK / "allocations-in-process", []
    for count in (1000, 2000):
        counter.unlink(missing_ok=True)
        run("fmapid-benchmark", "--repeat", name, count, LD_PRELOAD=str(WORK / "mallocs"), MALLOC_COUNTER=str(counter))
        numbers.append(int.from_bytes(counter.read_bytes(), "little"))
    return numbers[1] - numbers[0]


def line3(quick: bool) -> list[Row]:
    found = results(3, quick)
    costs = callgrind.of_works([name for r in found for name in (r["name"], f"{r['name']} in C")], quick)
    rows = []
    for r in found:
        name = r["name"]
        row = ratio_row("3", name, list(zip(r["ns"], r["reference"])), "ns", 1.2, "less")
        row.count_instructions(costs.get(name), costs.get(f"{name} in C"))
        row.details["allocations"] = counted = allocations(name)
        row.goal += ", no allocation"
        row.met = row.met and counted == 0
        row.note = f"{counted} allocations in 1,000"
        rows.append(row)
    return rows


def line4(quick: bool) -> list[Row]:
    names = {
        "0001h": ("0001h, decode to encode", 300),
        "5600h": ("5600h, decode to encode", 300),
        "cycle": ("5604h + 4802h + 5605h + 4803h, 10^3 extents", 3000),
    }
    found = {r["name"]: statistics.median(r["ns"]) for r in results(4, quick)}
    costs = callgrind.of_works(list(names), quick)
    return [
        limit_row("4", what, found[name], "ns", limit).count_instructions(costs.get(name))
        for name, (what, limit) in names.items()
    ]


def line5(quick: bool) -> list[Row]:
    found = {(r["name"], round(r["extents"])): r["ns"] for r in results(5, quick)}
    sizes = sorted({extents for _, extents in found})
    first, last = sizes[0], sizes[-1]
    rows = []
    for name in ("cycle", "5603h start", "5603h end", "5608h start", "5608h end"):
        growth = {f"{size}": statistics.median(found[name, size]) for size in sizes}
        what = f"{name}, {last:,} extents to {first:,}"
        rows.append(ratio_row("5", what, list(zip(found[name, last], found[name, first])), "ns", 2, "less", growth=growth))
    for command in ("5603h", "5608h"):
        pairs = list(zip(found[f"{command} end", last], found[f"{command} start", last]))
        rows.append(ratio_row("5", f"{command}, end of {last:,} to start", pairs, "ns", 1.25, "less"))
    return rows


def line8(quick: bool) -> list[Row]:
    found = results(8, quick)
    costs = callgrind.of_works(
        [name for r in found for name in (f"encode {r['name']}", f"decode {r['name']}", f"CRC of {r['name']} in C")], quick
    )
    rows = []
    for r in found:
        crc = speed(r, "crc")
        for work in ("encode", "decode"):
            goal = None if "random" in r["name"] else 1.0
            row = limit_row("8", f"{work} {r['name']}", speed(r, work), "GiB/s", goal, "more")
            ratios = {name: statistics.median(c / w for c, w in zip(r[name], r[work])) for name in ("crc", "crc8")}
            row.details |= {"crc_gib_per_s": crc, "ratio_to_crc": ratios["crc"], "ratio_to_crc8": ratios["crc8"]}
            row.note = f"{ratios['crc']:.2f} × a CRC alone, {number(crc)} GiB/s; {ratios['crc8']:.2f} × one of eight tables"
            row.count_instructions(costs.get(f"{work} {r['name']}"), costs.get(f"CRC of {r['name']} in C"))
            rows.append(row)
    return rows


def speed(result: dict, work: str) -> float:
    """GiB/s of unescaped payload."""
    return result["bytes"] / statistics.median(result[work]) * 1e9 / GIB
