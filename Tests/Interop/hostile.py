"""What the tests of hostile peers share: a service to attack, the requests that they bend, and probes of what it did.

A test attacks over links of its own. Meanwhile a witness measures a well-behaved link, and afterwards the probes say whether
the service is whole: alive, its lists agree with each other, memory and descriptors are given back.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import threading
import time
import unittest
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from daemon import PATIENCE, Daemon
from fmapid_peer import CCI, FM_API, SUCCESS, Link, Peer, Response, connect_packet, connect_serial, encode_command
from mctp import Message

HOSTS = 2
MIB = 1 << 20
SIZE = 4 * MIB
"""Bytes of a backend, unless a test says otherwise."""

IDENTIFY, SET_LIMIT, GET_EVENTS, CLEAR_EVENTS, GET_LOG = 0x0001, 0x0004, 0x0100, 0x0101, 0x0401
HOST_CONFIGURATION, HOST_EXTENTS, ADD_RESPONSE, RELEASE = 0x4800, 0x4801, 0x4802, 0x4803
DCD_INFO, SET_REGION, EXTENT_LISTS = 0x5600, 0x5602, 0x5603
INITIATE_ADD, INITIATE_RELEASE, ADD_REFERENCE, REMOVE_REFERENCE, LIST_TAGS = 0x5604, 0x5605, 0x5606, 0x5607, 0x5608
CREATE, DELETE, LIST_BACKENDS, GET_BACKEND, RELEASE_STATUS, DESCRIPTOR = 0xC000, 0xC001, 0xC002, 0xC003, 0xC010, 0xC020

INVALID_INPUT, UNSUPPORTED, INTERNAL_ERROR, RETRY_REQUIRED, INVALID_HANDLE, INVALID_ADDRESS = 2, 3, 4, 5, 0x0E, 0x0F
INVALID_LENGTH, RESOURCES_EXHAUSTED, INVALID_EXTENT_LIST = 0x16, 0x1D, 0x1E

LONGER_THAN_ANY, OTHER_THAN_SAID, OTHER_THAN_THE_COMMANDS = 16, 17, 18
"""The reasons for Invalid Payload Length."""

FREE, CONTIGUOUS, PRESCRIPTIVE, SHARE = range(4)
ANONYMOUS, FILE = range(2)
FORCED, SANITIZE = 0x10, 0x20
NO_TAG = bytes(16)


# --- Requests --------------------------------------------------------------------------------------


def tag(number: int) -> bytes:
    return struct.pack(">QQ", 0xFACE, number)


def backend(name: bytes, size: int = SIZE, kind: int = ANONYMOUS, flags: int = 0, path: bytes = b"") -> bytes:
    return struct.pack("<16sQBBH4x", name, size, kind, flags, len(path)) + path


def extent(start: int, length: int, name: bytes = NO_TAG, sequence: int = 0) -> bytes:
    return struct.pack("<QQ16sH6x", start, length, name, sequence)


def add(host: int, policy: int, region: int, length: int, name: bytes, extents: list[bytes] | None = None) -> bytes:
    extents = extents or []
    return struct.pack("<HBBQ16sI", host, policy, region, length, name, len(extents)) + b"".join(extents)


def ask_back(host: int, flags: int, length: int, name: bytes, extents: list[bytes] | None = None) -> bytes:
    extents = extents or []
    return struct.pack("<HBxQ16sI", host, flags, length, name, len(extents)) + b"".join(extents)


def ranges(*items: tuple[int, int], more: bool = False, count: int | None = None) -> bytes:
    """The payload of 4802h and 4803h."""
    head = struct.pack("<IB3x", len(items) if count is None else count, more)
    return head + b"".join(struct.pack("<QQ8x", *item) for item in items)


def message_type(opcode: int) -> int:
    return FM_API if 0x51 <= opcode >> 8 <= 0x59 else CCI


def request(opcode: int, payload: bytes = b"", number: int = 0, **changes) -> Message:
    """A request message, for who sends without waiting for answers."""
    parts = dict(destination=9, source=8, type=message_type(opcode), tag=number % 8)
    return Message(body=encode_command(opcode, payload, number % 256), **(parts | changes))


# --- The service -----------------------------------------------------------------------------------

LISTENERS = {
    "fm": "fm,serial,unix:{dir}/fm",
    "manager": "fm,packet,unix:{dir}/manager",
    "control": "control,packet,unix:{dir}/control",
    "calm": "control,packet,unix:{dir}/calm",
    **{f"host{host}": f"host:{host},packet,unix:{{dir}}/host{host}" for host in range(HOSTS)},
    "serial0": "host:0,serial,unix:{dir}/serial0",
}
"""Nobody attacks on `calm`: witness and probes have it for themselves."""

SERIAL = {"fm", "serial0", "serial1"}


@dataclass(frozen=True)
class State:
    """What the service says it holds."""

    extents: tuple[tuple[bytes, ...], ...]
    """Of each host."""
    tags: tuple[bytes, ...]
    backends: tuple[bytes, ...]
    generations: tuple[int, ...]


NOBODY = 65534


class Target(Daemon):
    """fmapid under attack; `unprivileged` has it run as nobody if the test runs as root, whom the kernel forgives a lot."""

    listeners = LISTENERS
    hosts = HOSTS

    def __init__(self, *arguments: str, unprivileged: bool = False, **options) -> None:
        self._as_nobody = unprivileged and os.geteuid() == 0
        if self._as_nobody:
            user = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            options["before"] = [*options.get("before", []), *user]
        listeners = [part for name, text in self.listeners.items() for part in ("--listen", f"{name}={text}")]
        self._probe: Peer | None = None
        super().__init__(*listeners, *arguments, **options)

    def __exit__(self, *details) -> None:
        self.drop_probe()
        super().__exit__(*details)

    def start(self) -> None:
        if self._as_nobody:
            for directory in (self.path, self.path / "state"):
                os.chown(directory, NOBODY, NOBODY)
        super().start()

    def drop_probe(self) -> None:
        if self._probe:
            self._probe.link.close()
            self._probe = None

    def link(self, name: str) -> Peer:
        """A peer on a listener; it is served when this returns."""
        peer = self.peer(connect_serial if name in SERIAL else connect_packet, name)
        peer.command(IDENTIFY, timeout=PATIENCE)
        return peer

    def socket(self, name: str) -> socket.socket:
        """A bare connection, for what no peer would do."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM if name in SERIAL else socket.SOCK_SEQPACKET)
        connection.connect(self.wait_for(name))
        connection.settimeout(PATIENCE)
        return connection

    def kill(self) -> None:
        self.drop_probe()
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Kills it and starts it again on the same state."""
        self.kill()
        self.start()

    def assert_alive(self) -> None:
        code = self.process.poll()
        if code is not None:
            raise AssertionError(f"the service ended with {code}")

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Inside, the service stands still: what peers send meanwhile is one turn of its loop."""
        self.process.send_signal(signal.SIGSTOP)
        # A signal takes a moment; the state is left for whoever waits for the process's end.
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    # What it uses.

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def processor_time(self) -> float:
        """Seconds that it has computed so far: what a machine does that stands still, or gives others a turn, is not in it."""
        # The clock that clock_getcpuclockid(3) answers.
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def resident(self) -> int:
        """Bytes of memory; 0 where a sanitizer's own would be measured."""
        if "FMAPID_SANITIZER" in os.environ:
            return 0
        return self._status("VmRSS") * 1024

    def _status(self, name: str) -> int:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1])
        raise AssertionError(f"no {name}")

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assert_alive()
            if time.monotonic() > deadline:
                raise AssertionError(f"in {PATIENCE} s it did not happen that {what}")
            time.sleep(0.005)

    @contextlib.contextmanager
    def keeps_descriptors(self) -> Iterator[None]:
        """Afterwards it has as many descriptors as before, once it knows of the links that are gone.

        Links that wait to be accepted, or closed, come between two looks, so one look is not enough, neither before nor afterwards."""

        def settled(wanted: int | None = None) -> bool:
            found = self.descriptors()
            if wanted is not None and found != wanted:
                return False
            self.state()
            return self.descriptors() == found

        self.state()
        self.wait_until(settled, "the number of its descriptors stays the same")
        before = self.descriptors()
        yield
        self.wait_until(lambda: settled(before), f"{before} descriptors are open, as before")

    # What it holds.

    def state(self) -> State:
        """All lists, read over a link that is kept for that."""
        self._probe = peer = self._probe or self.link("calm")
        extents = [read_list(peer, EXTENTS, struct.pack("<HH", host, 0)) for host in range(self.hosts)]
        (tags, tags_generation), (backends, backends_generation) = read_list(peer, TAGS), read_list(peer, BACKENDS)
        generations = (*(generation for _, generation in extents), tags_generation, backends_generation)
        return State(tuple(entries for entries, _ in extents), tags, backends, generations)

    def assert_sound(self) -> State:
        """Alive, and the lists agree with each other; returns them."""
        self.assert_alive()
        state = self.state()
        holders: dict[bytes, int] = {}
        for host, extents in enumerate(state.extents):
            end = 0
            for start, length, name in (struct.unpack_from("<QQ16s", one) for one in extents):
                assert length > 0 and start >= end, f"extents of host {host} overlap or are out of order"
                end = start + length
                holders[name] = holders.get(name, 0) | 1 << host
        tags = {one[:16]: int.from_bytes(one[20:52], "little") for one in state.tags}
        assert len(tags) == len(state.tags), "a tag is there twice"
        for name, hosts in holders.items():
            assert tags.get(name) == hosts, f"tag {name.hex()}: extents say {hosts:b}, the tags {tags.get(name)}"
        for name, hosts in tags.items():
            assert hosts == holders.get(name, 0), f"tag {name.hex()} is with hosts that have no extent of it"
        for one in state.backends:
            name, kind, accepted = one[:16], one[0x1E], struct.unpack_from("<H", one, 0x20)[0]
            assert accepted == holders.get(name, 0).bit_count(), f"backend {name.hex()}: {accepted} hosts"
            assert (kind == 2) == (accepted > 0), f"backend {name.hex()}: state {kind}, {accepted} hosts"
        return state


