"""Plays packets through this computer's kernel with rules that count them, each just after a tick.

Routers are built as the router's oracle builds them.
"""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))
from kernel import Ends, World  # noqa: E402
from namespaces import (  # noqa: E402
    CLOCK_MONOTONIC_COARSE,
    RESTORE,
    next_tick,
    now,
    run,
    serve,
    stay_on_processor,
    tick_clock,
    transmit,
    wait_until,
    wait_until_running,
)

# Of a tick, in nanoseconds.
LENGTH = time.clock_getres(CLOCK_MONOTONIC_COARSE) * 1e9


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
            transmit(self.ends.sender, octets, self.far[frame["interface"]])
            # Who shares the processor may keep this process from running, or fill the queue to it.
            is_torn |= tick_clock() != tick
        saved = [run(["iptables-legacy-save", "-c", "-t", table]) for table in tables]
        lines = run(["conntrack", "-L"]).splitlines()
        return {"sent": sent, "isTorn": is_torn, "saved": saved, "connections": lines}


def main():
    stay_on_processor()
    ends = Ends()

    def answer(request):
        world = RuleWorld(ends, request)
        try:
            return world.play_frames(request["frames"], request["tables"])
        finally:
            world.close()

    print(json.dumps({"hz": round(1e9 / LENGTH)}), flush=True)
    serve(answer)


main()
