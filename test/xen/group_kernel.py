"""Lets this computer's kernel route packets of domUs under the rules of their security groups.

A request builds a router in a network namespace of its own: devices whose far ends lie in a second
namespace, and phases, each of which are rules and frames that enter by a device. The answer is the
table after each phase, with its counters.
"""

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
    transmit,
    wait_until_running,
    write,
)

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
                transmit(sender, bytes.fromhex(frame), name)
            saved.append(run(SAVE))
        return {"saved": saved}
    finally:
        sender.close()
        ends.close()
        router.close()


stay_on_processor()
serve(answer)
