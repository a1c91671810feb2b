"""Who talks to the service in a soak: one worker for each link, and one that follows a host with a second model."""

from __future__ import annotations

import contextlib
import copy
import os
import random
import select
import socket
import struct
import time
import traceback

from corpus import EFFECTS_LOG
from hostile import *
from mctp import encode_frame, fragments
from test_crash import Model

TAGS = 40
"""Backends that everybody knows of."""
NOT_DURABLE = {(INTERNAL_ERROR, 100), (RETRY_REQUIRED, 101), (INTERNAL_ERROR, 102), (RESOURCES_EXHAUSTED, 90)}
"""While there is no space: the last is for memory, the others for the state."""
NOT_DURABLE_ANSWERS = "changes that could not be made durable"
CODES = {SUCCESS, INVALID_INPUT, UNSUPPORTED, INTERNAL_ERROR, RETRY_REQUIRED, INVALID_HANDLE, INVALID_ADDRESS, RESOURCES_EXHAUSTED,
         INVALID_EXTENT_LIST}  # fmt: skip
"""Of answers to requests whose form is right."""
LIST_LINKS, OPEN_TRACE, LIST_HOST_EXTENTS = 0xC011, 0xC012, 0xC013
FIXED_ANSWERS = {IDENTIFY: 18, GET_BACKEND: None, DESCRIPTOR: 32, RELEASE_STATUS: 8, DCD_INFO: 84, CREATE: 8, DELETE: 0,
                 INITIATE_ADD: 0, INITIATE_RELEASE: 0, ADD_REFERENCE: 0, REMOVE_REFERENCE: 0, ADD_RESPONSE: 0, RELEASE: 0,
                 CLEAR_EVENTS: 0, OPEN_TRACE: 8, SET_REGION: 0}  # fmt: skip
"""Bytes of a successful answer."""
LISTS = {LIST_TAGS: (16, 8, 84), LIST_BACKENDS: (16, 8, 40), EXTENT_LISTS: (24, 8, 40), HOST_EXTENTS: (16, 0, 40),
         LIST_LINKS: (16, 8, 96), LIST_HOST_EXTENTS: (16, 4, 48), GET_EVENTS: (32, 20, 128)}  # fmt: skip
"""Bytes before the entries, where their number stands, bytes of one."""


def size_of(number: int) -> int:
    return (1 + number % 4) * 2 * MIB


def check_answer(opcode: int, response: Response, store_fails: bool) -> None:
    """What holds for every answer, whatever the state."""
    found = (response.code, response.vendor_status)
    if found in NOT_DURABLE:
        assert store_fails, f"{opcode:04x}h: {found}, although the store works"
        return
    assert response.code in CODES and response.code != INTERNAL_ERROR, f"{opcode:04x}h: {found}"
    if response.code != SUCCESS:
        assert not response.payload and not response.descriptors, f"{opcode:04x}h: a refusal with something in it"
        return
    size = len(response.payload)
    if opcode in LISTS:
        head, place, entry = LISTS[opcode]
        form = "<H" if opcode == GET_EVENTS else "<I"
        (count,) = struct.unpack_from(form, response.payload, place)
        assert size == head + count * entry, f"{opcode:04x}h: {count} entries in {size} bytes"
    elif (expected := FIXED_ANSWERS.get(opcode)) is not None:
        assert size == expected, f"{opcode:04x}h: {size} bytes"
    assert len(response.descriptors) == (opcode in (DESCRIPTOR, OPEN_TRACE)), f"{opcode:04x}h: {response.descriptors}"


