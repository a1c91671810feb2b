"""Lines 9, 10 and 11: memory, start, and a host's access to its extent."""

from __future__ import annotations

import shutil
import socket
import statistics
import struct

import programs
from fmapid_peer import FM_API, Peer, connect_packet
from programs import WORK, run, run_json
from messages import answer, request
from table import Row, limit_row, ratio_row

MIB = 1 << 20


def line9(quick: bool) -> list[Row]:
    rows = []
    idle = []
    for _ in range(1 if quick else 9):
        with programs.fmapid("--lazy", "64GiB", durable=True) as server:
            answer(server.socket("fm.packet"), "packet", request("packet", 0x0001))
            idle.append(server.resident() / MIB)
    # The kernel maps pages of the program beside the one that was asked for, now more and now less of them.
    rows.append(limit_row("9", "idle, with state", statistics.median(idle), "MiB", 10, starts=idle))
    for extents in (10_000,) if quick else (100_000, 1_000_000):
        for kind, what in ([], ""), (["tagged"], ", each with a tag of its own"):
            each = memory_of_extents(extents, kind)
            rows.append(limit_row("9", f"each of {extents:,} accepted extents{what}", each, "bytes", 128))
    links = 50 if quick else 500
    for link in ("packet", "stream"):
        with programs.fmapid("--static", "4GiB") as server:
            each = memory_of_links(server, link, links)
        rows.append(limit_row("9", f"each of {links} idle links, {link}", each / 1024, "KiB", 16))
    return rows


def memory_of_extents(count: int, kind: list[str]) -> float:
    """Bytes of each extent."""
    device = ["--static", f"{-(-count // 128) * 256}MiB", "--max-extents", str(count), "--max-tags", str(count)]
    with programs.fmapid(*device, "--event-log-size", "1024") as server:
        before = server.resident()
        run_json("cycle", server.socket("fm.packet"), server.socket("host0.packet"), "fill", count, 2 * MIB, *kind)
        return (server.resident() - before) / count


def memory_of_links(server: programs.Server, link: str, count: int) -> float:
    """Bytes of each link that has had one answer."""
    path, message = server.socket(f"fm.{link}"), request(link, 0x5600)
    expected = bytes.fromhex(answer(path, link, message))
    kind = socket.SOCK_SEQPACKET if link == "packet" else socket.SOCK_STREAM
    before = server.resident()
    connections = []
    for _ in range(count):
        connection = socket.socket(socket.AF_UNIX, kind)
        connection.connect(path)
        connection.send(message)
        connection.recv(len(expected), socket.MSG_WAITALL)
        connections.append(connection)
    used = server.resident() - before
    for connection in connections:
        connection.close()
    return used / count


def line10(quick: bool) -> list[Row]:
    rounds = 3 if quick else 41
    message = request("packet", 0x0001)
    with programs.fmapid("--static", "4GiB") as server:
        expected = answer(server.socket("fm.packet"), "packet", message)
    path = WORK / "activated"
    common = [path, "seqpacket", "fm", message.hex()]
    reference = [WORK / "server", "inherited", "seqpacket", len(message), expected]
    state = WORK / "activated-state"
    shutil.rmtree(state, ignore_errors=True)
    rows = []
    for what, goal, command in [
        ("exec to first reply", 3, [WORK / "fmapid", "--static", "4GiB"]),
        ("the same, with state", None, [WORK / "fmapid", "--static", "4GiB", "--state-dir", state]),
    ]:
        pairs = []
        for _ in range(rounds):
            times = [int(run("activate", *common, *side, SWIFT_BACKTRACE="enable=no")) for side in (command, reference)]
            pairs.append((times[0] / 1e6, times[1] / 1e6))
        rows.append(ratio_row("10", what, pairs, "ms", goal, "less"))
    return rows


def line11(quick: bool) -> list[Row]:
    size, rounds = (16 * MIB, 1) if quick else (256 * MIB, 15)
    with programs.fmapid("--static", "4GiB") as server:
        path = server.socket("host0.packet")
        with Peer(connect_packet(server.socket("fm.packet"))) as fm, Peer(connect_packet(path)) as host:
            add = struct.pack("<HBBQ16sI", 0, 0, 0, size, bytes(16), 0)
            accept = struct.pack("<I4xQQ8x", 1, 0, size)
            for peer, opcode, payload, kind in ((fm, 0x5604, add, FM_API), (host, 0x4802, accept, 8)):
                code = peer.command(opcode, payload, kind).code
                if code != 0:
                    raise RuntimeError(f"{opcode:04x}h: return code {code:04x}h")
        times = run_json("access", path, request("packet", 0xC020, struct.pack("<Q", 0)).hex(), rounds)
    return [
        ratio_row("11", f"{kind} of a mapped extent", [tuple(pair) for pair in times[kind]], "ns", 1.05, "less")
        for kind in ("sequential read", "sequential write", "random read", "random write")
    ]
