"""Who reaches the service, and how: every socket starts it, belongs to its group, and gives its role."""

import grp
import json
import os
import shutil
import socket
import struct
import unittest
from pathlib import Path

from device import (
    CREATE_BACKEND,
    FILE,
    GET_DC_CONFIGURATION,
    GET_DCD_INFO,
    IDENTIFY,
    INITIATE_ADD,
    SIZE,
    Device,
    Refused,
    connect_tcp,
    new_tag,
    run,
)
from fmapid_peer import FM_API, SUCCESS, UNSUPPORTED, UNSUPPORTED_ON_CCI, Peer, connect_packet, connect_serial
from service import CONFIGURATION, SERVICE, SOCKETS, TCP_SOCKET, ServiceTest, journal, main_pid, show, systemctl

DIRECTORY = Path("/run/fmapid")
DROP_INS = Path("/mnt/fmapid/systemd/drop-ins")
STRANGER = 60001
"""A user that nothing else knows."""
NOT_SERVED = (UNSUPPORTED, UNSUPPORTED_ON_CCI)
CREATE = struct.pack("<16sQBBH4x", new_tag(), SIZE, 0, 0, 0)
HOST_CONFIGURATION = bytes([8, 0])


def group(name: str) -> int:
    return grp.getgrnam(name).gr_gid


def as_user(user: int, groups: list[int], action):
    """What `action` returns, as JSON has it, in a process of that user; the first group is the process's own."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(groups[1:])
            os.setgid(groups[0])
            os.setuid(user)
            os.write(writer, json.dumps(action()).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return json.loads(text)


class ActivationTest(ServiceTest):
    sockets = [*SOCKETS.values(), TCP_SOCKET]

    def test_the_first_connection_on_each_socket_starts_it(self):

        def packets(name: str):
            return lambda: connect_packet(f"{DIRECTORY}/{name}.sock")

        attempts = {
            "fm": (lambda: connect_serial(f"{DIRECTORY}/fm.sock"), GET_DCD_INFO, b"", FM_API),
            "fm-tcp": (lambda: connect_tcp(2509), GET_DCD_INFO, b"", FM_API),
            "control": (packets("control"), CREATE_BACKEND, CREATE, None),
            "host0": (packets("host0"), GET_DC_CONFIGURATION, HOST_CONFIGURATION, None),
            "host1": (packets("host1"), GET_DC_CONFIGURATION, HOST_CONFIGURATION, None),
        }
        for name, (connect, opcode, payload, kind) in attempts.items():
            with self.subTest(name):
                systemctl("stop", SERVICE)
                self.assertEqual((show("ActiveState"), main_pid()), ("inactive", 0))
                with Peer(connect()) as peer:
                    run(peer, opcode, payload, kind)
                self.assertEqual(show("ActiveState"), "active")

    def test_roles_are_those_of_the_sockets(self):
        """Each role's own command works there and nowhere else."""
        commands = {
            "fm": (INITIATE_ADD, FM_API),
            "host": (GET_DC_CONFIGURATION, None),
            "control": (CREATE_BACKEND, None),
        }
        sockets = {"fm": "fm", "host": "host1", "control": "control"}
        for socket_role, name in sockets.items():
            with Device() as device:
                for role, (opcode, kind) in commands.items():
                    options = {} if kind is None else {"kind": kind}
                    code = device.peer(name).command(opcode, timeout=20, **options).code
                    with self.subTest(socket=name, role=role):
                        self.assertEqual(code in NOT_SERVED, role != socket_role, f"{code:04x}h")

    def test_enabling_the_service_opens_no_port(self):
        systemctl("enable", SERVICE)
        try:
            units = [*SOCKETS.values(), TCP_SOCKET]
            enabled = {unit for unit in units if systemctl("is-enabled", unit, check=False) == "enabled"}
        finally:
            systemctl("disable", SERVICE, "fmapid-fm.socket", "fmapid-control.socket")
        self.assertEqual(enabled, {"fmapid-fm.socket", "fmapid-control.socket"})

    def test_tcp_is_loopback_only(self):
        listening = Path("/proc/net/tcp").read_text().split("\n")[1:]
        self.assertIn("0100007F:09CD", {line.split()[1] for line in listening if line})
        other = Path("/proc/net/tcp6").read_text().split("\n")[1:]
        self.assertEqual([line for line in other if line and line.split()[1].endswith(":09CD")], [])


