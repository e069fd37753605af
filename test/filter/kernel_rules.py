"""Lets this computer's kernel read rules, judge frames by them and print them again.

Each request is a line of JSON on standard input, each answer a line on standard output. A request
has a network namespace of its own with one device, whose far end lies in a second namespace. Both
are held by descriptors of this process alone: whatever ends it, the kernel takes them down.
"""

import array
import ctypes
import errno
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS = 0x8913
SIOCETHTOOL = 0x8946
IFF_RUNNING = 0x40
# ETHTOOL_SRXCSUM, STXCSUM, SSG, STSO, SGSO, SGRO
OFFLOADS = (0x15, 0x17, 0x19, 0x1F, 0x24, 0x2C)
TIMEOUT_SECONDS = 20
LIBC = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Namespace:
    """A fresh network namespace, IPv6 off, gone when closed."""

    def __init__(self):
        check(LIBC.unshare(CLONE_NEWNET))
        self.descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        for which in ("all", "default"):
            path = f"/proc/sys/net/ipv6/conf/{which}/disable_ipv6"
            if os.path.exists(path):
                with open(path, "w", encoding="ascii") as file:
                    file.write("1")

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    def enter(self):
        check(LIBC.setns(self.descriptor, CLONE_NEWNET))

    def close(self):
        os.close(self.descriptor)


def run(command, text=""):
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def prepare(name):
    """Switch offloads off and wait until the device runs."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for command in OFFLOADS:
            value = array.array("B", struct.pack("II", command, 0))
            request = struct.pack("16sP16x", name.encode(), value.buffer_info()[0])
            try:
                fcntl.ioctl(control, SIOCETHTOOL, request)
            except OSError as error:
                if error.errno != errno.EOPNOTSUPP:
                    raise
        request = struct.pack("16s24x", name.encode())
        for _ in range(1000):
            answer = fcntl.ioctl(control, SIOCGIFFLAGS, request)
            if struct.unpack_from("H", answer, 16)[0] & IFF_RUNNING:
                return
            time.sleep(0.001)
    raise RuntimeError(f"{name} does not come up")


def send(ends, router, device, frames):
    lines = [
        f"link add {device['name']} address {device['mac']} type veth"
        f" peer name far netns {ends.path}",
        f"link set {device['name']} up",
    ]
    run(["ip", "-batch", "-"], "".join(f"{line}\n" for line in lines))
    ends.enter()
    run(["ip", "link", "set", "far", "up"])
    prepare("far")
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        router.enter()
        prepare(device["name"])
        for frame in frames:
            sender.sendto(bytes.fromhex(frame), ("far", 0))


def answer(request):
    save = [request["save"], "-t", request["table"]]
    router = Namespace()
    try:
        run([request["restore"], "-c"], request["text"])
        if request["frames"]:
            ends = Namespace()
            try:
                router.enter()
                send(ends, router, request["device"], request["frames"])
                router.enter()
                return {"saved": run([*save, "-c"])}
            finally:
                ends.close()
        return {"saved": run(save)}
    finally:
        router.close()


def main():
    # One processor: what a frame causes has then happened when its sending returns.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for line in sys.stdin:
        try:
            result = answer(json.loads(line))
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
            result = {"error": str(error)}
        print(json.dumps(result), flush=True)


main()