class Worker:
    """Does one thing after the other on its link, and connects again when the service was killed."""

    connections = 1

    def __init__(self, soak, name: str | None, index: int, seed: int) -> None:
        self.soak, self.name, self.index, self.random = soak, name, index, random.Random(seed)
        self.peer: Peer | None = None
        self.life = -1
        self.acts = 0

    @property
    def open_links(self) -> int:
        return self.connections if self.peer else 0

    def run(self) -> None:
        while not self.soak.ended.is_set():
            try:
                with self.soak.gate.inside():
                    if self.peer is None:
                        self.life = self.soak.life
                        try:
                            self.connect()
                        except AssertionError:
                            # Killed while it was waited for.
                            if self.life != self.soak.life or self.soak.is_dead:
                                raise ConnectionError from None
                            raise
                    self.act()
                    self.acts += 1
                time.sleep(self.random.choice((0, 0.0005, 0.002, 0.02)))
            except (ConnectionError, FileNotFoundError):
                self.disconnect()
                if self.life == self.soak.life and not self.soak.is_dead and not self.soak.ended.is_set():
                    self.soak.fail(f"the link {self.name} was closed:\n{traceback.format_exc()}")
                time.sleep(0.02)
            except Exception:
                self.soak.fail(traceback.format_exc())
        self.disconnect()

    def connect(self) -> None:
        self.peer = self.target.link(self.name)

    def disconnect(self) -> None:
        if self.peer:
            self.peer.link.close()
        self.peer = None

    def check(self, state: State) -> None:
        """Called while nobody does anything."""

    @property
    def target(self) -> Target:
        return self.soak.target

    def ask(self, opcode: int, payload: bytes = b"", peer: Peer | None = None) -> Response:
        began = time.monotonic()
        response = (peer or self.peer).command(opcode, payload, kind=message_type(opcode), timeout=2 * PATIENCE)
        self.soak.note(time.monotonic() - began)
        check_answer(opcode, response, self.soak.store_fails)
        self.soak.counts[NOT_DURABLE_ANSWERS] += (response.code, response.vendor_status) in NOT_DURABLE
        self.soak.counts["refusals"] += response.code != SUCCESS
        return response

    def act(self) -> None:
        raise NotImplementedError

    def clear_events(self, peer: Peer | None = None) -> list[tuple[int, int, int]]:
        """The records that 0100h returns (type, start, length); they are cleared."""
        response = self.ask(GET_EVENTS, b"\4", peer)
        if response.code != SUCCESS:
            return []
        payload = response.payload
        records = [payload[32 + 128 * index :][:128] for index in range(struct.unpack_from("<H", payload, 20)[0])]
        handles = b"".join(record[0x14:0x16] for record in records)
        if records:
            self.ask(CLEAR_EVENTS, struct.pack("<BBB3x", 4, 0, len(records)) + handles, peer)
        return [(record[0x30], *struct.unpack_from("<QQ", record, 0x38)) for record in records]


class Manager(Worker):
    """A fabric manager that offers, shares and takes back at random."""

    def act(self) -> None:
        pick = self.random
        number, host = pick.randrange(TAGS), pick.randrange(self.target.hosts - 1)
        region, name, size = number % 2, tag(number), size_of(number)
        forced, sanitize = FORCED * pick.randrange(2), SANITIZE * pick.randrange(2)
        start = (region << 32) + number * 8 * MIB
        action = pick.randrange(13)
        if action < 3:
            self.ask(INITIATE_ADD, add(host, pick.choice((FREE, CONTIGUOUS)), region, size, name))
        elif action < 5:
            self.ask(INITIATE_ADD, add(host, PRESCRIPTIVE, 0, 0, NO_TAG, [extent(start, size, name)]))
        elif action == 5:
            self.ask(INITIATE_ADD, add(host, SHARE, region, 0, name))
        elif action < 8:
            self.ask(INITIATE_RELEASE, ask_back(host, forced | sanitize * (forced > 0), size, name))
        elif action == 8:
            self.ask(INITIATE_RELEASE, ask_back(host, forced | 1, 0, NO_TAG, [extent(start, size)]))
        elif action == 9:
            self.ask(pick.choice((ADD_REFERENCE, REMOVE_REFERENCE)), name)
        elif action == 10:
            self.clear_events()
        elif action == 11:
            self.ask(*pick.choice((
                (LIST_TAGS, struct.pack("<II", 0, 50)), (LIST_BACKENDS, struct.pack("<II", 0, 50)), (RELEASE_STATUS, name),
                (EXTENT_LISTS, struct.pack("<HHII", host, 0, 50, 0)), (DCD_INFO, b""), (GET_BACKEND, name),
                (LIST_HOST_EXTENTS, struct.pack("<HxxIQ", host, 50, 0)), (GET_LOG, EFFECTS_LOG + struct.pack("<II", 0, 60)))))  # fmt: skip
        else:
            # Only while nobody has anything of it.
            self.ask(SET_REGION, struct.pack("<B3xQB3x", 1, 2 * MIB, pick.randrange(2)))


