"""Plays frames through a router made of this computer's kernel.

Each request is a line of JSON on standard input, each answer a line on standard output. "open"
builds a router in a network namespace of its own, with one veth pair for each interface; the far
ends lie in a second namespace, where packet sockets send and receive. "send" sends frames and tells
what came of each; "close" takes the router down. Both namespaces are held by descriptors of this
process alone: whatever ends it, the kernel takes them down. The one argument is the number of the
processor to work on, the last one being 0.

The far ends serve all routers. A router's own namespace does not: a kernel cannot be told to
forget the fragments that it holds and whom it sent how many errors.
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
ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
RECEIVE_BUFFER = 64 * 1024 * 1024
SIOCGIFFLAGS = 0x8913
SIOCETHTOOL = 0x8946
IFF_RUNNING = 0x40
# ETHTOOL_SRXCSUM, STXCSUM, SSG, STSO, SGSO, SGRO
OFFLOADS = (0x15, 0x17, 0x19, 0x1F, 0x24, 0x2C)
# A frame leaves early in a millisecond and away from the edges of a tick, in nanoseconds, so that
# the kernel's time stamps and its ticks are known.
LATEST_IN_MILLISECOND = 600_000
AFTER_TICK, BEFORE_TICK = 40_000, 300_000
# How often a frame is tried for which the kernel has no room, and seconds before the second try.
TRIES, FIRST_PAUSE = 8, 0.002
NETLINK_NETFILTER = 12
NEW_CONNECTIONS = 1
# One lock serves all namespaces: others may hold it for a moment.
RESTORE = ["iptables-legacy-restore", "-w", "10"]
# CTA_TUPLE_REPLY, CTA_TUPLE_PROTO; CTA_PROTO_NUM, _SRC_PORT, _DST_PORT, _ICMP_ID
REPLY, PROTOCOL = 2, 2
NUMBER, SOURCE_PORT, TARGET_PORT, ICMP_ID = 1, 2, 3, 4
CLOCK_MONOTONIC_COARSE = 6
# How long a command may take.
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
                write(path, "1")

    @property
    def path(self):
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    def enter(self):
        check(LIBC.setns(self.descriptor, CLONE_NEWNET))

    def close(self):
        os.close(self.descriptor)


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def run(command, text=""):
    """What the command writes, given the text."""
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"{error}\n{text}") from None
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}\n{text}")
    return done.stdout


def batch(lines):
    run(["ip", "-batch", "-"], "".join(f"{line}\n" for line in lines))


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


def wait_until_running(name):
    request = struct.pack("16s24x", name.encode())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for _ in range(1000):
            answer = fcntl.ioctl(control, SIOCGIFFLAGS, request)
            if struct.unpack_from("H", answer, 16)[0] & IFF_RUNNING:
                return
            time.sleep(0.001)
    raise RuntimeError(f"{name} does not come up")


class Ends:
    """The far ends of all links: one namespace and two sockets for all worlds."""

    def __init__(self):
        self.namespace = Namespace()
        self.made = 0
        self.sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.receiver = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        self.receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.receiver.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.receiver.setblocking(False)

    def name(self):
        """A name that no far end has had."""
        self.made += 1
        return f"far{self.made}"

    def receive(self):
        """The next frame, its far end and its time in microseconds; None if there is none."""
        try:
            octets, ancillary, _, address = self.receiver.recvmsg(70000, 64)
        except BlockingIOError:
            return None
        seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
        return octets, address[0], seconds * 1_000_000 + nanoseconds // 1000


class World:
    """A router in a namespace of its own, linked to its far ends."""

    def __init__(self, ends, request):
        self.ends = ends
        self.far = {one["name"]: ends.name() for one in request["interfaces"]}
        self.near = {far: name for name, far in self.far.items()}
        self.router = Namespace()
        self.connections = None
        self.start = 0
        try:
            self.build(request)
        except BaseException:
            self.close()
            raise

    def build(self, request):
        frame_rules = request.get("ebtables", "")
        self.link(request["interfaces"], frame_rules != "")
        if frame_rules != "":
            run(["ebtables-nft-restore"], frame_rules)
        for key, value in request["sysctl"]:
            write("/proc/sys/" + key.replace(".", "/"), str(value))
        batch(request["ip"])

    def link(self, interfaces, bridged):
        """Make the interfaces, and their ports if they are bridges."""
        near = {one["name"]: one["name"] + "p" if bridged else one["name"] for one in interfaces}
        lines = ["link set lo up"]
        for one in interfaces:
            name, address = one["name"], one["mac"]
            if bridged:
                quiet = "forward_delay 0 mcast_snooping 0"
                lines.append(f"link add {name} address {address} type bridge {quiet}")
            lines.append(
                f"link add {near[name]} mtu {one['mtu']} address {address} type veth"
                f" peer name {self.far[name]} mtu 65535 netns {self.ends.namespace.path}"
            )
            if bridged:
                lines.append(f"link set {near[name]} master {name} up")
            lines.append(f"link set {name} mtu {one['mtu']} up")
        batch(lines)
        self.ends.namespace.enter()
        batch([f"link set {far} up" for far in self.near])
        for far in self.near:
            switch_offloads_off(far)
        self.router.enter()
        for name in near:
            switch_offloads_off(name)
            switch_offloads_off(near[name])
            wait_until_running(name)

    def open(self, rules):
        """Load the rules, hear of new connections from now on, and tell the time."""
        if rules:
            run(RESTORE, rules)
        self.connections = Connections()
        self.start = now()
        return {"start": self.start // 1000}

    def send(self, frames):
        """Send each frame at its time; say when, what the router sent and whom it came to know."""
        return {"steps": [self.step(frame) for frame in frames]}

    def step(self, frame):
        wait_until(self.start + frame["at"] * 1000)
        far = self.far[frame["interface"]]
        before = transmit(self.ends.sender, bytes.fromhex(frame["octets"]), far)
        sent = [before // 1000, now() // 1000]
        return {"sent": sent, "received": self.take(), "flows": self.connections.take()}

    def finish(self, until, show):
        """Listen until that time; then run commands and say what they write, and when."""
        wait_until(self.start + until * 1000)
        received = self.take()
        shown = [[now() // 1000, run(command)] for command in show]
        return {"received": received, "shown": shown}

    def take(self):
        """The frames that the router has sent since the last call."""
        received = []
        while (one := self.ends.receive()) is not None:
            octets, far, at = one
            interface = self.near.get(far)
            if interface is not None:
                received.append({"interface": interface, "octets": octets.hex(), "at": at})
        return received

    def close(self):
        if self.connections is not None:
            self.connections.close()
        self.router.close()


class Connections:
    """Hears of the connections that the router begins to track."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        self.socket.bind((0, NEW_CONNECTIONS))
        self.socket.setblocking(False)

    def take(self):
        """For each new connection its protocol, and the two ports of its answers."""
        found = []
        while True:
            try:
                octets = self.socket.recv(65536)
            except BlockingIOError:
                return found
            # One message a datagram: struct nlmsghdr, struct nfgenmsg, attributes.
            words = attributes(attributes(attributes(octets[20:])[REPLY])[PROTOCOL])
            source = words.get(SOURCE_PORT) or words.get(ICMP_ID) or b"\0\0"
            ports = [source, words.get(TARGET_PORT) or source]
            found.append([words[NUMBER][0], *(int.from_bytes(port, "big") for port in ports)])

    def close(self):
        self.socket.close()