@dataclass(frozen=True)
class List:
    """A command that reads a list page by page: where its answer has the counters, and the size of an entry."""

    opcode: int
    head: int
    total: int
    returned: int
    generation: int
    entry: int


EXTENTS = List(EXTENT_LISTS, head=24, total=12, returned=8, generation=16, entry=40)
OWN_EXTENTS = List(HOST_EXTENTS, head=16, total=4, returned=0, generation=8, entry=40)
TAGS = List(LIST_TAGS, head=16, total=4, returned=8, generation=0, entry=84)
BACKENDS = List(LIST_BACKENDS, head=16, total=4, returned=8, generation=0, entry=40)


def read_list(peer: Peer, form: List, fixed: bytes = b"") -> tuple[tuple[bytes, ...], int]:
    """All entries, and the generation number."""
    entries: list[bytes] = []
    while True:
        numbers = (1 << 20, len(entries)) if form in (EXTENTS, OWN_EXTENTS) else (len(entries), 1 << 20)
        response = peer.command(
            form.opcode, fixed + struct.pack("<II", *numbers), kind=message_type(form.opcode), timeout=PATIENCE
        )
        name = f"{form.opcode:04x}h"
        assert response.code == SUCCESS, f"{name}: {response.code}, {response.vendor_status}"
        total, count, generation = (
            struct.unpack_from("<I", response.payload, at)[0] for at in (form.total, form.returned, form.generation)
        )
        assert len(response.payload) == form.head + count * form.entry, f"{name}: {count} entries"
        entries += [response.payload[form.head + index * form.entry :][: form.entry] for index in range(count)]
        if len(entries) >= total or not count:
            assert len(entries) == total, f"{name}: {len(entries)} of {total} entries"
            return tuple(entries), generation


