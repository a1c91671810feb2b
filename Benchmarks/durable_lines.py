"""Line 6: changes that would survive power loss, against a loop that appends and waits for the disk."""

from __future__ import annotations

import programs
from programs import WORK, run_json
from table import Row, ratio_row

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
    return rows
