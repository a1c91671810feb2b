"""The service is killed again and again, at random instants and in the middle of commands from several links.

A second model, kept here, says what the device must be after each restart: every acknowledged change is there, and of each command that
was on its way either the whole effect is there or none. FMAPID_CRASH_ROUNDS and FMAPID_CRASH_SEED repeat or prolong it.
"""

from __future__ import annotations

import copy
import itertools
import os
import random
import socket
import struct
import time
import unittest

from daemon import PATIENCE, Daemon

ROUNDS = int(os.environ.get("FMAPID_CRASH_ROUNDS", "200"))
SEED = int(os.environ.get("FMAPID_CRASH_SEED", "20251127"))
HOSTS, TAGS, SIZE = 2, 12, 2 << 20
FM, CONTROL = "fm", "control"
GET_EVENTS, CLEAR_EVENTS = 0x0100, 0x0101
EXTENT_LIST, ANSWER, RELEASE = 0x4801, 0x4802, 0x4803
ADD, ASK, LIST_TAGS = 0x5604, 0x5605, 0x5608
CREATE, DELETE, LIST_BACKENDS = 0xC000, 0xC001, 0xC002
FORCED = 0x10
OFFERED, RELEASING, FORCED_AWAY, ANSWERED, RELEASED = 0, 1, 2, 4, 5


def tag(number: int) -> bytes:
    return struct.pack(">QQ", 0x5BE13BCEAE344A77, number + 1)


class Log:
    """Records as (handle, type, start); handles go from 1 to 65535 and around."""

    def __init__(self) -> None:
        self.records: list[tuple[int, int, int]] = []
        self.count = 0

    def add(self, kind: int, start: int) -> None:
        self.records.append((self.count % 65535 + 1, kind, start))
        self.count += 1


class Model:
    """What the device is, in the plainest words. Each method answers whether the command succeeds, and if so carries it out."""

    def __init__(self) -> None:
        self.backends: set[int] = set()
        # By tag: host, and whether it has accepted.
        self.held: dict[int, tuple[int, bool]] = {}
        # By host: tags on offer, oldest first, and whether the FM has left the offer as it was.
        self.offers: list[list[tuple[int, bool]]] = [[] for _ in range(HOSTS)]
        self.logs = {name: Log() for name in (FM, *range(HOSTS))}
        self.generations = [0] * HOSTS

    def create(self, number: int) -> bool:
        if number in self.backends:
            return False
        self.backends.add(number)
        return True

    def delete(self, number: int) -> bool:
        if number not in self.backends or number in self.held:
            return False
        self.backends.remove(number)
        return True

    def add(self, host: int, number: int) -> bool:
        if number not in self.backends or number in self.held:
            return False
        self.held[number] = (host, False)
        self.offers[host].append((number, True))
        self.logs[host].add(OFFERED, number * SIZE)
        return True

    def ask(self, host: int, number: int, forced: bool) -> bool:
        if self.held.get(number, (None,))[0] != host:
            return False
        accepted = self.held[number][1]
        if not forced:
            if accepted:
                self.logs[host].add(RELEASING, number * SIZE)
            return accepted
        if accepted:
            self.logs[host].add(FORCED_AWAY, number * SIZE)
            self.generations[host] += 1
        else:
            self.offers[host][self.offers[host].index((number, True))] = (number, False)
        del self.held[number]
        return True

    def answer(self, host: int, number: int | None) -> bool:
        """`number` is what the host takes of its oldest offer."""
        if not self.offers[host]:
            return False
        offered, alive = self.offers[host][0]
        if number is not None and number != offered:
            return False
        self.offers[host].pop(0)
        if not alive:
            return True
        self.logs[FM].add(ANSWERED, offered * SIZE)
        if number is None:
            del self.held[offered]
        else:
            self.held[offered] = (host, True)
            self.generations[host] += 1
        return True

    def release(self, host: int, number: int) -> bool:
        if self.held.get(number) != (host, True):
            return False
        del self.held[number]
        self.generations[host] += 1
        self.logs[FM].add(RELEASED, number * SIZE)
        return True

    def clear(self, name: str | int, handles: list[int]) -> bool:
        log = self.logs[name]
        if [record[0] for record in log.records[: len(handles)]] != handles:
            return False
        del log.records[: len(handles)]
        return True

    def dump(self) -> tuple:
        """All that read-only commands tell; of a log, the page that they tell."""
        extents = [sorted(n for n, held in self.held.items() if held == (host, True)) for host in range(HOSTS)]
        offered = [sorted(n for n, held in self.held.items() if held == (host, False)) for host in range(HOSTS)]
        logs = {name: (log.records[:7], len(log.records) > 7) for name, log in self.logs.items()}
        return sorted(self.backends), extents, offered, logs, self.generations

    def state(self) -> tuple:
        logs = [(tuple(log.records), log.count) for log in self.logs.values()]
        return str((self.dump(), self.offers, logs))