class Witness:
    """Asks on a link of its own, again and again, and keeps the most that the service has computed until an answer.

    A service that answers others first computes meanwhile; one that a busy machine does not let run, or that stands still with the
    machine, does not. If it never answers, PATIENCE ends.
    """

    LIMIT = 2.0
    """Seconds of the processor that a well-behaved peer may have to wait for."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._peer = target.link("calm")
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.worst = 0.0
        self.answers = 0
        self.failure: Exception | None = None

    def __enter__(self) -> Witness:
        self._thread.start()
        return self

    def __exit__(self, kind, *_) -> None:
        self._stop.set()
        self._thread.join()
        self._peer.link.close()
        if kind:
            return
        if self.failure:
            raise AssertionError(f"a well-behaved link was not served: {self.failure!r}") from self.failure
        assert self.answers > 0, "the witness never got to ask"
        assert self.worst < self.LIMIT, f"the service computed for {self.worst:.2f} s before it answered a well-behaved peer"

    def _run(self) -> None:
        try:
            while not self._stop.wait(0.01) or not self.answers:
                start = self._target.processor_time()
                response = self._peer.command(LIST_BACKENDS, struct.pack("<II", 0, 5))
                self.worst = max(self.worst, self._target.processor_time() - start)
                self.answers += response.code == SUCCESS
        except Exception as error:
            self.failure = error


class HostileTest(unittest.TestCase):
    """One service for each test; at its end it must be whole."""

    arguments: tuple[str, ...] = ()
    options: dict[str, object] = {}

    def setUp(self) -> None:
        self.target = self.enterContext(Target(*self.arguments, **self.options))
        self.target.wait_for("serial0")

    def link(self, name: str) -> Peer:
        return self.enterContext(self.target.link(name))

    def socket(self, name: str) -> socket.socket:
        return self.enterContext(self.target.socket(name))

    def succeed(self, peer: Peer, opcode: int, payload: bytes = b"") -> Response:
        response = peer.command(opcode, payload, kind=message_type(opcode), timeout=PATIENCE)
        self.assertEqual((response.code, response.vendor_status), (SUCCESS, 0), f"{opcode:04x}h")
        return response

    def refuse(self, code: int, reason: int, peer: Peer, opcode: int, payload: bytes = b"", **options) -> None:
        options.setdefault("kind", message_type(opcode))
        response = peer.command(opcode, payload, **options)
        self.assertEqual((response.code, response.vendor_status, response.payload), (code, reason, b""), f"{opcode:04x}h")
        self.assertEqual(response.descriptors, [], f"{opcode:04x}h")

    def assert_logged(self, text: str) -> None:
        # The log itself is shown by the service's end, once.
        self.assertTrue(text in self.target.log(), f"the log does not say: {text}")

    def offer(self, host: int, name: bytes, size: int = SIZE) -> None:
        """Offers a backend to a host; it lies where the lowest gap is."""
        self.succeed(self.link("manager"), INITIATE_ADD, add(host, FREE, 0, size, name))

    def give(self, host: int, name: bytes, size: int = SIZE) -> None:
        """Offers a backend to a host, which accepts it."""
        self.offer(host, name, size)
        peer = self.link(f"host{host}")
        events = self.succeed(peer, GET_EVENTS, b"\4").payload
        (count,) = struct.unpack_from("<H", events, 0x14)
        record = events[0x20 + 128 * (count - 1) :]
        start, length = struct.unpack_from("<QQ", record, 0x38)
        self.assertEqual((record[0x30], length), (0, size))
        self.succeed(peer, ADD_RESPONSE, ranges((start, length)))

    def descriptor(self, host: int, start: int = 0) -> int:
        """A descriptor of the host's extent, closed at the end of the test."""
        (number,) = self.succeed(self.link(f"host{host}"), DESCRIPTOR, struct.pack("<Q", start)).descriptors
        self.addCleanup(os.close, number)
        return number


def drained(connection: socket.socket) -> bytes:
    """What a peer gets until the service closes the link."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1 << 16):
            data += part
    return data


def is_closed(connection: socket.socket) -> bool:
    """Whether the service has closed the link, leaving what it sent unread."""
    poll = select.poll()
    poll.register(connection, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))
