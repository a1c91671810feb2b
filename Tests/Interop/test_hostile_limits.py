"""Everything is asked for until there is no more of it. Who asks is refused; the others notice nothing."""

import contextlib
import mmap
import re
import struct
import unittest

from fmapid_peer import CONTROL, GET_EID
from hostile import *
from mctp import fragments


class DescriptorLimitTest(HostileTest):
    """256 descriptors for everything."""

    options = {"before": ["prlimit", "--nofile=256"]}

    def fill_with_backends(self) -> int:
        """Makes backends until it is refused; how many there are."""
        control = self.link("control")
        for number in range(1, 1000):
            response = control.command(CREATE, backend(tag(number)))
            if response.code != SUCCESS:
                self.assertEqual((response.code, response.vendor_status), (RESOURCES_EXHAUSTED, 95))
                return number - 1
        self.fail("there is no end of them")

    def test_backends_leave_descriptors_to_links(self):
        count = self.fill_with_backends()
        self.assertGreaterEqual(count, 100)
        with contextlib.ExitStack() as stack:
            for name in ("host0", "host1", "manager", "fm") * 10:
                self.succeed(stack.enter_context(self.target.link(name)), IDENTIFY)
        # So do files.
        self.refuse(RESOURCES_EXHAUSTED, 95, self.link("control"), CREATE, backend(tag(1000), SIZE, FILE, 0, b"file"))
        self.assertFalse((self.target.path / "state/file").exists())
        with self.target.keeps_descriptors():
            control = self.link("control")
            self.succeed(control, DELETE, tag(1))
            self.succeed(control, CREATE, backend(tag(1)))
            control.link.close()
        self.assertEqual(len(self.target.assert_sound().backends), count)

    def test_sanitizing_needs_no_descriptor_of_a_crowd(self):
        """Fresh memory takes the place of the old: with every descriptor in use it must not fail, or the backend is lost."""
        self.succeed(self.link("control"), CREATE, backend(tag(0)))
        self.give(0, tag(0))
        host, manager = self.link("host0"), self.link("manager")
        self.fill_with_backends()
        with contextlib.ExitStack() as stack:
            for name in ("host0", "host1", "control", "fm") * 60:
                with contextlib.suppress(OSError):
                    stack.enter_context(self.target.socket(name))
            self.target.wait_until(lambda: "Too many open files" in self.target.log(), "descriptors run out")
            self.refuse(RESOURCES_EXHAUSTED, 95, host, DESCRIPTOR, bytes(8))
            self.target.wait_until(lambda: re.search(r"\(C020h\).*: Resources Exhausted", self.target.log()) is not None, "the log tells of it")
            self.succeed(manager, INITIATE_RELEASE, ask_back(0, FORCED | SANITIZE, SIZE, tag(0)))
            self.assertEqual(self.succeed(manager, GET_BACKEND, tag(0)).payload[0x1E], 0)
        self.target.assert_sound()


class FewDescriptorsTest(HostileTest):
    options = {"before": ["prlimit", "--nofile=32"]}

    def test_it_serves_who_came_first(self):
        manager = self.link("manager")
        with contextlib.ExitStack() as stack, Witness(self.target):
            for _ in range(100):
                with contextlib.suppress(OSError):
                    stack.enter_context(self.target.socket("host0"))
            self.target.wait_until(lambda: "Too many open files" in self.target.log(), "descriptors run out")
            self.succeed(manager, IDENTIFY)
        self.target.wait_until(self.is_served, "others are served again")
        self.target.assert_sound()

    def is_served(self) -> bool:
        with contextlib.suppress(OSError), self.target.socket("host1") as connection:
            connection.send(fragments(request(IDENTIFY), 4092)[0])
            return bool(connection.recv(4096))
        return False


