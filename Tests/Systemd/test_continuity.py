"""What lasts: extents and bytes of memory outlive the process, however it ends; requests are not lost by a restart."""

import itertools
import os
import re
import signal
import struct
import threading
import time
import unittest
from collections import Counter
from pathlib import Path

from device import CREATE_BACKEND, DELETE_BACKEND, FILE, IDENTIFY, SIZE, Device, Refused, new_tag
from fmapid_peer import SUCCESS, Peer, connect_packet, connect_serial
from service import (
    CONFIGURATION,
    PATIENCE,
    SERVICE,
    SOCKETS,
    STATE,
    ServiceTest,
    journal,
    main_pid,
    show,
    systemctl,
    wait_until,
)


class CrashTest(ServiceTest):
    def setUp(self) -> None:
        super().setUp()
        self.device = self.enterContext(Device())
        self.tag = new_tag()
        self.device.create(self.tag)
        self.start = self.device.give(0, self.tag)
        self.memory = self.enterContext(self.device.map(0, self.start))
        self.memory[:5] = b"hello"
        self.before = main_pid()

    def assert_continued(self) -> None:
        """Another process has the same extent on the same memory: the new mapping sees stores through the old one."""
        wait_until(lambda: main_pid() not in (0, self.before), "the next process")
        self.device.forget()
        self.assertEqual(self.device.extents(0), [(self.start, SIZE, self.tag)])
        with self.device.map(0, self.start) as memory:
            self.assertEqual(memory[:5], b"hello")
            self.memory[SIZE - 3 :] = b"end"
            self.assertEqual(memory[SIZE - 3 :], b"end")
        self.assertEqual(show("NFileDescriptorStore"), "1")

    def test_restart(self):
        systemctl("restart", SERVICE)
        self.assert_continued()

    def test_kill(self):
        os.kill(self.before, signal.SIGKILL)
        self.assert_continued()
        self.assertEqual(show("NRestarts"), "1")

    def test_watchdog(self):
        # Long enough that a machine that stands still for a moment does not end the service that is to last.
        self.configure(SERVICE, "[Service]\nWatchdogSec=6s\n")
        systemctl("restart", SERVICE)
        self.before = main_pid()
        os.kill(self.before, signal.SIGSTOP)
        self.assert_continued()
        entries = journal("UNIT=fmapid.service", "_PID=1", since=self.since)
        self.assertTrue([entry for entry in entries if "atchdog" in entry["MESSAGE"]], "the watchdog did not fire")

    def test_a_wrong_configuration_does_not_cost_the_memory(self):
        right = CONFIGURATION.read_text()
        self.write_configuration("capacity = 'much'\n")
        systemctl("restart", SERVICE, check=False)
        # A peer that waits meanwhile is served in the end.
        with Peer(connect_packet("/run/fmapid/control.sock")) as early:
            wait_until(lambda: int(show("NRestarts")) >= 3, "three attempts")
            self.assertNotEqual(show("ActiveState"), "active")
            CONFIGURATION.write_text(right)
            self.assertEqual(early.command(IDENTIFY, timeout=PATIENCE).code, SUCCESS)
        self.assert_continued()

    def test_twenty_crashes_in_a_row(self):
        """Giving up would drop the memory, so systemd must not."""
        self.configure(SERVICE, "[Service]\nRestartSec=0\n")
        for _ in range(20):
            process = main_pid()
            os.kill(process, signal.SIGKILL)
            wait_until(lambda: main_pid() not in (0, process), "the next process")
        self.assert_continued()


class NewHostTest(ServiceTest):
    sockets = [SOCKETS["control"], SOCKETS["fm"], SOCKETS["host0"]]

    def test_a_host_is_added_to_a_running_service(self):
        """systemd hands sockets over at a start only: a restart brings those that have been enabled."""
        with Device() as device:
            tag = new_tag()
            device.create(tag)
            start = device.give(0, tag)
            with device.map(0, start) as memory:
                memory[:5] = b"hello"
            device.forget()
            systemctl("enable", SOCKETS["host1"])
            self.addCleanup(systemctl, "disable", SOCKETS["host1"])
            systemctl("restart", SERVICE)
            self.assertEqual(device.extents(1), [])
            with device.map(0, start) as memory:
                self.assertEqual(memory[:5], b"hello")


class HugePageTest(ServiceTest):
    def test_huge_pages_outlive_the_process(self):
        free = re.search(r"HugePages_Free:\s+(\d+)", Path("/proc/meminfo").read_text())
        if not free or int(free[1]) < SIZE >> 21:
            self.skipTest(f"needs {SIZE >> 21} free huge pages; sysctl vm.nr_hugepages=8 makes some")
        with Device() as device:
            tag = new_tag()
            device.create(tag, huge_pages=True)
            start = device.give(0, tag)
            with device.map(0, start) as before:
                before[:5] = b"hello"
                systemctl("restart", SERVICE)
                device.forget()
                with device.map(0, start) as after:
                    self.assertEqual(after[:5], b"hello")


