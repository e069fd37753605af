"""Lets this computer's kernel forward large TCP segments and cut them by its software segmentation.

Each request is a line of JSON on standard input, each answer a line on standard output. A request is
a large frame for the router's first device, in hexadecimal, and the payload octets of each segment;
the answer is what left by either device. The router has no offloads on its second device, whose MTU
is the one argument. Both namespaces are held by this process alone.
"""

import array
import ctypes
import errno
import fcntl
import json
import os
import select
import socket
import struct
import subprocess
import sys

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_VNET_HDR = 15
PACKET_IGNORE_OUTGOING = 23
NEEDS_CSUM, GSO_TCPV4 = 1, 1
SIOCETHTOOL = 0x8946
# ETHTOOL_SRXCSUM, STXCSUM, SSG, STSO, SGSO, SGRO
OFFLOADS = (0x15, 0x17, 0x19, 0x1F, 0x24, 0x2C)
LIBC = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def write(name, value):
    path = f"/proc/sys/net/{name}"
    if os.path.exists(path):
        with open(path, "w", encoding="ascii") as file:
            file.write(str(value))


class Namespace:
    """A fresh network namespace, IPv6 off, gone when closed."""

    def __init__(self):
        check(LIBC.unshare(CLONE_NEWNET))
        self.descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        for which in ("all", "default"):
            write(f"ipv6/conf/{which}/disable_ipv6", 1)
            write(f"ipv4/conf/{which}/rp_filter", 0)

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    def enter(self):
        check(LIBC.setns(self.descriptor, CLONE_NEWNET))


def batch(lines):
    text = "".join(f"{line}\n" for line in lines)
    subprocess.run(["ip", "-batch", "-"], input=text, check=True, text=True, timeout=20)


def switch_offloads_off(name):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in OFFLOADS:
            value = array.array("B", struct.pack("II", command, 0))
            request = struct.pack("16sP16x", name.encode(), value.buffer_info()[0])
            try:
                fcntl.ioctl(control, SIOCETHTOOL, request)
            except OSError as error:
                if error.errno != errno.EOPNOTSUPP:
                    raise


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
    # One processor: what a frame causes has then happened when its sending returns.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    mtu = sys.argv[1]
    ends = Namespace()
    router = Namespace()
    write("ipv4/ip_forward", 1)
    write("ipv4/icmp_ratelimit", 0)
    write("ipv4/icmp_msgs_per_sec", 1000000)
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
    sender.bind(("nearend", 0))
    near, far = open_end("nearend"), open_end("farend")
    drain(near, 200)
    drain(far, 1)
    for line in sys.stdin:
        try:
            request = json.loads(line)
            frame = bytes.fromhex(request["frame"])
            transport = 14 + (frame[14] & 15) * 4
            size = request["segmentSize"]
            headers = transport + (frame[transport + 12] >> 4) * 4
            head = struct.pack(
                "BBHHHH", NEEDS_CSUM, GSO_TCPV4 if size else 0, headers, size, transport, 16
            )
            sender.send(head + frame)
            result = {"far": drain(far, 20), "near": drain(near, 0)}
        except (OSError, ValueError) as error:
            result = {"error": str(error)}
        print(json.dumps(result), flush=True)


main()
