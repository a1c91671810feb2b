"""Lines 1, 2 and 7: what a command costs from one end of a socket to the other."""

from __future__ import annotations

import statistics
import threading
from pathlib import Path

import programs
from programs import ONE_CPU, TWO_CPUS, WORK, Server, run_json
from messages import KINDS, TYPES, answer, request, requests
from table import Row, limit_row, ratio_row

IDENTIFY, GET_DCD_INFO = 0x0001, 0x5600
DEVICE = ["--static", "4GiB"]


def throughput(rounds: int, milliseconds: int, shapes: list[tuple[str, int, int, float]]) -> list[Row]:
    """Requests per second of fmapid and of the C server. A shape is (line, links, requests in flight on each, goal)."""
    rows = []
    with programs.fmapid(*DEVICE) as ours:
        for link in ("packet", "stream"):
            for opcode in (IDENTIFY, GET_DCD_INFO):
                for line, links, depth, goal in shapes:
                    rows += compare(ours, link, opcode, line, links, depth, goal, rounds, milliseconds)
    return rows


def compare(
    ours: Server, link: str, opcode: int, line: str, links: int, depth: int, goal: float, rounds: int, milliseconds: int
) -> list[Row]:
    path = ours.socket(f"fm.{link}")
    message = request(link, opcode)
    expected = answer(path, link, message)
    command = [WORK / "server", "{dir}/c", TYPES[link], len(message), expected, depth]
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
            shape = f"{links} x {depth} in flight" if (links, depth) != (1, 1) else "one in flight"
            what = f"{opcode:04X}h, {TYPES[link]}, {shape}, {name}"
            rows.append(ratio_row(line, what, pairs, "req/s", goal, "more", **details))
    return rows


def line1(quick: bool) -> list[Row]:
    return throughput(*(1, 20) if quick else (9, 250), [("1", 1, 1, 0.95)])


def line2(quick: bool) -> list[Row]:
    return throughput(*(1, 20) if quick else (7, 250), [("2", 1, 8, 0.8), ("2", 16, 8, 0.8)])


def line7(quick: bool) -> list[Row]:
    """A command that reads, sent at random times about a millisecond apart, while another link commits without pause."""
    rounds, milliseconds = (1, 100) if quick else (7, 2000)
    alone, beside, commits = [], [], []
    with programs.fmapid(*DEVICE, "--event-log-size", "65535", durable=True) as server:
        path, message = server.socket("fm.packet"), request("packet", GET_DCD_INFO)
        host = server.socket("host0.packet")
        # Its contents change while others commit; its size does not, and the first answer comes before they begin.
        read = [path, "seqpacket", 1, 1, milliseconds, answer(path, "packet", message), message.hex(), "--every", 1000]
        for _ in range(rounds):
            alone.append(run_json("load", *read))
            writer: dict = {}
            thread = threading.Thread(
                target=lambda: writer.update(run_json("cycle", path, host, 1, 1, 1, milliseconds + 300))
            )
            thread.start()
            beside.append(run_json("load", *read))
            thread.join()
            # The writer's steps while nobody else was served would be shorter by what a read costs, some microseconds.
            commits.append(writer["p50"])
    commit = statistics.median(commits)
    mine = statistics.median(result["p99"] for result in alone)
    p50, p99 = (statistics.median(result[key] for result in beside) for key in ("p50", "p99"))
    details = {"commit_ns": commit, "p99_alone_ns": mine}
    return [
        limit_row("7", "read beside commits, p50 (goal: one commit)", p50 / 1000, "µs", commit / 1000, **details),
        limit_row("7", "the same, p99 (goal: two commits + p99 alone)", p99 / 1000, "µs", (2 * commit + mine) / 1000, **details),
    ]
