"""Lines 1 and 2: what a command costs from one end of a socket to the other."""

from __future__ import annotations

import statistics
from pathlib import Path

import callgrind
import programs
from callgrind import Callgrind
from programs import ONE_CPU, TWO_CPUS, WORK, Server, run, run_json
from messages import GET_DCD_INFO, IDENTIFY, KINDS, TYPES, answer, request, requests
from table import Row, ratio_row

DEVICE = ["--static", "4GiB"]


Shape = tuple[str, int, int, float]
"""Line, links, requests in flight on each, goal."""


def throughput(quick: bool, rounds: int, milliseconds: int, shapes: list[Shape]) -> list[Row]:
    """Requests per second of fmapid and of the C server."""
    works = [(link, opcode, shape) for link in ("packet", "stream") for opcode in (IDENTIFY, GET_DCD_INFO) for shape in shapes]
    with programs.fmapid(*DEVICE) as ours:
        found = [compare(ours, *work, rounds, milliseconds) for work in works]
    if callgrind.is_there(quick):
        with Callgrind() as counter, programs.fmapid(*DEVICE, before=counter.before) as ours:
            for rows, work in zip(found, works):
                costs = instructions(counter, ours, *work)
                for row in rows:
                    row.count_instructions(*costs)
    return [row for rows in found for row in rows]


def canned(ours: Server, link: str, opcode: int, depth: int) -> tuple[str, list]:
    """The service's answer, and the command of the server that knows no other."""
    message = request(link, opcode)
    expected = answer(ours.socket(f"fm.{link}"), link, message)
    return expected, [WORK / "server", "{dir}/c", TYPES[link], len(message), expected, depth]


def instructions(counter: Callgrind, ours: Server, link: str, opcode: int, shape: Shape) -> tuple[float, float]:
    """Of a request: what fmapid, and what the C server does in user space.

    A client that came between would save them a turn, so both are on one processor, and the client gives way.
    """
    _, links, depth, _ = shape
    expected, command = canned(ours, link, opcode, depth)
    with Callgrind() as other, Server(*other.before, *command, sockets=(("c", KINDS[link]),)) as reference:

        def each(counter: Callgrind, server: Server, socket: str) -> float:
            def send(count: int) -> None:
                load = [socket, TYPES[link], links, depth, f"n{count}", expected]
                run("load", *load, *requests(link, opcode), cpu=ONE_CPU[1], gives_way=True)

            server.place(ONE_CPU[0])
            return counter.each(server.process.pid, send) / links

        return each(counter, ours, ours.socket(f"fm.{link}")), each(other, reference, reference.socket("c"))


def compare(ours: Server, link: str, opcode: int, shape: Shape, rounds: int, milliseconds: int) -> list[Row]:
    line, links, depth, goal = shape
    path = ours.socket(f"fm.{link}")
    expected, command = canned(ours, link, opcode, depth)
    rows = []
    with Server(*command, sockets=(("c", KINDS[link]),)) as reference:
        for place, name in ((ONE_CPU, "one CPU"), (TWO_CPUS, "two CPUs")):
            if place is TWO_CPUS and TWO_CPUS == ONE_CPU:
                continue
            sides = ((ours, path), (reference, reference.socket("c")))
            pairs, latencies, costs = [], [[], []], [[], []]
            for server, _ in sides:
                server.place(place[0])
            for round in range(rounds):
                rates = [0.0, 0.0]
                for side in (0, 1) if round % 2 else (1, 0):
                    server, socket = sides[side]
                    before = server.cpu_time()
                    result = run_json(
                        "load", socket, TYPES[link], links, depth, milliseconds, expected, *requests(link, opcode), cpu=place[1]
                    )
                    costs[side].append((server.cpu_time() - before) / result["requests"])
                    rates[side] = result["requests"] / result["seconds"]
                    latencies[side].append((result["p50"], result["p99"]))
                pairs.append((rates[0], rates[1]))
            details = {
                "cpu_ns_per_request": [statistics.median(side) for side in costs],
                "latency_ns_p50": [statistics.median(p50 for p50, _ in side) for side in latencies],
                "latency_ns_p99": [statistics.median(p99 for _, p99 in side) for side in latencies],
            }
            flight = f"{links} x {depth} in flight" if (links, depth) != (1, 1) else "one in flight"
            what = f"{opcode:04X}h, {TYPES[link]}, {flight}, {name}"
            rows.append(ratio_row(line, what, pairs, "req/s", goal, "more", **details))
    return rows


def line1(quick: bool) -> list[Row]:
    return throughput(quick, *(1, 20) if quick else (9, 250), [("1", 1, 1, 0.95)])


def line2(quick: bool) -> list[Row]:
    return throughput(quick, *(1, 20) if quick else (7, 250), [("2", 1, 8, 0.8), ("2", 16, 8, 0.8)])
