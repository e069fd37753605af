"""Lets this computer's kernel forward large TCP segments and cut them by its software segmentation.

A request is a large frame for the router's first device, in hexadecimal, and the payload octets of
each segment; the answer is what left by either device. The router has no offloads on its second
device, whose MTU is the one argument.
"""

import os
import select
import socket
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
from namespaces import (  # noqa: E402
    Namespace,
    batch,
    serve,
    stay_on_processor,
    switch_offloads_off,
    transmit,
    write,
)

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_VNET_HDR = 15
PACKET_IGNORE_OUTGOING = 23
NEEDS_CSUM, GSO_TCPV4 = 1, 1
# Old kernels have one for all namespaces.
MESSAGES_A_SECOND = "/proc/sys/net/ipv4/icmp_msgs_per_sec"


def open_end(name):
    end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    end.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
    end.bind((name, 0))
    return end


def drain(end, milliseconds):
    frames = []
    while select.select([end], [], [], milliseconds / 1000)[0]:
        frames.append(end.recv(70000).hex())
        milliseconds = 0
    return frames


def main():
    stay_on_processor()
    mtu = sys.argv[1]
    ends = Namespace()
    router = Namespace()
    for name in ("all", "default"):
        write(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "0")
    write("/proc/sys/net/ipv4/ip_forward", "1")
    write("/proc/sys/net/ipv4/icmp_ratelimit", "0")
    if os.path.exists(MESSAGES_A_SECOND):
        write(MESSAGES_A_SECOND, "1000000")
    batch(
        [
            f"link add near address 02:00:00:00:00:01 type veth peer name nearend netns {ends.path}",
            f"link add far address 02:00:00:00:00:02 type veth peer name farend netns {ends.path}",
            f"link set far mtu {mtu}",
            "link set near up",
            "link set far up",
            "addr add 10.0.0.1/24 dev near",
            "addr add 10.0.1.1/24 dev far",
            "neigh add 10.0.0.2 lladdr 02:00:00:00:00:0a dev near",
            "neigh add 10.0.1.2 lladdr 02:00:00:00:00:0b dev far",
        ]
    )
    switch_offloads_off("far")
    ends.enter()
    batch(["link set nearend up", "link set farend up"])
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sender.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    near, far = open_end("nearend"), open_end("farend")
    drain(near, 200)
    drain(far, 1)

    def answer(request):
        frame = bytes.fromhex(request["frame"])
        transport = 14 + (frame[14] & 15) * 4
        size = request["segmentSize"]
        headers = transport + (frame[transport + 12] >> 4) * 4
        head = struct.pack(
            "BBHHHH", NEEDS_CSUM, GSO_TCPV4 if size else 0, headers, size, transport, 16
        )
        transmit(sender, head + frame, "nearend")
        return {"far": drain(far, 20), "near": drain(near, 0)}

    serve(answer)


main()