def attributes(octets):
    """Netlink attributes by their types."""
    found, at = {}, 0
    while at + 4 <= len(octets):
        length, kind = struct.unpack_from("HH", octets, at)
        if length < 4:
            break
        found[kind & 0x3FFF] = octets[at + 4 : at + length]
        at += length + 3 & ~3
    return found


def now():
    return time.clock_gettime_ns(time.CLOCK_REALTIME)


def wait_until(instant):
    while True:
        clock = now()
        if clock < instant:
            time.sleep((instant - clock) / 1e9)
        elif clock % 1_000_000 > LATEST_IN_MILLISECOND:
            time.sleep((1_000_000 - clock % 1_000_000) / 1e9)
        elif not TICKS.is_clear(clock):
            time.sleep(AFTER_TICK / 1e9)
        else:
            return


class Ticks:
    """Where the edges of the kernel's ticks lie, once measured."""

    began = 0
    length = 0

    def is_clear(self, clock):
        if self.length == 0:
            return True
        phase = (clock - self.began) % self.length
        return AFTER_TICK <= phase <= self.length - BEFORE_TICK


TICKS = Ticks()


def transmit(sender, octets, device):
    """Send a frame; the real time in nanoseconds at which that began.

    All namespaces share a processor's queue of received frames. Where another has filled it, the
    veth refuses the frame before it has gone anywhere (ENOBUFS): it is tried again, ever later.
    """
    pause = FIRST_PAUSE
    for _ in range(TRIES):
        before = now()
        try:
            sender.sendto(octets, (device, 0))
            return before
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
        time.sleep(pause)
        pause *= 2
        wait_until(now())
    raise RuntimeError(f"{device}: the processor's queue of received frames stays full")


def tick_clock():
    """The clock that advances with the kernel's ticks."""
    return time.clock_gettime_ns(CLOCK_MONOTONIC_COARSE)


def next_tick():
    """Wait for the next tick; the clock of the ticks then, and the real time."""
    last = tick_clock()
    while (clock := tick_clock()) == last:
        pass
    return clock, now()


def jiffies():
    """A tick's number, the real time at which it began in microseconds, and ticks a second.

    Whatever keeps this process from running makes a tick look late, never early.
    """
    length = time.clock_getres(CLOCK_MONOTONIC_COARSE)
    offset = min(real - clock for clock, real in (next_tick() for _ in range(10)))
    while True:
        clock = tick_clock()
        with open("/proc/timer_list", encoding="ascii") as file:
            number = next(int(line.split()[1]) for line in file if line.startswith("jiffies:"))
        if tick_clock() == clock:
            TICKS.began, TICKS.length = clock + offset, round(length * 1e9)
            return {"number": number, "began": TICKS.began // 1000, "hz": round(1 / length)}


def serve(ends):
    """Answer requests until there are none; an error ends the router that it is about."""
    world = None
    for line in sys.stdin:
        request = json.loads(line)
        what = request["do"]
        try:
            if what == "open":
                world = World(ends, request)
                result = world.open(request["rules"])
            elif what == "send":
                result = world.send(request["frames"])
            else:
                result = world.finish(request["until"], request["show"])
        except (OSError, RuntimeError) as error:
            result = {"error": str(error)}
        if world is not None and (what == "close" or "error" in result):
            world.close()
            world = None
        print(json.dumps(result), flush=True)


def main():
    # One processor: what a frame causes has then happened when its sending returns, in order.
    processors = sorted(os.sched_getaffinity(0), reverse=True)
    os.sched_setaffinity(0, {processors[int(sys.argv[1]) % len(processors)]})
    ends = Ends()
    print(json.dumps({"jiffies": jiffies()}), flush=True)
    serve(ends)


if __name__ == "__main__":
    main()
