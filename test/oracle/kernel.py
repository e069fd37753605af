"""Plays frames through a router made of this computer's kernel.

The request "open" builds a router in a network namespace of its own, with one veth pair for each
interface; the far ends lie in a second namespace, where packet sockets send and receive. "send"
sends frames and tells what came of each; "close" takes the router down. The one argument is the
number of the processor to work on, the last one being 0.

The far ends serve all routers. A router's own namespace does not: a kernel cannot be told to
forget the fragments that it holds and whom it sent how many errors.
"""

import errno
import json
import os
import shlex
import socket
import struct
import sys
import time

from namespaces import (
    RESTORE,
    Namespace,
    batch,
    jiffies,
    now,
    run,
    serve,
    stay_on_processor,
    switch_offloads_off,
    transmit,
    wait_until,
    wait_until_running,
    write,
)

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_IGNORE_OUTGOING = 23
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
PROGRAMS = {"iptables": ["iptables-legacy", "-w", "10"]}
RECEIVE_BUFFER = 64 * 1024 * 1024
NETLINK_NETFILTER = 12
NEW_CONNECTIONS = 1
# CTA_TUPLE_REPLY, CTA_TUPLE_PROTO; CTA_PROTO_NUM, _SRC_PORT, _DST_PORT, _ICMP_ID
REPLY, PROTOCOL = 2, 2
NUMBER, SOURCE_PORT, TARGET_PORT, ICMP_ID = 1, 2, 3, 4


# What a kernel ends of its connections after these, it leaves to a worker.
DEFERRED = {("ip", "addr", "del"), ("ip", "link", "set")}
DEFERRED_SECONDS = 0.002


def set_all(words):
    """Do what `sysctl -w` does with words such as net.ipv4.ip_forward=1."""
    for word in words:
        key, value = word.split("=")
        write("/proc/sys/" + key.replace(".", "/"), value)


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

    def offer(self, octets, far):
        """Send a frame to what is down, which refuses it; when."""
        before = now()
        try:
            self.sender.sendto(octets, (far, 0))
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
        return before

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
        self.down = set()
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
        if "command" in frame:
            return self.command(frame["command"])
        far = self.far[frame["interface"]]
        octets = bytes.fromhex(frame["octets"])
        if frame["interface"] in self.down:
            before = self.ends.offer(octets, far)
        else:
            before = transmit(self.ends.sender, octets, far)
        sent = [before // 1000, now() // 1000]
        return self.came(sent, False)

    def command(self, text):
        """Run a command in the router's namespace."""
        program, *words = shlex.split(text)
        begun = now() // 1000
        try:
            if program == "sysctl":
                set_all(words[1:])
            else:
                run([*PROGRAMS.get(program, [program]), *words])
            if (program, *words[:2]) in DEFERRED:
                time.sleep(DEFERRED_SECONDS)
            if words[:2] == ["link", "set"]:
                self.set_link(*words[2:4])
            is_refused = False
        except RuntimeError:
            # conntrack fails, too, if it finds nothing to delete.
            is_refused = program != "conntrack"
        return self.came([begun, now() // 1000], is_refused)

    def set_link(self, name, state):
        """Note whether a link is up; wait for both ends of one that came up."""
        if state == "down":
            self.down.add(name)
            return
        self.down.discard(name)
        wait_until_running(name)
        self.ends.namespace.enter()
        wait_until_running(self.far[name])
        self.router.enter()

    def came(self, sent, is_refused):
        received, flows = self.take(), self.connections.take()
        return {"sent": sent, "received": received, "flows": flows, "isRefused": is_refused}

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


class Server:
    """Answers requests about one router at a time; an error ends the router that it is about."""

    def __init__(self, ends):
        self.ends = ends
        self.world = None

    def answer(self, request):
        what = request["do"]
        is_over = what == "close"
        try:
            if what == "open":
                self.world = World(self.ends, request)
                return self.world.open(request["rules"])
            if what == "send":
                return self.world.send(request["frames"])
            return self.world.finish(request["until"], request["show"])
        except (OSError, RuntimeError):
            is_over = True
            raise
        finally:
            if is_over and self.world is not None:
                self.world.close()
                self.world = None


def main():
    stay_on_processor(int(sys.argv[1]))
    server = Server(Ends())
    print(json.dumps({"jiffies": jiffies()}), flush=True)
    serve(server.answer)


if __name__ == "__main__":
    main()
