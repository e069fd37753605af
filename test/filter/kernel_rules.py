"""Lets this computer's kernel read rules, judge frames by them and print them again.

All happens in a network namespace with one device, whose far end lies in a second namespace.
"""

import json
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
from kernel import NETLINK_NETFILTER, SO_RCVBUFFORCE, attributes  # noqa: E402
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
    write,
)

# Who hears of packets of IPv4 that are traced.
LOGGER = "/proc/sys/net/netfilter/nf_log/2"
# Messages of NFNL_SUBSYS_ULOG, their attributes and commands.
ULOG_PACKET, ULOG_CONFIG = 0x0400, 0x0401
NFULA_PREFIX, NFULA_CFG_CMD, NFULNL_CFG_CMD_BIND = 10, 1, 1


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


class Traces:
    """What TRACE says of packets of this thread's network namespace, by nfnetlink_log."""

    def __init__(self):
        write(LOGGER, "nfnetlink_log")
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.bind((0, 0))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 * 1024 * 1024)
        # struct nlmsghdr, struct nfgenmsg, and the attribute: bind to group 0.
        body = struct.pack("BBHHHBxxx", 0, 0, 0, 5, NFULA_CFG_CMD, NFULNL_CFG_CMD_BIND)
        self.socket.send(struct.pack("IHHII", 16 + len(body), ULOG_CONFIG, 1, 0, 0) + body)
        self.socket.setblocking(False)

    def lines(self):
        """The prefix of each packet that was logged."""
        found = []
        while True:
            try:
                octets = self.socket.recv(1 << 17)
            except BlockingIOError:
                break
            while len(octets) >= 20:
                length, kind = struct.unpack_from("IH", octets)
                if kind == ULOG_PACKET:
                    prefix = attributes(octets[20:length])[NFULA_PREFIX]
                    found.append(prefix.rstrip(b"\0").decode("ascii"))
                octets = octets[length + 3 & ~3 :]
        self.socket.close()
        write(LOGGER, "NONE")
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
            traces = Traces() if request.get("isTraced") else None
            log = KernelLog(is_read=traces is None and request["logPrefix"] != "")
            for frame in request["frames"]:
                transmit(self.sender, bytes.fromhex(frame), "far")
            counters = ["-c"] if request["frames"] else []
            saved = run(["iptables-legacy-save", "-t", table, *counters])
            logged = log.lines(request["logPrefix"]) if traces is None else traces.lines()
            return {"saved": saved, "logged": logged}
        finally:
            policies = "".join(f":{chain} ACCEPT\n" for chain in request["chains"])
            run(RESTORE, f"*{table}\n{policies}COMMIT\n")


def main():
    stay_on_processor()
    serve(Kernel(json.loads(sys.argv[1])).answer)


if __name__ == "__main__":
    main()
