"""Plays packets through this computer's kernel, one at a time, and reads its connections after each.

Routers are built as the router's oracle builds them.
"""

import json
import os
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
from kernel import NETLINK_NETFILTER, Ends, World  # noqa: E402
from namespaces import (  # noqa: E402
    jiffies,
    now,
    run,
    serve,
    stay_on_processor,
    transmit,
    wait_until,
)

ETHERTYPE = bytes.fromhex("0800")
NLM_F_REQUEST = 1
# Messages of NFNL_SUBSYS_QUEUE.
QUEUE_PACKET = 0x0300
QUEUE_VERDICT = 0x0301
QUEUE_CONFIG = 0x0302
NFQA_CFG_CMD = 1
NFQNL_CFG_CMD_BIND = 1
NFQA_CFG_PARAMS = 2
NFQNL_COPY_META = 1
NFQA_VERDICT_HDR = 2
NF_ACCEPT = 1


class Queue:
    """What `-j NFQUEUE` holds back in this thread's network namespace."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.bind((0, 0))
        self.socket.setblocking(False)
        self.send(QUEUE_CONFIG, NFQA_CFG_CMD, struct.pack(">BxH", NFQNL_CFG_CMD_BIND, 0))
        self.send(QUEUE_CONFIG, NFQA_CFG_PARAMS, struct.pack(">IBxxx", 0, NFQNL_COPY_META))
        self.held = []

    def send(self, kind, attribute, payload):
        body = struct.pack("BBH", 0, 0, 0) + struct.pack("HH", 4 + len(payload), attribute) + payload
        head = struct.pack("IHHII", 16 + len(body), kind, NLM_F_REQUEST, 0, 0)
        self.socket.send(head + body)

    def collect(self):
        """Note the packets that came since the last call."""
        while True:
            try:
                octets = self.socket.recv(65536)
            except BlockingIOError:
                return
            if struct.unpack_from("H", octets, 4)[0] == QUEUE_PACKET:
                self.held.append(struct.unpack_from(">I", octets, 24)[0])

    def release(self, index):
        """Let a packet go on; the oldest is number 0. Nothing happens if there is none."""
        self.collect()
        if index < len(self.held):
            verdict = struct.pack(">II", NF_ACCEPT, self.held.pop(index))
            self.send(QUEUE_VERDICT, NFQA_VERDICT_HDR, verdict)

    def close(self):
        self.socket.close()


class FlowWorld(World):
    """A router with iptables rules."""

    def build(self, request):
        super().build(request)
        run(["iptables-restore"], request["iptables"])
        self.queue = Queue() if "NFQUEUE" in request["iptables"] else None
        self.macs = {
            one["name"]: bytes.fromhex(one["mac"].replace(":", "")) for one in request["interfaces"]
        }

    def act(self, packet):
        """Send an IP packet, or let one go that is held back; when that began."""
        if "release" in packet:
            began = now()
            self.queue.release(packet["release"])
            return began
        interface = packet["interface"]
        frame = self.macs[interface] + bytes.fromhex("020000000099") + ETHERTYPE
        frame += bytes.fromhex(packet["octets"])
        return transmit(self.ends.sender, frame, self.far[interface])

    def play_packets(self, packets):
        """Do each thing when its wait is over; say what left and which entries there are."""
        steps = []
        for packet in packets:
            wait_until(now() + packet["wait"] * 1000)
            sent = self.act(packet)
            received = self.received()
            before = now()
            entries = listed()
            steps.append({
                "sent": sent // 1000,
                "received": received,
                "listed": before // 1000,
                "entries": entries,
                "took": (now() - before) // 1000,
            })
        before = now()
        lines = run(["conntrack", "-L"]).splitlines()
        return {"steps": steps, "lines": lines, "took": (now() - before) // 1000}

    def close(self):
        if self.queue is not None:
            self.queue.close()
        super().close()

    def received(self):
        """All IP packets that left since the last call, each with its interface."""
        packets = []
        while True:
            try:
                octets, address = self.ends.receiver.recvfrom(70000)
            except BlockingIOError:
                return packets
            interface = self.near.get(address[0])
            if interface is not None:
                packets.append([interface, octets[14:].hex()])


def listed():
    with open("/proc/thread-self/net/nf_conntrack", encoding="ascii") as file:
        return [" ".join(line.split()[2:]) for line in file]


def main():
    stay_on_processor()
    ends = Ends()

    def answer(request):
        world = FlowWorld(ends, request)
        try:
            return world.play_packets(request["packets"])
        finally:
            world.close()

    print(json.dumps({"jiffies": jiffies()}), flush=True)
    serve(answer)


main()
