"""Lines 6 and 7: changes that would survive power loss, and commands beside them, against C that appends and waits for the disk."""

from __future__ import annotations

import contextlib
import socket
import statistics
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import programs
from messages import GET_DCD_INFO, answer, request
from programs import WORK, Server, run_json
from table import Row, limit_row, ratio_row

STEP = 32
"""Bytes of a request and of an answer, about."""
RECORD = 128
"""Bytes of the reference's record: what a change of one extent has to say."""


def line6(quick: bool) -> list[Row]:
    rounds, milliseconds = (1, 50) if quick else (9, 1000)
    shapes = [
        ("durable steps, one in flight", 0.8, (1, 1, 1)),
        # Two fabric managers and two hosts, eight requests in flight on each link.
        ("durable steps, 32 in flight over 4 links", 10, (2, 24, 8)),
    ]
    rows = []
    with programs.fmapid("--static", "64GiB", "--event-log-size", "65535", hosts=2, durable=True) as server:
        for what, goal, shape in shapes:
            pairs, steps, appends = [], [], []
            for _ in range(rounds):
                appended = run_json("append", WORK / "appended", RECORD, milliseconds)
                result = run_json("cycle", server.socket("fm.packet"), server.path / "host%d.packet", *shape, milliseconds)
                pairs.append((result["steps"] / result["seconds"], appended["appends"] / appended["seconds"]))
                steps.append((result["p50"], result["p99"]))
                appends.append((appended["p50"], appended["p99"]))
            rows.append(ratio_row("6", what, pairs, "/s", goal, "more", latency_ns=steps, append_latency_ns=appends))
        rows.append(against_server(server, rounds, milliseconds))
    return rows


def against_server(ours: Server, rounds: int, milliseconds: int) -> Row:
    """One in flight against a C server that appends, waits for the disk and answers: the loop, and a request's way there and back."""
    pairs = []
    with appending_server() as reference:
        for _ in range(rounds):
            answers = run_json("load", *appends(reference, milliseconds))
            result = run_json("cycle", ours.socket("fm.packet"), ours.path / "host%d.packet", 1, 1, 1, milliseconds)
            pairs.append((result["steps"] / result["seconds"], answers["requests"] / answers["seconds"]))
    return ratio_row("6", "the same against a C server that appends", pairs, "/s", None, "more")


@contextlib.contextmanager
def appending_server() -> Iterator[Server]:
    """A C server that appends each request of STEP bytes and waits for the disk; to others it answers at once."""
    appended = WORK / "appended"
    command = [WORK / "server", "{dir}/c", "seqpacket", STEP, "00" * STEP, 1, appended]
    with Server(*command, sockets=(("c", socket.SOCK_SEQPACKET),)) as server:
        yield server
    appended.unlink(missing_ok=True)


def appends(server: Server, milliseconds: int) -> list:
    """What makes `load` have that server append without pause."""
    return [server.socket("c"), "seqpacket", 1, 1, milliseconds, "00" * STEP, "00" * STEP]


def line7(quick: bool) -> list[Row]:
    """A command that reads, sent at random times about a millisecond apart, while another link commits without pause."""
    rounds, milliseconds = (1, 100) if quick else (7, 2000)
    alone, beside, commits, reference = [], [], [], []
    with (
        programs.fmapid("--static", "4GiB", "--event-log-size", "65535", durable=True) as server,
        appending_server() as other,
    ):
        path, message = server.socket("fm.packet"), request("packet", GET_DCD_INFO)
        cycle = ["cycle", path, server.socket("host0.packet"), 1, 1, 1, milliseconds + 300]
        # Its contents change while others commit; its size does not, and the first answer comes before they begin.
        read = [path, "seqpacket", 1, 1, milliseconds, answer(path, "packet", message), message.hex(), "--every", 1000]
        plain = [other.socket("c"), "seqpacket", 1, 1, milliseconds, "00" * STEP, "00" * (STEP - 1), "--every", 1000]
        for _ in range(rounds):
            alone.append(run_json("load", *read))
            result, writer = read_beside(read, cycle)
            beside.append(result)
            # The writer's steps while nobody else was served would be shorter by what a read costs, some microseconds.
            commits.append(writer["p50"])
            reference.append(read_beside(plain, ["load", *appends(other, milliseconds + 300)])[0])
    commit = statistics.median(commits)
    mine = statistics.median(result["p99"] for result in alone)
    p50, p99 = (statistics.median(result[key] for result in beside) for key in ("p50", "p99"))
    details = {"commit_ns": commit, "p99_alone_ns": mine}
    tails = [(ours["p99"] / 1000, theirs["p99"] / 1000) for ours, theirs in zip(beside, reference)]
    return [
        limit_row("7", "read beside commits, p50 (goal: one commit)", p50 / 1000, "µs", commit / 1000, **details),
        limit_row("7", "the same, p99 (goal: two commits + p99 alone)", p99 / 1000, "µs", (2 * commit + mine) / 1000, **details),
        ratio_row("7", "p99 against a C server that appends for another link", tails, "µs", None, "less"),
    ]


def read_beside(read: list, write: list) -> tuple[dict, dict]:
    """What `load` measures that reads, while another program changes something without pause, and what that one measures."""
    with ThreadPoolExecutor() as pool:
        writer = pool.submit(run_json, *write)
        return run_json("load", *read), writer.result()
