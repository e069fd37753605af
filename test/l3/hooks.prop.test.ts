import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Packet, PacketPool } from "../../src/wire/packet.ts";
import { Hook, type HookContext, type HookFunction, Hooks, Verdict } from "../../src/l3/hooks.ts";
import { newPacket } from "./packets.ts";

/** What one hook function does with each packet. */
type Deed = "accept" | "drop" | "steal" | "replace";

class Hooked implements HookFunction {
  readonly name = "test";
  readonly #deed: Deed;
  readonly #note: () => void;

  constructor(deed: Deed, note: () => void) {
    this.#deed = deed;
    this.#note = note;
  }

  onHook(packet: Packet, context: HookContext): Verdict {
    this.#note();
    const { pool } = packet;
    switch (this.#deed) {
      case "accept":
        return Verdict.Accept;
      case "drop":
        context.reason = "test/forbidden";
        return Verdict.Drop;
      case "steal":
        pool.end(packet, "consumed", "test/stolen", context.now);
        return Verdict.Stolen;
      case "replace":
        context.packet = newPacket(pool, new Uint8Array(4), { id: 7 });
        pool.end(packet, "consumed", "test/replaced", context.now);
        return Verdict.Accept;
    }
  }
}

const deed = fc.oneof(
  { arbitrary: fc.constantFrom<Deed>("accept", "replace"), weight: 4 },
  fc.constantFrom<Deed>("drop", "steal"),
);
const hook = fc.constantFrom(...Object.values(Hook));
const registered = fc.record({
  hook,
  priority: fc.constantFrom(-400, -200, 0, 100, 2 ** 31 - 1),
  deed,
  isGone: fc.constantFrom(false, false, false, true),
});

describe("a hook", () => {
  const pool = new PacketPool({ slots: 8, largeSlots: 0 });

  it("runs its functions by priority, then registration, until one keeps or drops", () => {
    fc.assert(
      fc.property(fc.array(registered, { maxLength: 12, size: "max" }), hook, (all, passed) => {
        const hooks = new Hooks();
        const ran: number[] = [];
        const functions = all.map((one, index) => new Hooked(one.deed, () => ran.push(index)));
        for (const [index, one] of all.entries()) {
          const hooked = functions[index];
          if (hooked !== undefined) hooks.register(one.hook, one.priority, hooked);
        }
        for (const [index, one] of all.entries()) {
          const hooked = functions[index];
          if (one.isGone && hooked !== undefined) hooks.unregister(hooked);
        }
        const order = [...all.entries()]
          .filter(([, one]) => one.hook === passed && !one.isGone)
          .toSorted(([, left], [, right]) => left.priority - right.priority);
        const end = order.findIndex(([, one]) => one.deed === "drop" || one.deed === "steal");
        const expected = end < 0 ? order : order.slice(0, end + 1);
        const result = hooks.pass(passed, newPacket(pool, new Uint8Array(4)), null, null, 5);
        expect(ran).toEqual(expected.map(([index]) => index));
        expect(result === null).toBe(end >= 0);
        if (result !== null) pool.end(result, "delivered", "test/passed", 5);
        expect(pool.live).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
