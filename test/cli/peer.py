"""A stack of a few lines behind a vif: pings through QEMU's stream framing, raw octets alone.

peer.py SOCKET MAC ADDRESS GATEWAY TARGET COUNT
"""
import socket
import struct
import sys
import time

path, mac, address, gateway, target, count = sys.argv[1:]
mac = bytes.fromhex(mac.replace(":", ""))
address, gateway, target = (socket.inet_aton(text) for text in (address, gateway, target))
deadline = time.monotonic() + 20
stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
stream.settimeout(1)
stream.connect(path)
held = b""


def checksum(octets):
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def send(frame):
    stream.sendall(struct.pack("!I", len(frame)) + frame)


def receive():
    """The next frame; None after a second without one."""
    global held
    while True:
        if len(held) >= 4:
            (length,) = struct.unpack("!I", held[:4])
            if len(held) >= 4 + length:
                frame, held = held[4 : 4 + length], held[4 + length :]
                return frame
        try:
            octets = stream.recv(65536)
        except socket.timeout:
            return None
        if not octets:
            sys.exit("the server hung up")
        held += octets


def await_frame(ask, matches):
    """Ask each second until a frame matches."""
    while time.monotonic() < deadline:
        send(ask)
        until = time.monotonic() + 1
        while time.monotonic() < until:
            frame = receive()
            if frame is None:
                break
            if matches(frame):
                return frame
    sys.exit("no answer")


arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + address + bytes(6) + gateway
answer = await_frame(
    b"\xff" * 6 + mac + b"\x08\x06" + arp,
    lambda frame: frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\2" and frame[28:32] == gateway,
)
router = answer[22:28]
print(f"gateway {router.hex(':')} from {answer[6:12].hex(':')}", flush=True)

for sequence in range(1, int(count) + 1):
    icmp = struct.pack("!BBHHH", 8, 0, 0, 77, sequence) + b"dom0" * 8
    icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(icmp), sequence, 0, 64, 1, 0) + address + target
    header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    reply = await_frame(
        router + mac + b"\x08\0" + header + icmp,
        lambda frame: frame[12:14] == b"\x08\0" and frame[23] == 1 and frame[34:36] == b"\0\0"
        and frame[40:42] == struct.pack("!H", sequence),
    )
    print(f"reply {sequence} from {socket.inet_ntoa(reply[26:30])} ttl {reply[22]}", flush=True)