class Control(Worker):
    """Makes backends, deletes them, and looks around."""

    def act(self) -> None:
        pick = self.random
        number = pick.randrange(TAGS)
        action = pick.randrange(10)
        if action < 5:
            kind = FILE if number % 3 == 0 else ANONYMOUS
            path = b"file-%d" % number if kind == FILE else b""
            self.ask(CREATE, backend(tag(number), size_of(number), kind, 0, path))
        elif action < 7:
            self.ask(DELETE, tag(number))
        elif action == 7:
            self.trace()
        else:
            self.ask(*pick.choice((
                (LIST_LINKS, struct.pack("<II", 0, 50)), (LIST_BACKENDS, struct.pack("<II", 0, 50)), (GET_BACKEND, tag(number)),
                (LIST_TAGS, struct.pack("<II", 0, 50)), (IDENTIFY, b""), (RELEASE_STATUS, tag(number)))))  # fmt: skip

    def trace(self) -> None:
        """Opens one of all links, reads of it or not, and closes it."""
        response = self.ask(OPEN_TRACE, bytes(8))
        for number in response.descriptors:
            with socket.socket(fileno=number) as trace:
                while self.random.random() < 0.9 and select.select([trace], [], [], 0.005)[0]:
                    record = trace.recv(1 << 17)
                    if not record:
                        raise ConnectionError("the trace was closed")
                    assert len(record) > 24


class Host(Worker):
    """Answers offers, gives back, and uses its memory."""

    def act(self) -> None:
        pick = self.random
        action = pick.randrange(10)
        if action < 4:
            for kind, start, length in self.clear_events():
                if kind == 0:
                    taken = () if pick.random() < 0.1 else ((start, length),)
                    if pick.random() < 0.1:
                        self.ask(ADD_RESPONSE, ranges(*taken, more=True))
                        taken = ()
                    self.ask(ADD_RESPONSE, ranges(*taken))
                elif kind == 1 and pick.random() < 0.8:
                    self.ask(RELEASE, ranges((start, length)))
            return
        payload = self.ask(HOST_EXTENTS, struct.pack("<II", 50, 0)).payload
        extents = [struct.unpack_from("<QQ", payload, at) for at in range(16, len(payload), 40)]
        if not extents:
            return
        start, length = pick.choice(extents)
        if action < 7:
            self.ask(RELEASE, ranges((start, length)))
        elif self.name.startswith("host"):
            self.use(start, length)

    def use(self, start: int, length: int) -> None:
        """Its own mark at its own place, written through one descriptor and read through another."""
        place = self.index * 4096
        mark = self.random.randbytes(16)
        numbers = []
        for _ in range(2):
            response = self.ask(DESCRIPTOR, struct.pack("<Q", start))
            numbers += response.descriptors
        try:
            # Another worker of this host may have given it back meanwhile, and somebody may have got it since.
            if len(numbers) == 2 and os.fstat(numbers[0]).st_ino == os.fstat(numbers[1]).st_ino:
                assert os.fstat(numbers[0]).st_size >= length
                with contextlib.suppress(OSError):
                    # A file on a full disk takes nothing.
                    os.pwrite(numbers[0], mark, place)
                    assert os.pread(numbers[1], 16, place) in (mark, bytes(16))
        finally:
            for number in numbers:
                os.close(number)


class Silent:
    """A log of which nobody asks what is in it: it would grow for as long as the soak runs."""

    def add(self, *_) -> None:
        pass


class LoglessModel(Model):
    def __init__(self) -> None:
        super().__init__()
        self.logs = dict.fromkeys(self.logs, Silent())

    def key(self) -> tuple:
        """Models with the same one expect the same answers from now on."""
        return frozenset(self.backends), frozenset(self.held.items()), tuple(map(tuple, self.offers))


