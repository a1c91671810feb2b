"""Line 6: changes that would survive power loss, against a loop that appends and waits for the disk."""

from __future__ import annotations

import socket
from pathlib import Path

import programs
from programs import WORK, Server, run_json
from table import Row, ratio_row

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
    appended = WORK / "appended"
    command = [WORK / "server", "{dir}/c", "seqpacket", STEP, "00" * STEP, 1, appended]
    pairs = []
    with Server(*command, sockets=(("c", socket.SOCK_SEQPACKET),)) as reference:
        for _ in range(rounds):
            answers = run_json("load", reference.socket("c"), "seqpacket", 1, 1, milliseconds, "00" * STEP, "00" * STEP)
            result = run_json("cycle", ours.socket("fm.packet"), ours.path / "host%d.packet", 1, 1, 1, milliseconds)
            pairs.append((result["steps"] / result["seconds"], answers["requests"] / answers["seconds"]))
    Path(appended).unlink(missing_ok=True)
    return ratio_row("6", "the same against a C server that appends", pairs, "/s", None, "more")
