"""Runs ISC dhcpd in a network namespace of its own, sends it frames and writes down its answers.

To be started as `unshare --net python3 dhcpd.py`. Standard input is one JSON object:

  conf     text of dhcpd.conf
  address  the server's address on its device
  fence    a frame (hexadecimal) with a DISCOVER that the server answers
  frames   the frames (hexadecimal) to send

The fence goes out after each frame with a transaction id of its own. The server works in order, so
the answer to the fence tells that it is done with the frame before. Standard output is one JSON
object: `error` says why there is nothing to tell, or `answers` has for each frame the second since
the epoch in which it went out and the frames that came back, the answers to the fence left out.
"""
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

SERVER, CLIENT = "vif3.0", "guest"
SERVER_MAC, CLIENT_MAC = "fe:ff:ff:ff:ff:ff", "12:31:39:00:a5:11"
ETH_P_ALL, ETH_P_IP = 3, 0x0800
UDP_CHECKSUM, XID = 14 + 20 + 6, 14 + 20 + 8 + 4
START_SECONDS, ANSWER_SECONDS = 10, 5


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


def lay_cable(address):
    """Without ARP: an answer through the server's socket leaves at once, whoever it is for."""
    ends = ["address", SERVER_MAC, "type", "veth", "peer", "name", CLIENT, "address", CLIENT_MAC]
    for family in ("all", "default"):
        with open("/proc/sys/net/ipv6/conf/%s/disable_ipv6" % family, "w") as file:
            file.write("1")
    ip("link", "add", SERVER, *ends)
    ip("link", "set", "lo", "up")
    ip("address", "add", address, "dev", SERVER)
    ip("link", "set", SERVER, "arp", "off", "up")
    ip("link", "set", CLIENT, "arp", "off", "up")
    ip("route", "add", "default", "dev", SERVER)


def with_xid(frame, xid):
    changed = bytearray(frame)
    changed[XID : XID + 4] = struct.pack("!I", xid)
    changed[UDP_CHECKSUM : UDP_CHECKSUM + 2] = b"\0\0"
    return bytes(changed)


def is_answer(frame):
    return (
        len(frame) > XID + 4
        and struct.unpack("!H", frame[12:14])[0] == ETH_P_IP
        and frame[23] == socket.IPPROTO_UDP
        and struct.unpack("!H", frame[34:36])[0] == 67
    )


def exchange(wire, frames, xid, seconds):
    """Send frames, collect answers until that to transaction `xid`; None if it does not come."""
    for frame in frames:
        wire.send(frame)
    answers = []
    until = time.monotonic() + seconds
    while True:
        left = until - time.monotonic()
        if left <= 0 or not select.select([wire], [], [], left)[0]:
            return None
        frame, address = wire.recvfrom(65535)
        if address[2] == socket.PACKET_OUTGOING or not is_answer(frame):
            continue
        found = struct.unpack("!I", frame[XID : XID + 4])[0]
        if found == xid:
            return answers
        if found >> 24 != 0xFE:
            answers.append(frame.hex())


def play(wire, frames, fence):
    answers = []
    for number, frame in enumerate(frames):
        # The server counts whole seconds, and its timers are late: stay away from where they change.
        part = time.time() % 1
        if part < 0.05 or part > 0.95:
            time.sleep((1.05 - part) % 1)
        xid = 0xFE000000 + number
        sent = int(time.time())
        back = exchange(wire, [frame, with_xid(fence, xid)], xid, ANSWER_SECONDS)
        if back is None:
            return {"error": "no answer to the fence after frame %d" % (number + 1)}
        answers.append([sent, back])
    return {"answers": answers}


def run(request, folder):
    lay_cable(request["address"])
    conf, leases, log = (os.path.join(folder, name) for name in ("conf", "leases", "log"))
    with open(conf, "w") as file:
        file.write(request["conf"])
    open(leases, "w").close()
    files = ["-cf", conf, "-lf", leases, "--no-pid"]
    with open(log, "w") as output:
        server = subprocess.Popen(["dhcpd", "-4", "-f", "-d", *files, SERVER], stderr=output)
    try:
        wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        wire.bind((CLIENT, 0))
        fence = bytes.fromhex(request["fence"])
        until = time.monotonic() + START_SECONDS
        while exchange(wire, [with_xid(fence, 0xFEFFFFFF)], 0xFEFFFFFF, 0.1) is None:
            if server.poll() is not None or time.monotonic() > until:
                with open(log) as file:
                    return {"error": "dhcpd does not start: %s" % file.read()[-2000:]}
        return play(wire, [bytes.fromhex(frame) for frame in request["frames"]], fence)
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
        if "DHCPD_LOG" in os.environ:
            with open(log) as file, open(os.environ["DHCPD_LOG"], "w") as copy:
                copy.write(file.read())


with tempfile.TemporaryDirectory() as folder:
    json.dump(run(json.load(sys.stdin), folder), sys.stdout)
