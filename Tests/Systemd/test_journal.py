"""What the journal knows: fields to search by, and an explanation of each kind of entry."""

import re
import subprocess
import unittest

from device import CREATE_BACKEND, DELETE_BACKEND, Device, new_tag
from service import SERVICE, ServiceTest, journal, show, systemctl

RESOURCES_EXHAUSTED = 0x1D
NO_SUCH_TAG = "FMAPID_REASON=22"


def explanation(*matches: str) -> str:
    words = ["journalctl", "--no-pager", "--catalog", "--lines=1", *matches]
    return subprocess.run(words, capture_output=True, text=True).stdout


class JournalTest(ServiceTest):
    def setUp(self) -> None:
        super().setUp()
        self.device = self.enterContext(Device())
        self.tag = new_tag()
        self.device.create(self.tag)

    def test_a_command_has_fields(self):
        (entry,) = journal("FMAPID_OPCODE=C000h", since=self.since)
        expected = {
            "FMAPID_LISTENER": "control", "FMAPID_ROLE": "control", "FMAPID_RESULT": "0", "FMAPID_PEER_UID": "0",
            "SYSLOG_IDENTIFIER": "fmapid", "PRIORITY": "5", "_TRANSPORT": "journal", "_SYSTEMD_UNIT": SERVICE,
        }  # fmt: skip
        self.assertEqual({name: entry.get(name) for name in expected}, expected)

    def test_a_refusal_says_why(self):
        self.device.peer("control").command(DELETE_BACKEND, new_tag())
        (entry,) = journal("FMAPID_OPCODE=C001h", NO_SUCH_TAG, since=self.since)
        self.assertEqual((entry["PRIORITY"], entry["FMAPID_RESULT"]), ("6", "2"))

    def test_kinds_are_found_by_their_id_and_explained(self):
        self.device.map(0, self.device.give(0, self.tag)).close()
        self.device.peer("control").command(DELETE_BACKEND, self.tag)
        systemctl("stop", SERVICE)
        kinds = {
            "FMAPID_OPCODE=C000h": "A command changed the CXL device",
            "FMAPID_OPCODE=C001h": "The CXL device refused a command",
            "FMAPID_OPCODE=C020h": "The CXL device handed memory to a host",
        }
        for match, subject in kinds.items():
            with self.subTest(subject):
                (entry,) = journal(match, since=self.since)
                same = journal(f"MESSAGE_ID={entry['MESSAGE_ID']}", since=self.since)
                self.assertIn(entry["MESSAGE"], [other["MESSAGE"] for other in same])
                text = explanation(match)
                self.assertIn(f"Subject: {subject}\n", text)
                # Every field that the explanation names is there.
                self.assertIsNone(re.search(r"@[A-Z_]+@", text), text)
                self.assertIn(match.split("=")[1] if match[-4:] != "020h" else "listener host0", text)

    def test_the_status_tells_what_is_in_use(self):
        self.device.give(0, self.tag)
        status = show("StatusText")
        self.assertIn("2 hosts", status)


if __name__ == "__main__":
    unittest.main()
