"""Network namespaces, links and clocks of this computer's kernel, for the programs that ask it.

Such a program reads requests from standard input, each a line of JSON, and answers each with a
line. Its namespaces are held by descriptors of its process alone: whatever ends it, the kernel takes
them down.
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
# A frame leaves early in a millisecond and away from the edges of a tick, in nanoseconds, so that
# the kernel's time stamps and its ticks are known.
LATEST_IN_MILLISECOND = 600_000
AFTER_TICK, BEFORE_TICK = 40_000, 300_000
# How often a frame is tried for which the kernel has no room, and seconds before the second try.
TRIES, FIRST_PAUSE = 8, 0.002
# One lock serves all namespaces: others may hold it for a moment.
RESTORE = ["iptables-legacy-restore", "-w", "10"]
CLOCK_MONOTONIC_COARSE = 6
# How long a command may take.
TIMEOUT_SECONDS = 20
LIBC = ctypes.CDLL(None, use_errno=True)


def check(result):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def stay_on_processor(number=0):
    """What a frame causes has then happened when its sending returns, in order.

    The last processor is number 0.
    """
    processors = sorted(os.sched_getaffinity(0), reverse=True)
    os.sched_setaffinity(0, {processors[number % len(processors)]})


def serve(answer):
    """Answer requests until there are none."""
    for line in sys.stdin:
        try:
            result = answer(json.loads(line))
        except (OSError, RuntimeError) as error:
            result = {"error": str(error)}
        print(json.dumps(result), flush=True)


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
