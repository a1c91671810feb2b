"""Allocations and instructions of each command at steady state."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

import programs
from programs import WORK, run, run_json
from messages import TYPES, answer, request, requests
from table import Row, limit_row

TAG = bytes(range(16))
EVENT_LOG_UUIDS = bytes.fromhex("0da9c0b5bf414b788f7996b1623b3f17")
"""Of the Command Effects Log."""

READ_ONLY: list[tuple[str, int, bytes]] = [
    ("fm", 0x0001, b""),
    ("fm", 0x0002, b""),
    ("fm", 0x0003, b""),
    ("fm", 0x0100, b"\4"),
    ("host0", 0x0102, b""),
    ("fm", 0x0104, b""),
    ("fm", 0x0300, b""),
    ("fm", 0x0400, b""),
    ("fm", 0x0401, EVENT_LOG_UUIDS + struct.pack("<II", 0, 16)),
    ("fm", 0x0405, bytes([1, 0])),
    ("fm", 0x4000, b""),
    ("host0", 0x4800, bytes([8, 0])),
    ("host0", 0x4801, struct.pack("<II", 25, 0)),
    ("fm", 0x5600, b""),
    ("fm", 0x5601, bytes([0, 0, 8, 0])),
    ("fm", 0x5603, struct.pack("<HxxII", 0, 25, 0)),
    ("fm", 0x5608, struct.pack("<II", 0, 25)),
    ("control", 0xC002, struct.pack("<II", 0, 25)),
    ("control", 0xC003, TAG),
    ("control", 0xC010, TAG),
    ("control", 0xC013, struct.pack("<HxxIQ", 0, 25, 0)),
]
"""Socket, opcode and payload of the commands that change nothing and have something to say. C011h is not among them: what it tells changes with every
request."""

DEVICE = ["--lazy", "4GiB"]
WARM, MEASURED = 200, 1000


def prepare(server: programs.Server) -> None:
    """Extents, tags, backends and event records for commands to tell of."""
    steps = []
    for index in range(30):
        tag = TAG if index == 0 else bytes([index]) * 16
        start, size = index * (2 << 20), 2 << 20
        steps += [
            ("control", 0xC000, tag + struct.pack("<QBBH4x", size, 0, 0, 0)),
            ("fm", 0x5604, struct.pack("<HBBQ16sI", 0, 0, 0, size, tag, 0)),
            ("host0", 0x4802, struct.pack("<I4xQQ8x", 1, start, size)),
        ]
    for name, opcode, payload in steps:
        answer(server.socket(f"{name}.packet"), "packet", request("packet", opcode, payload))


def send(server: programs.Server, name: str, link: str, opcode: int, payload: bytes, count: int) -> None:
    path = server.socket(f"{name}.{link}")
    expected = answer(path, link, request(link, opcode, payload))
    run("load", path, TYPES[link], 1, 1, f"n{count}", expected, *requests(link, opcode, payload))


def commands(link: str) -> list[tuple[str, int, bytes]]:
    return READ_ONLY if link == "packet" else [command for command in READ_ONLY if command[0] == "fm"]


def allocations() -> dict[tuple[str, int], float]:
    counter = WORK / "allocations"
    counter.unlink(missing_ok=True)
    found = {}
    with programs.fmapid(*DEVICE, LD_PRELOAD=str(WORK / "mallocs"), MALLOC_COUNTER=str(counter)) as server:
        prepare(server)
        for link in ("packet", "stream"):
            for name, opcode, payload in commands(link):
                # A link costs something to open; that is the same in both runs.
                numbers = [int.from_bytes(counter.read_bytes(), "little")]
                for count in (WARM, WARM, WARM + MEASURED):
                    send(server, name, link, opcode, payload, count)
                    numbers.append(int.from_bytes(counter.read_bytes(), "little"))
                few, many = numbers[2] - numbers[1], numbers[3] - numbers[2]
                found[link, opcode] = (many - few) / MEASURED
    return found


def allocations_of_a_step(durable: bool) -> float:
    """Of a command that changes the device: Add, its answer, the request to release, the release."""
    counter = WORK / "allocations"
    counter.unlink(missing_ok=True)
    device = ["--static", "64GiB", "--event-log-size", "65535"]
    with programs.fmapid(*device, durable=durable, LD_PRELOAD=str(WORK / "mallocs"), MALLOC_COUNTER=str(counter)) as server:

        def steps(milliseconds: int) -> tuple[int, int]:
            before = int.from_bytes(counter.read_bytes(), "little")
            result = run_json("cycle", server.socket("fm.packet"), server.path / "host%d.packet", 1, 1, 1, milliseconds)
            return result["steps"], int.from_bytes(counter.read_bytes(), "little") - before

        steps(WARM)
        number, counted = steps(MEASURED)
        return counted / number


def instructions() -> dict[tuple[str, int], float]:
    """User-space instructions of a request and its turn, by callgrind."""
    output = WORK / "callgrind"
    for old in WORK.glob("callgrind*"):
        old.unlink()
    found = {}
    with programs.fmapid(*DEVICE, before=["valgrind", "--tool=callgrind", f"--callgrind-out-file={output}"]) as server:
        prepare(server)
        process = str(server.process.pid)

        def dump() -> int:
            """Instructions since the last dump."""
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            subprocess.run(["callgrind_control", "--dump=x", process], check=True, **quiet)
            newest = max(WORK.glob("callgrind.*"), key=lambda path: int(path.suffix[1:]))
            return int(re.search(r"^totals: (\d+)", newest.read_text(), re.MULTILINE).group(1))

        def count(name: str, link: str, opcode: int, payload: bytes, requests: int) -> int:
            send(server, name, link, opcode, payload, requests)
            return dump()

        dump()

        for link in ("packet", "stream"):
            for name, opcode, payload in commands(link):
                few, many = (count(name, link, opcode, payload, number) for number in (WARM, WARM + MEASURED))
                found[link, opcode] = (many - few) / MEASURED
    for old in WORK.glob("callgrind*"):
        old.unlink()
    return found


def lines(quick: bool) -> list[Row]:
    if quick:
        global MEASURED
        MEASURED = 100
    counted = allocations()
    costs = instructions() if shutil.which("valgrind") and not quick else {}
    rows = []
    for (link, opcode), number in counted.items():
        row = limit_row("alloc", f"{opcode:04X}h, {TYPES[link]}", number, "allocations", 0)
        row.goal = "0"
        if costs:
            row.reference = f"{costs[link, opcode]:,.0f} instructions"
            row.value = costs[link, opcode]
            row.details["instructions"] = costs[link, opcode]
        rows.append(row)
    for durable, name in ((False, "volatile"), (True, "durable")):
        row = limit_row("alloc", f"a step of a cycle (5604h, 4802h, 5605h, 4803h), {name}", allocations_of_a_step(durable), "allocations", None)
        rows.append(row)
    return rows
