"""Plays packets through this computer's kernel, one at a time, and reads its connections after each.

Each request is a line of JSON on standard input, each answer a line on standard output; routers are
built as the router's oracle builds them.
"""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
from kernel import Ends, World, jiffies, now, run, wait_until  # noqa: E402

ETHERTYPE = bytes.fromhex("0800")


class FlowWorld(World):
    """A router with iptables rules."""

    def build(self, request):
        super().build(request)
        run(["iptables-restore"], request["iptables"])
        self.macs = {
            one["name"]: bytes.fromhex(one["mac"].replace(":", "")) for one in request["interfaces"]
        }

    def play_packets(self, packets):
        """Send each IP packet when its wait is over; say what left and which entries there are."""
        steps = []
        for packet in packets:
            wait_until(now() + packet["wait"] * 1000)
            interface = packet["interface"]
            frame = self.macs[interface] + bytes.fromhex("020000000099") + ETHERTYPE
            frame += bytes.fromhex(packet["octets"])
            sent = now()
            self.ends.sender.sendto(frame, (self.far[interface], 0))
            steps.append({
                "sent": sent // 1000,
                "received": self.received(),
                "listed": now() // 1000,
                "entries": listed(),
            })
        done = subprocess.run(["conntrack", "-L"], capture_output=True, text=True, check=True)
        return {"steps": steps, "lines": done.stdout.splitlines()}

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


def answer(ends, request):
    world = FlowWorld(ends, request)
    try:
        return world.play_packets(request["packets"])
    finally:
        world.close()


def main():
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    ends = Ends()
    print(json.dumps({"jiffies": jiffies()}), flush=True)
    for line in sys.stdin:
        try:
            result = answer(ends, json.loads(line))
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            result = {"error": str(error)}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