class SmallDeviceTest(HostileTest):
    """A device with room for little, so that it is soon full."""

    arguments = ("--max-extents", "8", "--max-tags", "12", "--event-log-size", "10", "--block-size", "4KiB")

    def setUp(self):
        super().setUp()
        self.control, self.manager = self.link("control"), self.link("manager")
        self.enterContext(Witness(self.target))

    def make_backends(self, count: int) -> None:
        for number in range(1, count + 1):
            self.succeed(self.control, CREATE, backend(tag(number), 4096))

    def test_backends(self):
        self.make_backends(12)
        before = self.target.assert_sound()
        self.refuse(RESOURCES_EXHAUSTED, 67, self.control, CREATE, backend(tag(13), 4096))
        self.assertEqual(self.target.assert_sound(), before)
        for number in range(1, 13):
            self.succeed(self.control, DELETE, tag(number))
        self.make_backends(12)

    def test_extents(self):
        self.make_backends(12)
        for number in range(1, 9):
            self.give(number % 2, tag(number), 4096)
            for peer in (self.manager, self.link(f"host{number % 2}")):
                self.clear(peer)
        before = self.target.assert_sound()
        self.refuse(RESOURCES_EXHAUSTED, 62, self.manager, INITIATE_ADD, add(0, FREE, 0, 4096, tag(9)))
        extents = [extent(MIB * number, 4096, tag(number)) for number in (9, 10)]
        self.refuse(RESOURCES_EXHAUSTED, 62, self.manager, INITIATE_ADD, add(0, PRESCRIPTIVE, 0, 0, NO_TAG, extents))
        self.assertEqual(self.target.assert_sound(), before)

    def clear(self, peer: Peer) -> None:
        records = self.succeed(peer, GET_EVENTS, b"\4").payload
        (count,) = struct.unpack_from("<H", records, 0x14)
        handles = b"".join(records[0x20 + 128 * index + 0x14 :][:2] for index in range(count))
        self.succeed(peer, CLEAR_EVENTS, struct.pack("<BBB3x", 4, 0, count) + handles)

    def test_event_logs(self):
        """A host that reads nothing is offered nothing more; a forced release is noted as overflow; the FM's log overflows."""
        self.make_backends(1)
        host = self.link("host0")
        for _ in range(10):
            self.succeed(self.manager, INITIATE_ADD, add(0, FREE, 0, 4096, tag(1)))
            self.succeed(host, ADD_RESPONSE, ranges((0, 4096)))
            self.succeed(host, RELEASE, ranges((0, 4096)))
        before = self.target.assert_sound()
        self.refuse(RETRY_REQUIRED, 64, self.manager, INITIATE_ADD, add(0, FREE, 0, 4096, tag(1)))
        self.assertEqual(self.target.assert_sound(), before)
        # A new block size holds nobody up.
        self.succeed(self.manager, SET_REGION, struct.pack("<B3xQB3x", 0, 4096, 1))
        self.succeed(self.manager, SET_REGION, struct.pack("<B3xQB3x", 0, 4096, 0))
        overflow = self.succeed(self.manager, GET_EVENTS, b"\4").payload
        self.assertEqual((overflow[0] & 1, struct.unpack_from("<H", overflow, 2)), (1, (10,)))
        self.succeed(self.manager, CLEAR_EVENTS, struct.pack("<BBB3x", 4, 1, 0))
        # The other host has a log of its own.
        self.give(1, tag(1), 4096)

    def test_offers_that_nobody_answers(self):
        self.make_backends(12)
        for number in range(1, 9):
            self.succeed(self.manager, INITIATE_ADD, add(0, FREE, 0, 4096, tag(number)))
        self.refuse(RESOURCES_EXHAUSTED, 62, self.manager, INITIATE_ADD, add(1, FREE, 0, 4096, tag(9)))
        for number in range(1, 9):
            self.succeed(self.manager, INITIATE_RELEASE, ask_back(0, FORCED, 4096, tag(number)))
        self.give(1, tag(9), 4096)


def free_huge_pages() -> int:
    """Of 2 MiB, and not reserved."""
    fields = dict(line.split(":") for line in open("/proc/meminfo"))
    return int(fields["HugePages_Free"]) - int(fields["HugePages_Rsvd"]) if fields["Hugepagesize"].split()[0] == "2048" else 0