class Exact(Worker):
    """Has the last host and tags of its own, and knows what every command must do: the model of test_crash.py says it."""

    connections = 3
    SIZE, FIRST, COUNT = 2 * MIB, 1000, 8

    def __init__(self, soak, name, index, seed) -> None:
        super().__init__(soak, "exact", index, seed)
        # Several after a kill, until it is clear whether what was on its way happened.
        self.models: list[Model] = [LoglessModel()]

    def connect(self) -> None:
        self.host = self.target.hosts - 1
        self.manager, self.control = self.target.link("manager"), self.target.link("control")
        self.peer = self.target.link(f"host{self.host}")

    def disconnect(self) -> None:
        if self.peer:
            self.manager.link.close(), self.control.link.close()
        super().disconnect()

    def act(self) -> None:
        pick, model = self.random, self.random.choice(self.models)
        number = pick.randrange(self.COUNT)
        name, start = tag(self.FIRST + number), number * self.SIZE
        action = pick.randrange(7)
        if action == 0:
            self.do(self.control, CREATE, backend(name, self.SIZE), lambda m: m.create(number))
        elif action == 1:
            self.do(self.control, DELETE, name, lambda m: m.delete(number))
        elif action == 2:
            payload = add(self.host, PRESCRIPTIVE, 0, 0, NO_TAG, [extent(start, self.SIZE, name)])
            self.do(self.manager, INITIATE_ADD, payload, lambda m: m.add(0, number))
        elif action == 3:
            forced = pick.random() < 0.4
            self.do(self.manager, INITIATE_RELEASE, ask_back(self.host, FORCED * forced, self.SIZE, name), lambda m: m.ask(0, number, forced))
        elif action < 6:
            offers = model.offers[0]
            taken = offers[0][0] if offers and offers[0][1] and pick.random() < 0.8 else None
            listed = ranges() if taken is None else ranges((taken * self.SIZE, self.SIZE))
            self.do(self.peer, ADD_RESPONSE, listed, lambda m: m.answer(0, taken))
        else:
            self.do(self.peer, RELEASE, ranges((start, self.SIZE)), lambda m: m.release(0, number))
        self.clear_events()

    def do(self, peer: Peer, opcode: int, payload: bytes, step) -> None:
        before = copy.deepcopy(self.models)
        answers = [step(model) for model in self.models]
        after, self.models = self.models, before + self.models
        response = self.ask(opcode, payload, peer)
        if (response.code, response.vendor_status) in NOT_DURABLE:
            self.models = before
            return
        fitting = [model for model, answer in zip(after, answers) if answer == (response.code == SUCCESS)]
        self.models = list({model.key(): model for model in fitting}.values())
        assert self.models, f"{opcode:04x}h is answered with {response.code}, {response.vendor_status}; expected {answers}"

    def check(self, state: State) -> None:
        backends = {one[:16] for one in state.backends}
        found = (
            {number for number in range(self.COUNT) if tag(self.FIRST + number) in backends},
            sorted(struct.unpack_from("<Q", one)[0] // self.SIZE for one in state.extents[self.host if self.peer else self.target.hosts - 1]),
        )
        expected = [
            (model.backends, sorted(number for number, (_, accepted) in model.held.items() if accepted)) for model in self.models
        ]
        self.models = [model for model, one in zip(self.models, expected) if one == found]
        assert self.models, f"the last host has {found}, which is none of {expected}"


class Saboteur(Worker):
    """Links that end badly, on listeners of their own: their crowd must not take the others' places."""

    connections = 0
    FRAME = encode_frame(fragments(request(LIST_TAGS, struct.pack("<II", 0, 50)), 64)[0])

    def __init__(self, soak, name, index, seed) -> None:
        super().__init__(soak, "saboteur", index, seed)

    def connect(self) -> None:
        # Whether the service is there; each act has links of its own.
        self.target.socket("hostile-packet").close()

    def act(self) -> None:
        # In a crowd some are turned away.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.random.choice((self.cut, self.reset, self.leave_unread, self.begin_and_go, self.noise, self.crowd))()
        self.soak.counts["links cut"] += 1

    def dial(self, name: str) -> socket.socket:
        kind = socket.SOCK_SEQPACKET if name.endswith("packet") else socket.SOCK_STREAM
        link = socket.socket(socket.AF_UNIX, kind)
        try:
            link.connect(str(self.target.path / name))
        except OSError:
            link.close()
            raise
        link.settimeout(1)
        return link

    def cut(self) -> None:
        with self.dial("hostile-serial") as link:
            link.send(self.FRAME * 3 + self.FRAME[: self.random.randrange(len(self.FRAME))])

    def reset(self) -> None:
        """It goes with answers unread."""
        with self.dial("hostile-packet") as link:
            for number in range(self.random.randrange(20)):
                link.send(fragments(request(IDENTIFY, number=number), 4092)[0])
            time.sleep(self.random.random() * 0.01)

    def leave_unread(self) -> None:
        with self.dial("hostile-serial") as link:
            link.setblocking(False)
            until = time.monotonic() + self.random.random() * 0.3
            while time.monotonic() < until:
                try:
                    link.send(self.FRAME)
                except BlockingIOError:
                    time.sleep(0.01)

    def begin_and_go(self) -> None:
        begun = fragments(request(CREATE, backend(tag(1))), 40)[0]
        with self.dial("hostile-packet") as link:
            for source in range(8, 40):
                link.send(begun[:2] + bytes([source, begun[3] & 0xF8 | self.random.randrange(8)]) + begun[4:])

    def noise(self) -> None:
        with self.dial("hostile-serial") as link, contextlib.suppress(TimeoutError):
            link.sendall(self.random.randbytes(self.random.randrange(20_000)))

    def crowd(self) -> None:
        with contextlib.ExitStack() as stack:
            for _ in range(self.random.randrange(100)):
                stack.enter_context(self.dial("hostile-packet"))
