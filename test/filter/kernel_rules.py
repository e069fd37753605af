"""Lets this computer's kernel read rules, judge frames by them and print them again.

All happens in a network namespace with one device, whose far end lies in a second namespace.
"""

import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
from namespaces import (  # noqa: E402
    RESTORE,
    Namespace,
    batch,
    run,
    serve,
    stay_on_processor,
    switch_offloads_off,
    transmit,
    wait_until_running,
)


def prepare(name):
    """Switch offloads off and wait until the device runs."""
    switch_offloads_off(name)
    wait_until_running(name)


class KernelLog:
    """The kernel's log from now on."""

    def __init__(self, is_read):
        self.file = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK) if is_read else None
        if is_read:
            os.lseek(self.file, 0, os.SEEK_END)

    def lines(self, beginning):
        found = []
        while self.file is not None:
            try:
                record = os.read(self.file, 8192).decode("utf-8", "replace")
            except BlockingIOError:
                os.close(self.file)
                self.file = None
                continue
            text = record.split(";", 1)[1].split("\n", 1)[0]
            if text.startswith(beginning):
                found.append(text)
        return found


class Kernel:
    """A namespace with one device, and its far end in another."""

    def __init__(self, device):
        self.ends = Namespace()
        self.sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.router = Namespace()
        lines = [
            f"link add {device['name']} address {device['mac']} type veth"
            f" peer name far netns {self.ends.path}",
            f"link set {device['name']} up",
        ]
        batch(lines)
        self.ends.enter()
        run(["ip", "link", "set", "far", "up"])
        prepare("far")
        self.router.enter()
        prepare(device["name"])

    def answer(self, request):
        table = request["table"]
        try:
            run([*RESTORE, "-c"], request["text"])
            log = KernelLog(is_read=request["logPrefix"] != "")
            for frame in request["frames"]:
                transmit(self.sender, bytes.fromhex(frame), "far")
            counters = ["-c"] if request["frames"] else []
            saved = run(["iptables-legacy-save", "-t", table, *counters])
            return {"saved": saved, "logged": log.lines(request["logPrefix"])}
        finally:
            policies = "".join(f":{chain} ACCEPT\n" for chain in request["chains"])
            run(RESTORE, f"*{table}\n{policies}COMMIT\n")


def main():
    stay_on_processor()
    serve(Kernel(json.loads(sys.argv[1])).answer)


if __name__ == "__main__":
    main()
