"""pymctp 0.4.0, an independent MCTP implementation, as bus owner over a pseudoterminal that the service makes."""

import importlib.util
import io
import logging
import os
import struct
import tty
import unittest
from contextlib import redirect_stdout

from daemon import PATIENCE, Daemon
from fmapid_peer import CCI, CONTROL, encode_command
from mctp import FrameDecoder, Message, encode_frame, fragments

if importlib.util.find_spec("pymctp") is None:
    raise unittest.SkipTest("pymctp is not installed: pip install --require-hashes -r Tests/Interop/requirements.txt")

from pymctp.automaton.sessions import EndpointSession
from pymctp.compliance.base import ComplianceResult, ComplianceTestSuite, get_tests_for_suite
from pymctp.compliance import mctp_base  # noqa: F401  (registers its tests)
from pymctp.exerciser import TTYSerialSocket
from pymctp.layers import UartTransport
from pymctp.layers.mctp import EndpointContext, Smbus7bitAddress, TransportHdr
from pymctp.layers.mctp.control import (
    ControlHdrPacket,
    GetEndpointID,
    GetEndpointIDResponsePacket,
    GetEndpointUUID,
    GetEndpointUUIDResponsePacket,
    GetMctpVersionSupport,
    GetMctpVersionSupportResponsePacket,
    GetMessageTypeSupport,
    GetMessageTypeSupportResponsePacket,
    SetEndpointID,
    SetEndpointIDOperation,
    SetEndpointIDResponsePacket,
)
from pymctp.layers.mctp.types import MsgTypes
from scapy.config import conf
from scapy.packet import Raw

conf.verb = 0

BUS_OWNER, DEVICE = 8, 20

# Tests of pymctp 0.4.0 that no endpoint can pass: they read `msg_types` and `version_count`, while the packets' fields
# are `msg_type_list` and `version_number_entry_count` (compliance/mctp_base.py).
IMPOSSIBLE = {
    "GetMessageTypeSupport includes CTRL (0x00)": "msg_types",
    "GetMCTPVersionSupport returns at least one version": "version_count",
}


def session(device: str) -> EndpointSession:
    context = EndpointContext(
        physical_address=Smbus7bitAddress(0x10), assigned_eid=BUS_OWNER, supported_msg_types=[MsgTypes.CTRL]
    )
    return EndpointSession(context=context, socket=TTYSerialSocket(tty=device, dump_hex=False))


class FramingTest(unittest.TestCase):
    """Both framings on the same packets, without the service."""

    def test_both_encode_the_same(self):
        for length in (0, 1, 7, 30, 63):
            for first in range(0, 256, 9):
                body = bytes((first + index) % 256 for index in range(length))
                message = Message(destination=9, source=8, type=CCI, body=body, tag=5)
                (packet,) = fragments(message, 64)
                theirs = UartTransport(load=TransportHdr(dst=9, src=8, tag=5, msg_type=CCI) / Raw(body))
                self.assertEqual(self.written(theirs), encode_frame(packet), body.hex(" "))

    def test_ours_decodes_theirs(self):
        request = TransportHdr(dst=9, src=8, tag=1, msg_type=CONTROL) / Raw(bytes.fromhex("81 02"))
        self.assertEqual(FrameDecoder().feed(self.written(UartTransport(load=request))), [bytes(request)])

    @staticmethod
    def written(packet) -> bytes:
        """What pymctp puts on the wire: it escapes when it sends, not when it builds."""
        master, slave = os.openpty()
        try:
            tty.setraw(slave)
            sender = TTYSerialSocket(tty=os.ttyname(slave), dump_hex=False)
            try:
                sender.send(packet)
                written = os.read(master, 1024)
                while not FrameDecoder().feed(written):
                    written += os.read(master, 1024)
                return written
            finally:
                sender.close()
        finally:
            os.close(master)
            os.close(slave)


class BusOwnerTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        daemon = Daemon("--listen", "fm=fm,serial,pty:{dir}/tty", "--eid", "9")
        cls.addClassCleanup(daemon.__exit__, None)
        cls.session = session(daemon.wait_for("tty"))
        cls.addClassCleanup(cls.session.socket.close)
        # EID 0 is whoever is at the other end, before it has an address.
        cls.assigned = cls.control(SetEndpointID(op=SetEndpointIDOperation.SetEID, eid=DEVICE), 0)

    @classmethod
    def control(cls, request, target=DEVICE):
        with redirect_stdout(io.StringIO()) as said:
            answer = cls.session.sndrcv_control_msg(request, target, timeout_s=PATIENCE)
        if answer is None:
            raise AssertionError(f"no answer; pymctp says: {said.getvalue()}")
        return answer

    def completed(self, answer, layer):
        self.assertEqual(answer.getlayer(ControlHdrPacket).completion_code, 0)
        found = answer.getlayer(layer)
        self.assertIsNotNone(found, answer.summary())
        return found

    def test_set_endpoint_id(self):
        answer = self.completed(self.assigned, SetEndpointIDResponsePacket)
        self.assertEqual((answer.eid_assignment_status, answer.eid_setting, answer.eid_pool_size), (0, DEVICE, 0))
        self.assertEqual(self.assigned.load.src, DEVICE)

    def test_get_endpoint_id(self):
        answer = self.completed(self.control(GetEndpointID()), GetEndpointIDResponsePacket)
        self.assertEqual((answer.eid, answer.endpoint_type), (DEVICE, 0))

    def test_get_uuid(self):
        first = self.completed(self.control(GetEndpointUUID()), GetEndpointUUIDResponsePacket).uuid
        self.assertNotEqual(first.int, 0)
        self.assertEqual(self.completed(self.control(GetEndpointUUID()), GetEndpointUUIDResponsePacket).uuid, first)

    def test_get_version(self):
        for kind in (0xFF, CONTROL):
            answer = self.completed(
                self.control(GetMctpVersionSupport(msg_type_number=kind)), GetMctpVersionSupportResponsePacket
            )
            self.assertGreaterEqual(len(answer.version_number_list), 1)
            self.assertEqual(len(answer.version_number_list), answer.version_number_entry_count)

    def test_version_of_an_unknown_type(self):
        answer = self.control(GetMctpVersionSupport(msg_type_number=0x42))
        self.assertEqual(answer.getlayer(ControlHdrPacket).completion_code, 0x80)

    def test_get_message_types(self):
        answer = self.completed(self.control(GetMessageTypeSupport()), GetMessageTypeSupportResponsePacket)
        self.assertLessEqual({MsgTypes.CXL_FM_API, MsgTypes.CXL_CCI}, set(answer.msg_type_list))

    def test_identify(self):
        with redirect_stdout(io.StringIO()):
            answer = self.session.sndrcv_mctp_msg(
                Raw(encode_command(0x0001, b"", 0x33)), DEVICE, msg_type=MsgTypes.CXL_CCI, timeout_s=PATIENCE
            )
        self.assertIsNotNone(answer)
        category, tag, opcode, length, high, code, _, body = struct.unpack("<BBxHHBHH18s", bytes(answer.load.payload))
        self.assertEqual((category & 15, tag, opcode, length, high, code), (1, 0x33, 0x0001, 18, 0, 0))
        # Component Type 03h: Type 3 device (CXL r3.1 table 8-36).
        self.assertEqual(body[17], 3)

    def test_compliance_suite(self):
        suite = ComplianceTestSuite(self.session, DEVICE, timeout_s=PATIENCE)
        suite.add_tests(get_tests_for_suite("mctp-base"))
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        with redirect_stdout(io.StringIO()):
            results = suite.run_all()
        self.assertGreater(len(results), len(IMPOSSIBLE))
        for result in results:
            with self.subTest(result.name):
                if result.result == ComplianceResult.FAIL and result.name in IMPOSSIBLE:
                    self.assertIn(IMPOSSIBLE[result.name], result.message)
                else:
                    self.assertEqual(result.result, ComplianceResult.PASS, result.message)


if __name__ == "__main__":
    unittest.main()
