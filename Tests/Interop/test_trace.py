"""fmapictl trace: what it shows and captures is what peers sent and received."""

import contextlib
import json
import os
import re
import signal
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from daemon import PATIENCE, needs_program
from fmapid_peer import FM_API, Peer, encode_command
from mctp import Message
from tool import GIB, MIB, TOOL, Device


class Recorder:
    """Notes the packets that a peer sends and receives."""

    def __init__(self, peer: Peer) -> None:
        self.packets: list[tuple[int, bytes]] = []
        link = peer.link
        send, receive = link.send_packet, link._receive_packets

        def noting_send(packet: bytes) -> None:
            self.packets.append((0, bytes(packet)))
            send(packet)

        def noting_receive(deadline: float):
            packets = receive(deadline)
            self.packets += [(4, bytes(packet)) for packet, _ in packets]
            return packets

        link.send_packet, link._receive_packets = noting_send, noting_receive


def read_capture(data: bytes) -> list[tuple[int, int, bytes]]:
    """Interface, packet type and MCTP packet of each record of a pcap file with link type LINUX_SLL2."""
    magic, major, minor, _, _, _, kind = struct.unpack_from("<IHHIIII", data)
    assert (magic, major, minor, kind) == (0xA1B23C4D, 2, 4, 276), (hex(magic), major, minor, kind)
    records, position, before = [], 24, 0
    while position < len(data):
        seconds, nanoseconds, captured, length = struct.unpack_from("<IIII", data, position)
        assert captured == length and nanoseconds < 1_000_000_000
        protocol, reserved, interface, hardware, packet_type, address = struct.unpack_from(">HHIHBB", data, position + 16)
        assert (protocol, reserved, hardware, address) == (0x00FA, 0, 290, 0)
        moment = seconds * 1_000_000_000 + nanoseconds
        assert before <= moment <= time.time_ns() and moment > time.time_ns() - 600 * 1_000_000_000
        before = moment
        records.append((interface, packet_type, data[position + 36 : position + 16 + length]))
        position += 16 + length
    return records


@contextlib.contextmanager
def flood(path: Path):
    """Requests on eight links, as fast as they are answered."""
    with tempfile.TemporaryDirectory() as directory:
        attacker = f"{directory}/attacker"
        subprocess.run(["cc", "-O2", "-o", attacker, Path(__file__).with_name("attacker.c")], check=True)
        packet = "010908c808" + encode_command(0x0001, b"", 1).hex()
        process = subprocess.Popen([attacker, "flood", "seqpacket", str(path), "8", packet], stdout=subprocess.PIPE)
        try:
            process.stdout.readline()  # its links are there
            yield
        finally:
            process.terminate()
            process.communicate(timeout=PATIENCE)


