"""systemd's socket activation: the service is started by the first connection, and each socket's name says its role.

systemd-socket-activate opens all its sockets of one kind, hence one test with streams and one with seqpacket sockets.
"""

import signal
import stat
import subprocess
import unittest

from daemon import Daemon, needs_program
from fmapid_peer import (
    FM_API,
    GET_MESSAGE_TYPES,
    SUCCESS,
    UNSUPPORTED,
    UNSUPPORTED_ON_CCI,
    Peer,
    connect_packet,
    connect_serial,
    open_terminal,
)

IDENTIFY, GET_DC_CONFIGURATION, GET_DCD_INFO, INITIATE_DC_ADD = 0x0001, 0x4800, 0x5600, 0x5604
TYPE_3_DEVICE = 3


def activated(*names: str, seqpacket: bool = False) -> Daemon:
    """systemd-socket-activate with one Unix socket for each name; it becomes fmapid with the first connection."""
    command = ["systemd-socket-activate", "-E", "SWIFT_BACKTRACE=enable=no"]
    for name in names:
        command += ["-l", "{dir}/" + name]
    command.append("--fdname=" + ":".join(names))
    if seqpacket:
        command.append("--seqpacket")
    return Daemon(before=command)


@needs_program("systemd-socket-activate")
class ActivationTest(unittest.TestCase):
    def assert_fabric_manager(self, peer: Peer) -> None:
        answer = peer.command(IDENTIFY)
        self.assertEqual((answer.code, len(answer.payload), answer.payload[17]), (SUCCESS, 18, TYPE_3_DEVICE))
        self.assertEqual(peer.command(GET_DCD_INFO, kind=FM_API).code, SUCCESS)

    def assert_host(self, peer: Peer) -> None:
        # All regions, from the first on.
        configuration = peer.command(GET_DC_CONFIGURATION, bytes([8, 0]))
        self.assertEqual((configuration.code, configuration.payload[0]), (SUCCESS, 1))
        self.assertIn(peer.command(GET_DCD_INFO, kind=FM_API).code, (UNSUPPORTED, UNSUPPORTED_ON_CCI))

    def test_stream_sockets(self):
        with activated("fm", "host1") as daemon:
            with daemon.peer(connect_serial, "fm") as manager:
                self.assert_fabric_manager(manager)
            with daemon.peer(connect_serial, "host1") as host:
                self.assert_host(host)
            self.assertEqual(daemon.stop(), 0)
            # The sockets' files are systemd's.
            self.assertTrue(stat.S_ISSOCK((daemon.path / "fm").stat().st_mode))

    def test_seqpacket_sockets(self):
        with activated("host0", "host-1", "control", "fm-local", seqpacket=True) as daemon:
            with daemon.peer(connect_packet, "host0") as host:
                self.assert_host(host)
            with daemon.peer(connect_packet, "host-1") as host:
                self.assert_host(host)
            with daemon.peer(connect_packet, "fm-local") as manager:
                self.assert_fabric_manager(manager)
            with daemon.peer(connect_packet, "control") as control:
                completion, types, _ = control.control(GET_MESSAGE_TYPES)
                self.assertEqual((completion, types[0]), (0, len(types) - 1))
                # It may look, but not hand out capacity.
                self.assertEqual(control.command(GET_DCD_INFO, kind=FM_API).code, SUCCESS)
                self.assertIn(control.command(INITIATE_DC_ADD, kind=FM_API).code, (UNSUPPORTED, UNSUPPORTED_ON_CCI))
            self.assertEqual(daemon.stop(), 0)

    def test_nothing_runs_before_the_first_connection(self):
        with activated("fm") as daemon:
            daemon.wait_for("fm")
            self.assertIn("socket-activate", self.program(daemon))
            with daemon.peer(connect_serial, "fm") as peer:
                self.assert_fabric_manager(peer)
            self.assertNotIn("socket-activate", self.program(daemon))

    def test_names_without_a_role_are_refused(self):
        for name in ("memory", "host2", "hostile"):
            with self.subTest(name), activated(name) as daemon:
                with self.assertRaises((ConnectionError, TimeoutError)):
                    with daemon.peer(connect_serial, name) as peer:
                        peer.command(IDENTIFY, timeout=20)
                self.assertNotIn(daemon.wait(), (0, -signal.SIGILL, -signal.SIGTRAP, -signal.SIGSEGV))
                self.assertIn(name, daemon.log())

    @staticmethod
    def program(daemon: Daemon) -> str:
        with open(f"/proc/{daemon.process.pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")[0].decode()


@needs_program("socat")
class SocatTest(unittest.TestCase):
    def test_terminal_to_socket(self):
        """A terminal program reaches a Unix socket through socat, byte for byte."""
        with Daemon("--listen", "fm=fm,serial,unix:{dir}/fm") as daemon:
            socket = daemon.wait_for("fm")
            with subprocess.Popen(["socat", f"PTY,link={daemon.path}/tty,rawer", f"UNIX-CONNECT:{socket}"]) as socat:
                try:
                    with daemon.peer(open_terminal, "tty") as peer:
                        answer = peer.command(IDENTIFY)
                        self.assertEqual((answer.code, answer.payload[17]), (SUCCESS, TYPE_3_DEVICE))
                finally:
                    socat.terminate()


if __name__ == "__main__":
    unittest.main()
