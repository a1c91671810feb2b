#!/usr/bin/env python3
"""Plugs a file's memory as a DIMM into a running QEMU, and prints bytes of it as the guest sees them.

    hotplug.py QMP-SOCKET PATH MEBIBYTES OFFSET LENGTH
"""

import json
import os
import socket
import sys
import tempfile
import time


class Machine:
    """A QEMU by its QMP socket (https://www.qemu.org/docs/master/interop/qmp-spec.html)."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        for _ in range(200):
            try:
                self.socket.connect(path)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                time.sleep(0.05)
        self.lines = self.socket.makefile("r")
        self.lines.readline()
        self.run("qmp_capabilities")

    def run(self, command, **arguments):
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        for line in self.lines:
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                sys.exit(f"hotplug.py: {command}: {answer['error']['desc']}")
        sys.exit(f"hotplug.py: QEMU ended at {command}")


def main():
    socket_path, path, mebibytes, offset, length = sys.argv[1:]
    machine = Machine(socket_path)
    size = int(mebibytes) << 20
    memory = {"qom-type": "memory-backend-file", "id": "extent", "size": size, "mem-path": path, "share": True}
    machine.run("object-add", **memory)
    machine.run("device_add", driver="pc-dimm", id="dimm", memdev="extent")
    (dimm,) = [device["data"] for device in machine.run("query-memory-devices") if device["type"] == "dimm"]
    with tempfile.TemporaryDirectory() as directory:
        copy = os.path.join(directory, "copy")
        machine.run("pmemsave", val=dimm["addr"] + int(offset, 0), size=int(length), filename=copy)
        with open(copy, "rb") as file:
            print(file.read().decode(errors="replace"))


if __name__ == "__main__":
    main()
