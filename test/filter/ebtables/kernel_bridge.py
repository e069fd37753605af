"""Lets this computer's kernel read ebtables' rules, judge a bridge's frames by them and print them.

A bridge "br0" with ports "p0", "p1" stands in a network namespace, the ports' far ends in a second
one.
"""

import os
import socket
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [os.path.join(HERE, ".."), os.path.join(HERE, "..", "..", "oracle")]
from kernel_rules import KernelLog, prepare  # noqa: E402
from namespaces import (  # noqa: E402
    Namespace,
    batch,
    run,
    serve,
    stay_on_processor,
    transmit,
    write,
)

ETH_P_ALL = 0x0003
SOL_PACKET = 263
PACKET_AUXDATA = 8
PACKET_IGNORE_OUTGOING = 23
SO_RCVBUFFORCE = 33
RECEIVE_BUFFER = 16 * 1024 * 1024
TP_STATUS_VLAN_VALID = 0x10
AUXDATA = struct.Struct("IIIHHHH")
PORTS = {"p0": "q0", "p1": "q1"}


def listen():
    """A socket that hears what comes in by every device of the namespace."""
    receiver = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    receiver.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    receiver.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    receiver.setblocking(False)
    return receiver


def heard(receiver, names):
    """What was heard since the last call from devices in names, tags where they were."""
    frames = []
    while True:
        try:
            octets, ancillary, _, address = receiver.recvmsg(70000, 256)
        except BlockingIOError:
            return frames
        for _, kind, data in ancillary:
            if kind != PACKET_AUXDATA:
                continue
            status, _, _, _, _, tci, protocol = AUXDATA.unpack(data[: AUXDATA.size])
            if status & TP_STATUS_VLAN_VALID:
                octets = octets[:12] + struct.pack("!HH", protocol, tci) + octets[12:]
        if address[0] in names:
            frames.append([names[address[0]], octets.hex()])


class Bridge:
    """A bridge with two ports, and their far ends."""

    def __init__(self, mac):
        self.ends = Namespace()
        self.far_sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.far_receiver = listen()
        self.host = Namespace()
        lines = [f"link add br0 address {mac} type bridge forward_delay 0 mcast_snooping 0"]
        for port, far in PORTS.items():
            lines.append(
                f"link add {port} address {mac} type veth"
                f" peer name {far} netns {self.ends.path}"
            )
            lines += [f"link set {port} master br0", f"link set {port} up"]
        lines.append("link set br0 up")
        batch(lines)
        for which in ("iptables", "ip6tables", "arptables"):
            path = f"/proc/sys/net/bridge/bridge-nf-call-{which}"
            if os.path.exists(path):
                write(path, "0")
        self.near_sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.near_receiver = listen()
        self.ends.enter()
        batch([f"link set {far} up" for far in PORTS.values()])
        for far in PORTS.values():
            prepare(far)
        self.host.enter()
        for port in PORTS:
            prepare(port)

    def judge(self, request):
        run(["ip", "link", "set", "br0", "type", "bridge", "fdb_flush"])
        run(["ebtables-nft-restore"], request["text"])
        log = KernelLog(request["logPrefix"] != "")
        self.take()
        for device, octets in request["frames"]:
            frame = bytes.fromhex(octets)
            if device in PORTS:
                transmit(self.far_sender, frame, PORTS[device])
            else:
                transmit(self.near_sender, frame, device)
        sent = self.take()
        saved = [
            run(["ebtables-nft-save", *(["-c"] if request["frames"] else []), "-t", table])
            for table in request["tables"]
        ]
        logged = log.lines(request["logPrefix"])
        return {"saved": saved, "sent": sent, "logged": logged}

    def take(self):
        """What left by the ports, and what came up to the host."""
        near = heard(self.near_receiver, {"br0": "br0"})
        return near + heard(self.far_receiver, {far: port for port, far in PORTS.items()})


def main():
    # The first one: others' programs have the last.
    stay_on_processor(-1)
    serve(Bridge(sys.argv[1]).judge)


if __name__ == "__main__":
    main()
