"""Plays packets through this computer's kernel with rules that count them, each just after a tick.

Each request is a line of JSON on standard input, each answer a line on standard output; routers are
built as the router's oracle builds them.
"""

import errno
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
from kernel import (  # noqa: E402
    CLOCK_MONOTONIC_COARSE,
    Ends,
    World,
    next_tick,
    now,
    run,
    tick_clock,
    wait_until,
    wait_until_running,
)

# Of a tick, in nanoseconds.
LENGTH = time.clock_getres(CLOCK_MONOTONIC_COARSE) * 1e9
# One lock serves all namespaces: others may hold it for a moment.
RESTORE = ["iptables-legacy-restore", "-w", "10"]


class RuleWorld(World):
    """A router with iptables rules."""

    def build(self, request):
        super().build(request)
        self.ends.namespace.enter()
        for far in self.near:
            wait_until_running(far)
        self.router.enter()
        run(RESTORE, request["iptables"])

    def play_frames(self, frames, tables):
        """Send each frame when its time has come; then print the rules and the connections."""
        start = now()
        first = tick_clock()
        sent = []
        is_torn = False
        for frame in frames:
            wait_until(start + frame["at"] * 1000)
            octets = bytes.fromhex(frame["octets"])
            tick, _ = next_tick()
            sent.append(round((tick - first) / LENGTH))
            # Who shares the processor may keep this process from running, or fill the queue to it.
            is_torn |= not self.send(octets, frame["interface"]) or tick_clock() != tick
        saved = [run(["iptables-legacy-save", "-c", "-t", table], "") for table in tables]
        done = subprocess.run(["conntrack", "-L"], capture_output=True, text=True, check=True)
        lines = done.stdout.splitlines()
        return {"sent": sent, "isTorn": is_torn, "saved": saved, "connections": lines}

    def send(self, octets, interface):
        """Send a frame; false if the kernel had no room for it."""
        try:
            self.ends.sender.sendto(octets, (self.far[interface], 0))
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            return False
        return True


def answer(ends, request):
    world = RuleWorld(ends, request)
    try:
        return world.play_frames(request["frames"], request["tables"])
    finally:
        world.close()


def main():
    # One processor: what a frame causes has then happened when its sending returns, in order.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    ends = Ends()
    print(json.dumps({"hz": round(1e9 / LENGTH)}), flush=True)
    for line in sys.stdin:
        try:
            result = answer(ends, json.loads(line))
        except (OSError, RuntimeError, subprocess.CalledProcessError) as error:
            result = {"error": str(error)}
        print(json.dumps(result), flush=True)


main()