class TraceTest(unittest.TestCase):
    def start(self, device: Device, *arguments: str, **options) -> subprocess.Popen:
        """A trace that is open: its link is there, and it has been answered."""
        trace = subprocess.Popen(
            [TOOL, "trace", *arguments], env=device.environment, **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        )
        deadline = time.monotonic() + PATIENCE
        while not self.is_open(device, trace):
            self.assertLess(time.monotonic(), deadline)
        return trace

    def is_open(self, device: Device, trace: subprocess.Popen) -> bool:
        links = json.loads(device.run("links", "--json"))["links"]
        return any(link["pid"] == trace.pid and link["commands"] > 0 for link in links)

    def stop(self, trace: subprocess.Popen) -> bytes:
        trace.send_signal(signal.SIGINT)
        output, errors = trace.communicate(timeout=PATIENCE)
        self.assertEqual(trace.returncode, 0, errors)
        return output

    def test_capture(self):
        """To a file and to standard output: every packet of every link, in order, byte for byte."""
        with Device() as device:
            path = device.daemon.path / "trace.pcap"
            recorders = {"fm": Recorder(device.fm), "control": Recorder(device.control), "host": Recorder(device.hosts[0])}
            to_file = self.start(device, "--pcap", str(path))
            to_output = self.start(device, "--pcap", "-", "--role", "fm")
            device.work()
            # Longer than a serial packet, both ways; and bytes that the serial binding escapes.
            device.fm.command(0x5603, struct.pack("<HHII", 0, 0, 50, 0), kind=FM_API)
            device.fm.command(0x7E7D, bytes([0x7E, 0x7D]) * 100)
            output = self.stop(to_output)
            self.stop(to_file)
            captured = read_capture(path.read_bytes())
            for recorder in recorders.values():
                mine = [interface for interface, _, packet in captured if recorder.packets[0][1] == packet]
                self.assertTrue(mine)
                found = [(kind, packet) for interface, kind, packet in captured if interface == mine[0]]
                self.assertEqual(found, recorder.packets)
            fm = [(kind, packet) for _, kind, packet in read_capture(output)]
            self.assertEqual(fm, recorders["fm"].packets)

    def test_nothing_is_left_out_at_the_end(self):
        """What passed before the signal is captured, however late the tool gets to it."""
        with Device() as device:
            trace = self.start(device, "--pcap", "-", "--role", "fm")
            recorder = Recorder(device.fm)
            trace.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, trace.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            device.work()
            trace.send_signal(signal.SIGINT)
            trace.send_signal(signal.SIGCONT)
            output, errors = trace.communicate(timeout=PATIENCE)
            self.assertEqual(trace.returncode, 0, errors)
            self.assertEqual([(kind, packet) for _, kind, packet in read_capture(output)], recorder.packets)

    @needs_program("cc")
    def test_ends_in_a_flood(self):
        """Packets that come faster than they are shown leave no moment to wait for the signal in."""
        with Device() as device, flood(device.daemon.path / "host0.sock"):
            path = device.daemon.path / "trace"
            with path.open("wb") as output:
                trace = self.start(device, "--fields", "--hex", "--role", "host0", stdout=output)
            deadline = time.monotonic() + PATIENCE
            while path.stat().st_size < MIB:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
            trace.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, trace.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            size = path.stat().st_size
            trace.send_signal(signal.SIGINT)
            trace.send_signal(signal.SIGCONT)
            trace.communicate(timeout=PATIENCE)
            late = path.read_bytes()[size:].count(b" 0001h ")
            self.assertLess(late, 4096 + 64 + 100, "4,096 are still taken, after a look each 64; some wait to be written")

            path = device.daemon.path / "trace.pcap"
            trace = self.start(device, "--pcap", str(path), "--role", "host0")
            trace.send_signal(signal.SIGINT)
            _, errors = trace.communicate(timeout=PATIENCE)
            self.assertEqual(errors.decode(), f"wrote {len(read_capture(path.read_bytes()))} packets to {path}\n")

    @needs_program("tshark")
    def test_capture_opens(self):
        with Device() as device:
            path = device.daemon.path / "trace.pcap"
            trace = self.start(device, "--pcap", str(path), "--role", "host0")
            device.work()
            self.stop(trace)
            fields = ["-T", "fields", "-e", "sll.etype", "-e", "sll.ltype", "-e", "sll.pkttype"]
            done = subprocess.run(["tshark", "-r", path, *fields], capture_output=True, text=True, timeout=60, check=True)
            rows = done.stdout.splitlines()
            self.assertEqual(len(rows), 4)
            self.assertTrue(all("0x00fa" in row for row in rows), rows)

    def test_lines(self):
        with Device() as device:
            trace = self.start(device, "--count", "6", "--role", "fm", text=True)
            device.create(1, GIB)
            device.fm.command(0x5604, struct.pack("<HBBQ", 0, 0, 0, 2 * MIB) + bytes([17]) * 16 + bytes(4), kind=FM_API)
            device.add(0, 0, GIB, 1)
            device.fm.control(2)
            output, errors = trace.communicate(timeout=PATIENCE)
            self.assertEqual((trace.returncode, errors), (0, ""))
            tag = "11111111-1111-1111-1111-111111111111"
            self.assertEqual(
                [re.sub(r" +[\d.]+ (µs|ms|s)(?=  |$)", "", line.split(maxsplit=3)[3]) for line in output.splitlines()],
                [
                    f"→ 5604h Initiate Dynamic Capacity Add  host 0, policy free, region 0, length 2 MiB, tag {tag}",
                    "← 5604h Invalid Extent List (001Eh): the length is not the backend's size",
                    f"→ 5604h Initiate Dynamic Capacity Add  host 0, policy prescriptive, extent 1 GiB at 0x0, tag {tag}",
                    "← 5604h Success",
                    "→ MCTP Get Endpoint ID",
                    "← MCTP Success  data 090000",
                ],
            )

    def test_documents_and_one_link(self):
        with Device() as device:
            links = json.loads(device.run("links", "--json"))["links"]
            (number,) = [link["link"] for link in links if link["role"] == "host 1"]
            trace = self.start(device, "--link", str(number), "--json", "--count", "2")
            device.work()
            output, _ = trace.communicate(timeout=PATIENCE)
            request, answer = [json.loads(line) for line in output.splitlines()]
            self.assertEqual((request["kind"], answer["kind"]), ("request", "answer"))
            self.assertEqual(request["command"], "4802h Add Dynamic Capacity Response")
            self.assertEqual(request["fields"]["extents"], [{"start": GIB, "length": 2 * MIB}])
            self.assertEqual(answer["outcome"], "Success")
            self.assertEqual((request["link"], request["direction"], answer["direction"]), (number, "to", "from"))

    def test_what_is_dropped(self):
        """A request to an endpoint that is not there, which looks like any other but for that."""
        with Device() as device:
            trace = self.start(device, "--role", "fm", "--json", "--count", "3")
            device.fm.link.send(Message(destination=77, source=8, type=8, body=encode_command(1, b"", 5)))
            device.fm.command(1)
            output, _ = trace.communicate(timeout=PATIENCE)
            dropped, request, answer = [json.loads(line) for line in output.splitlines()]
            self.assertEqual((dropped["dropped"], dropped["kind"], dropped["destination"]), (True, "other", 77))
            found = [(message["dropped"], message["kind"]) for message in (request, answer)]
            self.assertEqual(found, [(False, "request"), (False, "answer")])

    def test_ends(self):
        """There is no such link; and the service ends."""
        with Device() as device:
            done = subprocess.run(
                [TOOL, "trace", "--link", "999"], env=device.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
            )
            self.assertEqual(done.returncode, 1)
            self.assertIn("there is no such link", done.stderr)
            trace = self.start(device)
            device.daemon.stop()
            _, errors = trace.communicate(timeout=PATIENCE)
            self.assertEqual(trace.returncode, 3)
            self.assertIn(b"the service ended the trace", errors)


if __name__ == "__main__":
    unittest.main()
