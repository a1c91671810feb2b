"""Several devices on one machine, static ones too."""

import os
import signal
import unittest

from device import NO_TAG, SIZE, Device, new_tag
from service import OTHER_SERVICE, SERVICE, SOCKETS, STATE, ServiceTest, main_pid, show, systemctl, wait_until

OTHER_SOCKETS = [f"fmapid-{name}@blue.socket" for name in ("fm", "control", "host0", "host1")]


class DevicesTest(ServiceTest):
    sockets = [*SOCKETS.values(), *OTHER_SOCKETS]

    def setUp(self) -> None:
        super().setUp()
        self.plain = self.enterContext(Device())
        self.blue = self.enterContext(Device("/run/fmapid/blue", eid=10))

    def test_each_has_its_own_capacity_and_state(self):
        tag = new_tag()
        self.plain.create(tag)
        first, second = self.plain.give(0, tag), self.blue.give(0)
        self.assertEqual(self.plain.extents(0), [(first, SIZE, tag)])
        self.assertEqual(self.blue.extents(0), [(second, SIZE, NO_TAG)])
        self.assertTrue((STATE.parent / "fmapid-blue" / "fmapid.db").exists())

        self.blue.forget()
        systemctl("stop", OTHER_SERVICE)
        self.assertEqual((show("ActiveState"), show("ActiveState", OTHER_SERVICE)), ("active", "inactive"))
        self.assertEqual(self.plain.extents(0), [(first, SIZE, tag)])
        # Its next connection starts it, and it has what it had.
        self.assertEqual(self.blue.extents(0), [(second, SIZE, NO_TAG)])

    def test_memory_of_a_pool_outlives_the_process(self):
        start = self.blue.give(1)
        with self.blue.map(1, start) as before:
            before[:5] = b"hello"
            process = main_pid(OTHER_SERVICE)
            os.kill(process, signal.SIGKILL)
            wait_until(lambda: main_pid(OTHER_SERVICE) not in (0, process), "the next process")
            self.blue.forget()
            self.assertEqual(self.blue.extents(1), [(start, SIZE, NO_TAG)])
            with self.blue.map(1, start) as after:
                self.assertEqual(after[:5], b"hello")
                before[5:6] = b"!"
                self.assertEqual(after[5:6], b"!")

    def test_one_cannot_write_the_state_of_another(self):
        self.plain.extents(0), self.blue.extents(0)
        for process, own in ((main_pid(SERVICE), "fmapid"), (main_pid(OTHER_SERVICE), "fmapid-blue")):
            mounts = (line.split()[4:6] for line in open(f"/proc/{process}/mountinfo"))
            writable = {place for place, options in mounts if options.startswith("rw")}
            self.assertEqual({place for place in writable if place.startswith("/var/lib")}, {f"/var/lib/{own}"})


if __name__ == "__main__":
    unittest.main()