class UnknownNameTest(ServiceTest):
    def test_a_socket_without_a_role_is_refused(self):
        for name in ("memory", "host2"):
            with self.subTest(name):
                self.configure("fmapid-host@1.socket", f"[Socket]\nFileDescriptorName=\nFileDescriptorName={name}\n")
                systemctl("stop", SERVICE, "fmapid-host@1.socket")
                systemctl("start", "fmapid-host@1.socket")
                systemctl("start", SERVICE, check=False)
                self.assertNotEqual(show("ActiveState"), "active")
                journal("SYSLOG_IDENTIFIER=fmapid", "PRIORITY=3", since=self.since, text=f"'{name}'")
                systemctl("stop", SERVICE)


class GroupTest(ServiceTest):
    def test_only_members_connect(self):
        sockets = {"fm": socket.SOCK_STREAM, "control": socket.SOCK_SEQPACKET, "host0": socket.SOCK_SEQPACKET}

        def reachable() -> list[str]:
            found = []
            for name, kind in sockets.items():
                with socket.socket(socket.AF_UNIX, kind) as connection:
                    try:
                        connection.connect(f"{DIRECTORY}/{name}.sock")
                        found.append(name)
                    except PermissionError:
                        pass
            return found

        cases = {(): [], ("fmapid-fm",): ["fm"], ("fmapid-control",): ["control"], ("fmapid-host",): ["host0"]}
        for groups, expected in cases.items():
            with self.subTest(groups):
                self.assertEqual(as_user(STRANGER, [STRANGER, *map(group, groups)], reachable), expected)

    def test_who_gave_a_command_is_in_the_journal(self):
        def create() -> int:
            with Peer(connect_packet(f"{DIRECTORY}/control.sock")) as peer:
                return peer.command(CREATE_BACKEND, CREATE, timeout=20).code

        self.assertEqual(as_user(STRANGER, [STRANGER + 1, group("fmapid-control")], create), SUCCESS)
        (entry,) = journal("FMAPID_OPCODE=C000h", since=self.since)
        self.assertEqual(entry["FMAPID_PEER_UID"], str(STRANGER))
        self.assertEqual(entry["FMAPID_PEER_GID"], str(STRANGER + 1))
        self.assertIn(f"uid {STRANGER}", entry["MESSAGE"])


class SandboxTest(ServiceTest):
    def test_the_process_can_do_little(self):
        with Device() as device:
            run(device.peer("fm"), IDENTIFY)
        process = Path(f"/proc/{main_pid()}")
        status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
        self.assertEqual(int(status["CapEff"], 16) | int(status["CapPrm"], 16) | int(status["CapBnd"], 16), 0)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        self.assertNotIn("0", status["Uid"].split())
        self.assertNotEqual(os.readlink(process / "ns/net"), os.readlink("/proc/self/ns/net"))
        # The last mount on a place is the one that is seen.
        mounts = (line.split()[4:6] for line in (process / "mountinfo").read_text().splitlines())
        writable = {place: options for place, options in mounts}
        writable = {place: options.split(",") for place, options in writable.items() if options.startswith("rw")}
        own = {"/var/lib/fmapid", "/tmp", "/var/tmp"}
        self.assertEqual(set(writable) - {"/proc", "/dev/pts", "/dev/hugepages"}, own)
        for place in own:
            self.assertIn("noexec", writable[place])

    def test_files_elsewhere_need_a_drop_in(self):
        directory = Path("/srv/fmapid")
        directory.mkdir()
        self.addCleanup(shutil.rmtree, directory)
        shutil.chown(directory, "fmapid")
        with Device() as device:
            with self.assertRaises(Refused):
                device.create(new_tag(), FILE, f"{directory}/backend")
            device.forget()
            self.configure(SERVICE, (DROP_INS / "backend-directory.conf").read_text())
            systemctl("restart", SERVICE)
            device.create(new_tag(), FILE, f"{directory}/backend")
        self.assertEqual((directory / "backend").stat().st_size, SIZE)

    def test_a_listener_of_its_own_on_tcp_needs_a_drop_in(self):
        listener = '[[listener]]\nname = "far"\nrole = "fm"\nbinding = "serial"\naddress = "tcp:127.0.0.1:2600"\n'
        self.write_configuration(CONFIGURATION.read_text() + listener)
        systemctl("restart", SERVICE, check=False)
        self.assertNotEqual(show("ActiveState"), "active")
        self.configure(SERVICE, (DROP_INS / "tcp-listener.conf").read_text())
        systemctl("restart", SERVICE)
        with Peer(connect_tcp(2600)) as peer:
            run(peer, IDENTIFY)


if __name__ == "__main__":
    unittest.main()
