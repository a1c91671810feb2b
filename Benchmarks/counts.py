"""Allocations and instructions of each command at steady state."""

from __future__ import annotations

import os
import struct
from collections import defaultdict
from contextlib import ExitStack
from functools import partial

import callgrind
import programs
from callgrind import Callgrind
from changes import BACKENDS, POOL, Change
from fmapid_peer import CCI, FM_API, Peer, connect_packet
from programs import ONE_CPU, WORK, run, run_json
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
    ("control", 0xC011, struct.pack("<II", 0, 1)),
    ("control", 0xC013, struct.pack("<HxxIQ", 0, 25, 0)),
]
"""Socket, opcode and payload of the commands that change nothing and have something to say."""
COUNTERS = {0xC011}
"""Commands whose answers change with every request."""

DEVICE = ["--lazy", "4GiB"]
DEVICE_OF_BACKENDS = ["--lazy", "4GiB", "--regions", "2", "--sharable-region", "1"]
DEVICE_OF_A_POOL = ["--static", "4GiB"]
WARM, MEASURED, CYCLES = 200, 1000, 200


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
    server.place(ONE_CPU[0])
    path = server.socket(f"{name}.{link}")
    expected = answer(path, link, request(link, opcode, payload))
    load = [path, TYPES[link], 1, 1, f"n{count}", expected, *requests(link, opcode, payload)]
    run("load", *load, *["--any"] * (opcode in COUNTERS), cpu=ONE_CPU[1], gives_way=True)


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


def allocations_of_changes(device: list[str], changes: list[Change]) -> dict[int, float]:
    """Of each command that changes something: mean of all its requests while the changes are made over and over, in order."""
    counter = WORK / "allocations"
    counter.unlink(missing_ok=True)
    sums, times = defaultdict(int), defaultdict(int)
    preload = {"LD_PRELOAD": str(WORK / "mallocs"), "MALLOC_COUNTER": str(counter)}
    with programs.fmapid(*device, **preload) as server, ExitStack() as stack:
        names = ("fm", "host0", "control")
        peers = {name: stack.enter_context(Peer(connect_packet(server.socket(f"{name}.packet")))) for name in names}

        def settled(peer: Peer) -> int:
            """Allocations so far. An answer leaves before its turn is over; that to a second command comes in the next one."""
            peer.command(0x0001)
            return int.from_bytes(counter.read_bytes(), "little")

        for round in range(CYCLES // 2 + CYCLES):
            for change in changes:
                peer = peers[change.link]
                payload = change.payload(peer)
                before = settled(peer)
                result = peer.command(change.opcode, payload, FM_API if change.opcode >> 8 == 0x56 else CCI)
                used = settled(peer) - before
                for descriptor in result.descriptors:
                    os.close(descriptor)
                if result.code != 0:
                    raise RuntimeError(f"{change.opcode:04X}h: return code {result.code:04x}h, reason {result.vendor_status}")
                if round >= CYCLES // 2:
                    sums[change.opcode] += used
                    times[change.opcode] += 1
    return {opcode: sums[opcode] / times[opcode] for opcode in times}


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
    """User-space instructions of a request and its turn."""
    found = {}
    with Callgrind() as counter, programs.fmapid(*DEVICE, before=counter.before) as server:
        prepare(server)
        for link in ("packet", "stream"):
            for name, opcode, payload in commands(link):
                sends = partial(send, server, name, link, opcode, payload)
                found[link, opcode] = counter.each(server.process.pid, sends)
    return found


def lines(quick: bool) -> list[Row]:
    if quick:
        global MEASURED, CYCLES
        MEASURED, CYCLES = 100, 10
    counted = allocations()
    costs = instructions() if callgrind.is_there(quick) else {}
    rows = []
    for (link, opcode), number in counted.items():
        row = limit_row("counts", f"{opcode:04X}h, {TYPES[link]}", number, "allocations", 0)
        row.goal = "0"
        rows.append(row.count_instructions(costs.get((link, opcode))))
    for what, device, changes in (("of backends", DEVICE_OF_BACKENDS, BACKENDS), ("of a pool", DEVICE_OF_A_POOL, POOL)):
        for opcode, number in sorted(allocations_of_changes(device, changes).items()):
            rows.append(limit_row("counts", f"{opcode:04X}h, device {what}", number, "allocations", None))
    for durable, name in ((False, "volatile"), (True, "durable")):
        what = f"a step of a cycle (5604h, 4802h, 5605h, 4803h), {name}"
        rows.append(limit_row("counts", what, allocations_of_a_step(durable), "allocations", None))
    return rows
