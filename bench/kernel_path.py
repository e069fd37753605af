"""Measures the path of a domU's frame through this computer's own kernel.

Standard input is one JSON object: the rules of both routers as iptables-save prints them, frames
in hexadecimal, addresses. Standard output is one: frames a second of an established flow, of flows
that are new, and of many flows that take turns, each of the best window. Four network namespaces
stand for the domU, the router with the vifs, the NAT gateway and the fabric, joined by veth pairs
without offloads. The load is made in the kernel: sendmmsg hands it 1,024 frames at once, past the
queueing discipline, from one processor. What comes in is done once by the same processor ("same")
and once, where there is one, by another ("other"), which is full when frames are lost in front of it.
Everything is gone when the process ends, and no load lasts longer than a few seconds.
"""

import json
import os
import subprocess
import sys
import time

SPACES = ("domu", "dom0", "gateway", "fabric")
PREFIX = f"dom0bench{os.getpid()}"
SETTLE_SECONDS = 0.5
MEASURE_SECONDS = 1.5
WINDOW_SECONDS = 0.1
LIMIT_SECONDS = 20


def run(*words, stdin=None, check=True):
    return subprocess.run(
        words, input=stdin, check=check, capture_output=True, text=True, timeout=LIMIT_SECONDS
    ).stdout


def space(name):
    return f"{PREFIX}{name}"


def inside(name, *words, stdin=None):
    return run("ip", "netns", "exec", space(name), *words, stdin=stdin)


def setting(name, key, value):
    inside(name, "sysctl", "-qw", f"{key}={value}")


def join(left, left_device, left_mac, right, right_device, right_mac):
    run(
        *f"ip link add {left_device} netns {space(left)} address {left_mac} mtu 1500 type veth"
        f" peer name {right_device} netns {space(right)} address {right_mac}".split()
    )
    for name, device in ((left, left_device), (right, right_device)):
        inside(name, "ethtool", "-K", device, "rx", "off", "tx", "off", "gro", "off", "gso", "off")
        inside(name, "ip", "link", "set", device, "up")


def steer(mask):
    """Let the processors of `mask` do what comes in; 0 leaves it to the one that sends."""
    for name, device in (("dom0", "vif3.0"), ("gateway", "gw0"), ("fabric", "port0")):
        path = f"/sys/class/net/{device}/queues/rx-0/rps_cpus"
        inside(name, "sh", "-c", f"echo {mask:x} >{path}")


def build(world):
    for name in SPACES:
        run("ip", "netns", "add", space(name))
        setting(name, "net.ipv6.conf.all.disable_ipv6", 1)
        setting(name, "net.ipv4.conf.all.rp_filter", 0)
        setting(name, "net.ipv4.conf.default.rp_filter", 0)
    join("domu", "domu0", world["guestMac"], "dom0", "vif3.0", world["vifMac"])
    join("dom0", "eth0", world["innerMac"], "gateway", "gw0", world["outerMac"])
    join("gateway", "peth0", world["uplinkMac"], "fabric", "port0", "02:00:00:00:00:98")
    for name in ("dom0", "gateway"):
        setting(name, "net.ipv4.ip_forward", 1)
        setting(name, "net.netfilter.nf_conntrack_acct", 1)
        inside(name, "ip", "-batch", "-", stdin="\n".join(world[name]["ip"]) + "\n")
        inside(name, "iptables-legacy-restore", stdin=world[name]["rules"])


class Counter:
    """Reads what came in at the fabric, from a process that stays in its namespace."""

    def __init__(self):
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", space("fabric"), sys.executable, "-c", READER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def read(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        when, count = self.process.stdout.readline().split()
        return int(when), int(count)

    def close(self):
        self.process.stdin.close()
        self.process.wait(LIMIT_SECONDS)


READER = """
import sys, time
for _ in sys.stdin:
    with open("/proc/net/dev", encoding="ascii") as file:
        words = next(line for line in file if "port0" in line).split()
    print(time.monotonic_ns(), words[2], flush=True)
"""