class BackendTest(HostileTest):
    def test_sizes_and_kinds(self):
        control = self.link("control")
        region = 4 << 30
        rows = [
            *((backend(tag(1), size), INVALID_INPUT, 84) for size in (0, region + 2 * MIB, 1 << 63, (1 << 64) - 2 * MIB)),
            *((backend(tag(1), size), INVALID_INPUT, 83) for size in (1, 4095, 4096, 2 * MIB + 4096, region - 1)),
            (backend(tag(1), (1 << 64) - 1), INVALID_INPUT, 84),
            (backend(NO_TAG), INVALID_INPUT, 15),
            *((backend(tag(1), SIZE, kind), INVALID_INPUT, 5) for kind in (2, 3, 255)),
            (backend(tag(1), SIZE, FILE, 1, b"file"), INVALID_INPUT, 5),
            (backend(tag(1), SIZE, ANONYMOUS, 0, b"file"), INVALID_INPUT, 92),
        ]
        with self.target.keeps_descriptors():
            before = self.target.assert_sound()
            for payload, code, reason in rows:
                with self.subTest(payload[:32].hex()):
                    self.refuse(code, reason, control, CREATE, payload)
            self.assertEqual(self.target.assert_sound(), before)
        self.succeed(control, CREATE, backend(tag(1), region))
        self.refuse(INVALID_INPUT, 85, control, CREATE, backend(tag(1), region))

    def test_huge_pages_that_are_not_there(self):
        control = self.link("control")
        with self.target.keeps_descriptors():
            before = self.target.assert_sound()
            self.refuse(RESOURCES_EXHAUSTED, 91, control, CREATE, backend(tag(1), 2 * MIB * (free_huge_pages() + 1), flags=1))
            self.assertEqual(self.target.assert_sound(), before)

    def test_sanitizing_most_of_the_huge_pages(self):
        """There are not enough for the old memory and the new at the same time."""
        pages = free_huge_pages() // 2 + 1
        if pages < 2:
            self.skipTest("this machine has no two free huge pages (vm.nr_hugepages)")
        size = 2 * MIB * pages
        self.succeed(self.link("control"), CREATE, backend(tag(1), size, flags=1))
        self.give(0, tag(1), size)
        memory = self.enterContext(mmap.mmap(self.descriptor(0), size))
        memory[:6] = b"secret"
        manager = self.link("manager")
        self.succeed(manager, INITIATE_RELEASE, ask_back(0, FORCED | SANITIZE, size, tag(1)))
        self.assertEqual(self.succeed(manager, GET_BACKEND, tag(1)).payload[0x1E], 0)
        self.give(1, tag(1), size)
        self.assertEqual(self.enterContext(mmap.mmap(self.descriptor(1), size))[:6], bytes(6))

    def test_thousands(self):
        """As many as there may be, made and deleted in bulk; memory and descriptors come back."""
        control = self.link("control")
        self.succeed(control, CREATE, backend(tag(0)))
        self.succeed(control, DELETE, tag(0))
        with self.target.keeps_descriptors(), Witness(self.target):
            memory, count = self.target.resident(), 4100
            made = self.batch(control, [(CREATE, backend(tag(number))) for number in range(count)])
            self.assertLessEqual(made.count(SUCCESS), 4096)
            self.assertEqual(made, [SUCCESS] * made.count(SUCCESS) + [RESOURCES_EXHAUSTED] * made.count(RESOURCES_EXHAUSTED))
            self.assertEqual(len(self.target.assert_sound().backends), made.count(SUCCESS))
            deleted = self.batch(control, [(DELETE, tag(number)) for number in range(count)])
            self.assertEqual(deleted.count(SUCCESS), made.count(SUCCESS))
            self.assertLess(self.target.resident() - memory, 16 * MIB)
        self.assertEqual(self.target.assert_sound().backends, ())

    def batch(self, peer: Peer, requests: list[tuple[int, bytes]]) -> list[int]:
        """The codes of many requests, a hundred at a time."""
        codes = []
        for first in range(0, len(requests), 100):
            part = requests[first : first + 100]
            for number, (opcode, payload) in enumerate(part):
                peer.link.send(request(opcode, payload, number))
            codes += [struct.unpack_from("<H", peer.link.receive(PATIENCE).body, 8)[0] for _ in part]
        return codes


if __name__ == "__main__":
    unittest.main()