class StopTest(ServiceTest):
    def test_stop_keeps_state_files_and_sockets(self):
        with Device() as device:
            tag = new_tag()
            device.create(tag, FILE, "kept")
            start = device.give(0, tag)
            with device.map(0, start) as memory:
                memory[:5] = b"hello"
            device.forget()
            systemctl("stop", SERVICE)
            self.assertEqual((show("ActiveState"), show("Result")), ("inactive", "success"))
            self.assertEqual((STATE / "kept").read_bytes()[:5], b"hello")
            self.assertTrue((STATE / "fmapid.db").exists())
            for unit in self.sockets:
                self.assertEqual(show("ActiveState", unit), "active")
            # The next connection brings it back.
            self.assertEqual(device.extents(0), [(start, SIZE, tag)])
            with device.map(0, start) as memory:
                self.assertEqual(memory[:5], b"hello")


class LoadTest(ServiceTest):
    """Peers that give commands all the time while the service is restarted again and again.

    A request that a peer could send is answered. One that it could not send, because the link had just ended, was not
    executed, and is sent again on the next link.
    """

    RESTARTS = 5
    CREATORS = 3
    READERS = 2

    def setUp(self) -> None:
        super().setUp()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.answers: Counter[threading.Thread] = Counter()
        self.links = 0
        self.problems: list[str] = []
        self.backends: set[bytes] = set()

    def test_peers_that_stay(self):
        self._load(commands_per_link=None)

    def test_peers_that_connect_for_each_command(self):
        self._load(commands_per_link=1)

    def _load(self, commands_per_link: int | None) -> None:
        threads = [threading.Thread(target=self._create, args=[commands_per_link]) for _ in range(self.CREATORS)]
        threads += [threading.Thread(target=self._read, args=[commands_per_link]) for _ in range(self.READERS)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(self.RESTARTS):
                self._wait_for_answers(threads)
                time.sleep(0.1)
                systemctl("restart", SERVICE)
            self._wait_for_answers(threads)
        finally:
            self._over.set()
            for thread in threads:
                thread.join()
        self.assertEqual(self.problems, [])
        print(f"        {self.answers.total()} answers on {self.links} links", flush=True)
        self.assertGreaterEqual(self.links, (self.RESTARTS + 1) * len(threads))
        # What was answered happened, once, and nothing else did.
        with Device() as device:
            self.assertEqual(device.backends(), self.backends)
        self.assertEqual(show("NFileDescriptorStore"), str(len(self.backends)))

    def _wait_for_answers(self, threads: list[threading.Thread]) -> None:
        """Until each peer was answered by the service that runs now."""
        with self._lock:
            before = self.answers.copy()
        wait_until(lambda: self.problems or all(self.answers[thread] > before[thread] for thread in threads), "answers for all peers")

    def _create(self, commands_per_link: int | None) -> None:
        """Makes backends, and deletes all but every tenth."""

        def commands():
            while True:
                for number in range(10):
                    tag = new_tag()
                    yield CREATE_BACKEND, struct.pack("<16sQBBH4x", tag, SIZE, 0, 0, 0)
                    if number:
                        yield DELETE_BACKEND, tag

        self._talk(lambda: connect_packet("/run/fmapid/control.sock"), commands(), commands_per_link)

    def _read(self, commands_per_link: int | None) -> None:
        commands = itertools.repeat((IDENTIFY, b""))
        self._talk(lambda: connect_serial("/run/fmapid/fm.sock"), commands, commands_per_link)

    def _note(self, opcode: int, payload: bytes) -> None:
        """A command was answered."""
        with self._lock:
            self.answers[threading.current_thread()] += 1
            if opcode == CREATE_BACKEND:
                self.backends.add(payload[:16])
            elif opcode == DELETE_BACKEND:
                self.backends.remove(payload)

    def _talk(self, connect, commands, commands_per_link: int | None) -> None:
        try:
            opcode, payload = next(commands)
            while not self._over.is_set():
                with Peer(connect()) as peer:
                    with self._lock:
                        self.links += 1
                    for _ in itertools.repeat(None) if commands_per_link is None else range(commands_per_link):
                        try:
                            response = peer.command(opcode, payload, timeout=PATIENCE)
                        except BrokenPipeError:
                            break
                        if response.code != SUCCESS:
                            raise Refused(opcode, response)
                        self._note(opcode, payload)
                        if self._over.is_set():
                            return
                        opcode, payload = next(commands)
        except Exception as error:  # noqa: BLE001
            with self._lock:
                self.problems.append(repr(error))
            self._over.set()


if __name__ == "__main__":
    unittest.main()
