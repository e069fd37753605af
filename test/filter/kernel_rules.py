"""Lets this computer's kernel read rules, judge frames by them and print them again.

Each request is a line of JSON on standard input, each answer a line on standard output. All happens
in a network namespace with one device, whose far end lies in a second namespace. Both are held by
descriptors of this process alone: whatever ends it, the kernel takes them down.
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
# One lock serves all namespaces: others may hold it for a moment.
RESTORE = ["iptables-legacy-restore", "-w", "10"]
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
        run(["ip", "-batch", "-"], "".join(f"{line}\n" for line in lines))
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
                self.sender.sendto(bytes.fromhex(frame), ("far", 0))
            counters = ["-c"] if request["frames"] else []
            saved = run(["iptables-legacy-save", "-t", table, *counters])
            return {"saved": saved, "logged": log.lines(request["logPrefix"])}
        finally:
            policies = "".join(f":{chain} ACCEPT\n" for chain in request["chains"])
            run(RESTORE, f"*{table}\n{policies}COMMIT\n")


def main():
    # One processor: what a frame causes has then happened when its sending returns.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    kernel = Kernel(json.loads(sys.argv[1]))
    for line in sys.stdin:
        try:
            result = kernel.answer(json.loads(line))
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
            result = {"error": str(error)}
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