SENDER = """
import ctypes, json, os, socket, sys, time
request = json.load(sys.stdin)
os.sched_setaffinity(0, {0})
libc = ctypes.CDLL(None, use_errno=True)

class Vector(ctypes.Structure):
    _fields_ = [("base", ctypes.c_char_p), ("length", ctypes.c_size_t)]

class Header(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint),
                ("vector", ctypes.POINTER(Vector)), ("vectors", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
                ("flags", ctypes.c_int)]

class Message(ctypes.Structure):
    _fields_ = [("header", Header), ("length", ctypes.c_uint)]

PACKET_QDISC_BYPASS = 20
port = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
port.setsockopt(263, PACKET_QDISC_BYPASS, 1)
port.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**26)
port.bind((request["device"], 0))
frames = [bytes.fromhex(frame) for frame in request["frames"]]
many = frames if request["seconds"] == 0 else frames * max(1, 1024 // len(frames))
vectors = [Vector(frame, len(frame)) for frame in many]
messages = (Message * len(many))()
for message, vector in zip(messages, vectors):
    message.header.vector = ctypes.pointer(vector)
    message.header.vectors = 1
end = time.monotonic() + request["seconds"]
while True:
    at = 0
    while at < len(many):
        rest = ctypes.byref(messages, at * ctypes.sizeof(Message))
        sent = libc.sendmmsg(port.fileno(), rest, min(1024, len(many) - at), 0)
        at += max(sent, 0)
    if time.monotonic() >= end:
        break
"""


def send(name, device, frames, seconds=0):
    """Send each frame once or, for so many seconds, all of them again and again."""
    process = subprocess.Popen(
        ["ip", "netns", "exec", space(name), sys.executable, "-c", SENDER],
        stdin=subprocess.PIPE,
        text=True,
    )
    json.dump({"device": device, "frames": frames, "seconds": seconds}, process.stdin)
    process.stdin.close()
    return process


def established(world, counter):
    """Frames a second that reach the fabric once the flow is known both ways."""
    for name, device, frame in (
        ("domu", "domu0", world["out"]),
        ("fabric", "port0", world["back"]),
        ("domu", "domu0", world["out"]),
    ):
        send(name, device, [frame]).wait(LIMIT_SECONDS)
    return steady(counter, [world["out"]])


def many(world, counter):
    """Frames a second of many flows that take turns; each was opened before."""
    return steady(counter, world["fresh"])


def steady(counter, frames):
    """Frames a second that reach the fabric while `frames` are sent again and again."""
    process = send("domu", "domu0", frames, SETTLE_SECONDS + MEASURE_SECONDS + 1)
    time.sleep(SETTLE_SECONDS)
    samples = [counter.read()]
    while samples[-1][0] - samples[0][0] < MEASURE_SECONDS * 1e9:
        time.sleep(WINDOW_SECONDS)
        samples.append(counter.read())
    process.wait(LIMIT_SECONDS)
    return best_rate(samples, 0)


def best_rate(samples, least):
    """Frames a second of the best window of at least so many nanoseconds."""
    best = 0.0
    first = 0
    for end, after in samples:
        while first + 1 < len(samples) and end - samples[first + 1][0] >= max(least, 1):
            first += 1
        start, before = samples[first]
        if end - start >= max(least, 1):
            best = max(best, (after - before) * 1e9 / (end - start))
    return best


def fresh(world, counter):
    """New flows a second: each frame opens one; the best window."""
    process = send("domu", "domu0", world["fresh"])
    samples = [counter.read()]
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        time.sleep(WINDOW_SECONDS / 10)
        samples.append(counter.read())
        if process.poll() is not None and samples[-1][1] == samples[-2][1]:
            break
    return best_rate(samples, WINDOW_SECONDS * 1e9 / 2)


def main():
    world = json.load(sys.stdin)
    counter = None
    try:
        build(world)
        counter = Counter()
        figures = {}
        for where, mask in (("same", 0), ("other", 2)):
            if mask > 0 and os.cpu_count() < 2:
                continue
            steer(mask)
            inside("dom0", "conntrack", "-F")
            inside("gateway", "conntrack", "-F")
            figures[where] = {
                "established": established(world, counter),
                "fresh": fresh(world, counter),
                "many": many(world, counter),
            }
        print(json.dumps(figures))
    finally:
        if counter is not None:
            counter.close()
        for name in SPACES:
            run("ip", "netns", "delete", space(name), check=False)


main()
