"""What the journal knows: fields to search by, and an explanation of each kind of entry."""

import subprocess
import unittest
import uuid

from device import CREATE_BACKEND, DELETE_BACKEND, Device, new_tag
from service import CONFIGURATION, SERVICE, ServiceTest, journal, main_pid, show, systemctl

RESOURCES_EXHAUSTED = 0x1D
NO_SUCH_TAG = "FMAPID_REASON=22"


def catalog() -> str:
    """Each message id with its defining program and its subject."""
    return subprocess.run(["journalctl", "--no-pager", "--list-catalog"], capture_output=True, text=True).stdout


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
                self.assertIn(match.split("=")[1] if match[-4:] != "020h" else "listener host0", text)

    def test_starting_and_stopping_are_explained(self):
        self.device.forget()
        systemctl("stop", SERVICE)
        for subject in ("is in service", "has been taken out of service", "A listener of the CXL device is open"):
            with self.subTest(subject):
                self.assertEqual(self.explained(subject), {"fmapid"})

    def test_lost_memory_is_told(self):
        """Anonymous memory does not outlive a stop (before systemd 254); its administrator learns of it."""
        self.device.give(0, self.tag)
        self.device.forget()
        systemctl("stop", SERVICE)
        self.device.extents(0)
        self.assertEqual(self.explained("Memory of the CXL device lost its bytes"), {"fmapid"})

    def test_a_wrong_configuration_is_told(self):
        self.device.forget()
        self.write_configuration("capacity = 'much'\n")
        systemctl("restart", SERVICE, check=False)
        self.assertEqual(self.explained("The CXL device cannot serve"), {"fmapid"})

    def test_links_turned_away_are_told(self):
        self.write_configuration(CONFIGURATION.read_text() + "max-links = 1\n")
        self.device.forget()
        systemctl("restart", SERVICE)
        self.device.backends()
        with Device() as second, self.assertRaises(ConnectionError):
            second.backends()
        self.assertEqual(self.explained("The CXL device turned a peer away"), {"fmapid"})

    def test_reloading_applies_what_it_can_and_keeps_the_rest(self):
        process, right = main_pid(), CONFIGURATION.read_text()
        self.write_configuration(f'{right}[[backend]]\ntag = "{uuid.UUID(bytes=(tag := new_tag()))}"\nsize = "4MiB"\n')
        systemctl("reload", SERVICE)
        self.assertEqual(self.explained("configuration was read again"), {"fmapid"})
        self.assertIn(tag, self.device.backends())
        CONFIGURATION.write_text("capacity = 'much'\n")
        systemctl("reload", SERVICE)
        self.assertEqual(self.explained("configuration could not be read again"), {"fmapid"})
        self.assertEqual(self.device.backends(), {self.tag, tag})
        self.assertEqual(main_pid(), process)

    def explained(self, subject: str) -> set[str]:
        """Who has written entries of this test that the catalog explains so."""
        match = "MESSAGE_ID=" + next(line.split()[0] for line in catalog().splitlines() if subject in line)
        return {entry["SYSLOG_IDENTIFIER"] for entry in journal(match, since=self.since)}

    def test_the_status_tells_what_is_in_use(self):
        self.device.give(0, self.tag)
        status = show("StatusText")
        self.assertIn("2 hosts", status)


if __name__ == "__main__":
    unittest.main()
