"""Lets this computer's kernel route packets of domUs under the rules of their security groups.

Each request is a line of JSON on standard input, each answer a line on standard output. A request
builds a router in a network namespace of its own: devices whose far ends lie in a second namespace,
and phases, each of which are rules and frames that enter by a device. The answer is the table after
each phase, with its counters. Both namespaces are held by this process alone.
"""

import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
from kernel import RESTORE, Namespace, batch, run, wait_until_running, write  # noqa: E402

SAVE = ["iptables-legacy-save", "-t", "filter", "-c"]


def answer(request):
    devices = request["devices"]
    ends = Namespace()
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    router = Namespace()
    try:
        write("/proc/sys/net/ipv4/ip_forward", "1")
        for which in ("all", "default"):
            write(f"/proc/sys/net/ipv4/conf/{which}/rp_filter", "0")
        batch(
            [
                f"link add {name} address {mac} type veth peer name {name} netns {ends.path}"
                for name, mac in devices.items()
            ]
            + [f"link set {name} up" for name in devices]
        )
        ends.enter()
        batch([f"link set {name} up" for name in devices])
        for name in devices:
            wait_until_running(name)
        router.enter()
        for name in devices:
            wait_until_running(name)
        batch(request["ip"])
        saved = []
        for phase in request["phases"]:
            run(RESTORE, phase["text"])
            for name, frame in phase["frames"]:
                sender.sendto(bytes.fromhex(frame), (name, 0))
            saved.append(run(SAVE))
        return {"saved": saved}
    finally:
        sender.close()
        ends.close()
        router.close()


def main():
    # One processor: what a frame causes has then happened when its sending returns.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for line in sys.stdin:
        try:
            result = answer(json.loads(line))
        except (OSError, RuntimeError) as error:
            result = {"error": str(error)}
        print(json.dumps(result), flush=True)


main()
