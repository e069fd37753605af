"""Lets this computer's kernel route packets of domUs under the rules of their security groups.

Each request is a line of JSON on standard input, each answer a line on standard output. A request
builds a router in a network namespace of its own: devices whose far ends lie in a second namespace,
and phases, each of which are rules and frames that enter by a device. The answer is the table after
each phase, with its counters. Both namespaces are held by this process alone.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
TIMEOUT_SECONDS = 20
# One lock serves all namespaces: others may hold it for a moment.
RESTORE = ["iptables-legacy-restore", "-w", "10"]
SAVE = ["iptables-legacy-save", "-t", "filter", "-c"]
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

    def close(self):
        os.close(self.descriptor)


def run(command, text=""):
    done = subprocess.run(
        command, input=text, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def batch(lines):
    run(["ip", "-batch", "-"], "".join(f"{line}\n" for line in lines))


def is_up(names):
    shown = run(["ip", "-br", "link"])
    states = dict(line.split()[:2] for line in shown.splitlines())
    return all(
        state == "UP" for name, state in states.items() if name.split("@")[0] in names
    )


def settle(names):
    for _ in range(1000):
        if is_up(names):
            return
        time.sleep(0.001)
    raise RuntimeError("devices do not come up")


def answer(request):
    devices = request["devices"]
    ends = Namespace()
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    router = Namespace()
    try:
        write("ipv4/ip_forward", 1)
        batch(
            [
                f"link add {name} address {mac} type veth peer name {name} netns {ends.path}"
                for name, mac in devices.items()
            ]
            + [f"link set {name} up" for name in devices]
        )
        ends.enter()
        batch([f"link set {name} up" for name in devices])
        settle(devices)
        router.enter()
        settle(devices)
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
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
            result = {"error": str(error)}
        print(json.dumps(result), flush=True)


main()