class Command:
    """One command: the link, the bytes, and what it does to a model."""

    def __init__(self, link, opcode: int, payload: bytes, *step) -> None:
        self.link, self.opcode, self.payload, self.step = link, opcode, payload, step

    def run(self, model: Model) -> bool:
        name, *arguments = self.step
        return getattr(model, name)(*arguments)


def packet(opcode: int, payload: bytes, number: int) -> bytes:
    kind = 7 if 0x5100 <= opcode < 0x5A00 else 8
    return bytes([1, 9, 8, 0xC8, kind]) + struct.pack("<BBBHHBHH", 0, number & 0xFF, 0, opcode, len(payload), 0, 0, 0) + payload


class CrashTest(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(SEED)
        names = [("fm", "fm"), ("control", "control"), *((f"host{host}", f"host:{host}") for host in range(HOSTS))]
        listeners = [part for name, role in names for part in ("--listen", f"{name}={role},packet,unix:{{dir}}/{name}")]
        self.daemon = self.enterContext(Daemon(*listeners))
        self.links: dict[str | int, socket.socket] = {}
        self.candidates = [Model()]
        self.sent = self.commands = self.acknowledged = self.lost = self.happened = 0
        # Seconds from commands that are sent to their answers.
        self.usual = 0.001

    def connect(self) -> None:
        for name in (CONTROL, FM, *range(HOSTS)):
            path = self.daemon.wait_for(name if isinstance(name, str) else f"host{name}")
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            connection.settimeout(PATIENCE)
            deadline = time.monotonic() + PATIENCE
            while True:
                try:
                    connection.connect(path)
                    break
                except (ConnectionRefusedError, FileNotFoundError):
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.001)
            self.links[name] = connection

    def send(self, command: Command) -> None:
        self.sent += 1
        self.links[command.link].send(packet(command.opcode, command.payload, self.sent))

    def receive(self, link) -> tuple[int, bytes] | None:
        """Return code and payload; None if the service is gone."""
        try:
            data = self.links[link].recv(4096)
        except ConnectionError:
            return None
        return (struct.unpack_from("<H", data, 13)[0], data[17:]) if data else None

    def ask(self, link, opcode: int, payload: bytes = b"") -> bytes:
        self.send(Command(link, opcode, payload))
        answer = self.receive(link)
        self.assertIsNotNone(answer)
        self.assertEqual(answer[0], 0, f"{opcode:04x}h")
        return answer[1]

    # What it does.

    def invent(self) -> Command:
        """A command that makes sense often, but not always."""
        model = self.random.choice(self.candidates)
        pick = self.random.choice
        number, host = self.random.randrange(TAGS), self.random.randrange(HOSTS)
        action = self.random.randrange(100)
        if action < 12:
            return Command(CONTROL, CREATE, tag(number) + struct.pack("<QBBH4x", SIZE, 0, 0, 0), "create", number)
        if action < 18:
            return Command(CONTROL, DELETE, tag(number), "delete", number)
        if action < 42:
            extent = struct.pack("<QQ", number * SIZE, SIZE) + tag(number) + bytes(8)
            payload = struct.pack("<HBBQ16sI", host, 2, 0, 0, bytes(16), 1) + extent
            return Command(FM, ADD, payload, "add", host, number)
        if action < 54:
            forced = self.random.random() < 0.5
            if model.held and self.random.random() < 0.8:
                number = pick(sorted(model.held))
                host = model.held[number][0]
            flags = FORCED if forced else 0
            return Command(FM, ASK, struct.pack("<HBBQ16sI", host, flags, 0, SIZE, tag(number), 0), "ask", host, number, forced)
        if action < 76:
            offers = model.offers[host]
            taken = offers[0][0] if offers and self.random.random() < 0.8 else None
            ranges = [] if taken is None else [taken]
            return Command(host, ANSWER, self.ranges(ranges), "answer", host, taken)
        if action < 86:
            mine = [n for n, held in model.held.items() if held == (host, True)]
            number = pick(mine) if mine and self.random.random() < 0.8 else number
            return Command(host, RELEASE, self.ranges([number]), "release", host, number)
        name = pick([FM, *range(HOSTS)])
        records = model.logs[name].records
        handles = [record[0] for record in records[: self.random.randrange(min(len(records), 60) + 1)]]
        payload = struct.pack(f"<BBB3x{len(handles)}H", 4, 0, len(handles), *handles)
        return Command(name, CLEAR_EVENTS, payload, "clear", name, handles)

    @staticmethod
    def ranges(numbers: list[int]) -> bytes:
        return struct.pack("<I4x", len(numbers)) + b"".join(struct.pack("<QQ8x", n * SIZE, SIZE) for n in numbers)

    def batch(self) -> list[Command]:
        """Commands on different links, at the same time."""
        commands: dict = {}
        for _ in range(self.random.randrange(1, 5)):
            command = self.invent()
            commands.setdefault(command.link, command)
        return list(commands.values())

    def follow(self, commands: list[Command], answers: list[bool | None]) -> None:
        """All models that fit the answers. None: no answer came, and the command happened or not."""
        found: dict[str, Model] = {}
        certain = [index for index, answer in enumerate(answers) if answer is not None]
        open_ones = [index for index, answer in enumerate(answers) if answer is None]
        subsets = itertools.chain.from_iterable(itertools.combinations(open_ones, n) for n in range(len(open_ones) + 1))
        for subset in list(subsets):
            for order in itertools.permutations([*certain, *subset]):
                for candidate in self.candidates:
                    model = copy.deepcopy(candidate)
                    if all(commands[i].run(model) == answers[i] or answers[i] is None for i in order):
                        found[model.state()] = model
        self.assertTrue(found, f"no order of {[c.step for c in commands]} gives {answers}; seed {SEED}")
        self.candidates = list(found.values())

    def read(self) -> tuple:
        extents, generations, offered, logs = [], [], [[] for _ in range(HOSTS)], {}
        for host in range(HOSTS):
            payload = self.ask(host, EXTENT_LIST, struct.pack("<II", 25, 0))
            count, _, generation = struct.unpack_from("<III", payload)
            generations.append(generation)
            extents.append([struct.unpack_from("<Q", payload, 16 + 40 * i)[0] // SIZE for i in range(count)])
            for i in range(count):
                start, length, name = struct.unpack_from("<QQ16s", payload, 16 + 40 * i)
                self.assertEqual((length, name), (SIZE, tag(start // SIZE)))
        payload = self.tags()
        for name, pending in payload:
            for host in range(HOSTS):
                if pending >> host & 1:
                    offered[host].append(struct.unpack(">QQ", name)[1] - 1)
        for name in (FM, *range(HOSTS)):
            payload = self.ask(name, GET_EVENTS, bytes([4]))
            flags, count = payload[0], struct.unpack_from("<H", payload, 20)[0]
            records = []
            for i in range(count):
                record = payload[32 + 128 * i : 160 + 128 * i]
                records.append((struct.unpack_from("<H", record, 0x14)[0], record[0x30], struct.unpack_from("<Q", record, 0x38)[0]))
            logs[name] = (records, bool(flags & 2))
        payload = self.ask(CONTROL, LIST_BACKENDS, struct.pack("<II", 0, 25))
        backends = [struct.unpack_from(">QQ", payload, 16 + 40 * i)[1] - 1 for i in range(struct.unpack_from("<I", payload, 8)[0])]
        return sorted(backends), extents, [sorted(numbers) for numbers in offered], logs, generations

    def tags(self) -> list[tuple[bytes, int]]:
        found, start = [], 0
        while True:
            payload = self.ask(FM, LIST_TAGS, struct.pack("<II", start, 25))
            _, total, count = struct.unpack_from("<III", payload)
            for i in range(count):
                entry = payload[16 + 84 * i : 100 + 84 * i]
                found.append((entry[:16], struct.unpack_from("<Q", entry, 0x34)[0]))
            start += count
            if start >= total:
                return found

    def check(self) -> None:
        """Compares the device with the models; those that it is not are forgotten."""
        actual = self.read()
        fitting = [model for model in self.candidates if model.dump() == actual]
        self.assertTrue(fitting, f"seed {SEED}: the device is {actual}, not one of {[m.dump() for m in self.candidates]}")
        self.candidates = fitting

    def test_nothing_acknowledged_is_lost(self):
        self.connect()
        for _ in range(ROUNDS):
            self.check()
            before = self.candidates
            for last in [False] * self.random.randrange(6) + [True]:
                commands = self.batch()
                for command in commands:
                    self.send(command)
                sent = time.monotonic()
                if last:
                    # From before the first command is read to after the last is answered, on this machine.
                    until = sent + self.random.random() * 1.5 * self.usual
                    while time.monotonic() < until:
                        time.sleep(0)
                    self.daemon.process.kill()
                codes = [self.receive(command.link) for command in commands]
                if not last:
                    # One that stood still for a moment does not change what is usual by much.
                    self.usual += (min(time.monotonic() - sent, 4 * self.usual) - self.usual) / 8
                answers = [None if code is None else code[0] == 0 for code in codes]
                self.commands += len(commands)
                self.acknowledged += len(answers) - answers.count(None)
                self.lost += answers.count(None)
                before = self.candidates
                self.follow(commands, answers)
            for link in self.links.values():
                link.close()
            self.daemon.process.wait()
            self.daemon.start()
            self.connect()
            if answers.count(None):
                self.check()
                states = {model.state() for model in before}
                self.happened += all(model.state() not in states for model in self.candidates)
        self.check()
        print(
            f"    {ROUNDS} kills, {self.commands} commands, {self.acknowledged} acknowledged, {self.lost} unanswered; "
            f"in {self.happened} rounds something unanswered had happened; seed {SEED}"
        )
        # The kills must have hit commands, before and after they were done, or this proves nothing.
        self.assertGreater(self.lost, ROUNDS / 10)
