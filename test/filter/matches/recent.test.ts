import { describe, expect, it } from "vitest";
import { type Instant, MILLISECOND, SECOND } from "../../../src/base/time.ts";
import { Hook, Verdict } from "../../../src/l3/hooks.ts";
import type { RuleSet } from "../../../src/filter/rule-set.ts";
import { Cast, PacketPool } from "../../../src/wire/packet.ts";
import { type FrameParts, packetOf } from "../facts.ts";
import { newRuleSet } from "../stand.ts";

const PLACE = { input: "vif1.0", output: null, cast: Cast.Host, flowState: 0, mark: 0 };

/** True if a packet from `src` is dropped in chain INPUT. */
function isDropped(rules: RuleSet, src: number, now: Instant, ttl = 64): boolean {
  const parts: FrameParts = {
    ...{ src, dst: 2, protocol: 255, tos: 0, ttl, flagsFragment: 0, options: 0 },
    ...{ transport: new Uint8Array(0), sourceMac: 0 },
  };
  const packet = packetOf(new PacketPool({ slots: 1, largeSlots: 0 }), parts, PLACE);
  const context = { hook: Hook.Input, packet, input: null, output: null, now };
  const verdict = rules
    .table("filter")
    .onHook(packet, { ...context, reason: "test/none", detail: "" });
  return verdict === Verdict.Drop;
}

function withRules(...lines: readonly string[]): RuleSet {
  const { rules } = newRuleSet();
  rules.restore(["*filter", ...lines, "COMMIT", ""].join("\n"));
  return rules;
}

describe("-m recent", () => {
  it("counts what came within its seconds", () => {
    const rules = withRules(
      "-A INPUT -m recent --update --seconds 10 --hitcount 3 --name ssh -j DROP",
      "-A INPUT -m recent --set --name ssh -j ACCEPT",
    );
    const seen = [0, 1, 2, 3].map((second) => isDropped(rules, 1, second * SECOND));
    expect(seen).toEqual([false, false, false, true]);
    expect(isDropped(rules, 9, 4 * SECOND)).toBe(false);
    // What was dropped counts too.
    expect(isDropped(rules, 1, 11 * SECOND)).toBe(true);
    expect(isDropped(rules, 1, 13 * SECOND + 4 * MILLISECOND)).toBe(false);
  });

  it("forgets the address that was seen longest ago when the hundred and first comes", () => {
    const rules = withRules(
      "-A INPUT -m recent --rcheck --name x -j DROP",
      "-A INPUT -m recent --set --name x",
    );
    for (let address = 1; address <= 101; address += 1) isDropped(rules, address, 0);
    expect(isDropped(rules, 2, 0)).toBe(true);
    expect(isDropped(rules, 1, 0)).toBe(false);
  });

  it("shares its list with every rule and table that names it, and with no other", () => {
    const rules = withRules("-A INPUT -m recent --rcheck --name b -j DROP");
    rules.command("-t mangle -A INPUT -m recent --set --name b");
    rules.command("-t mangle -A INPUT -m recent --set --name c");
    expect(isDropped(rules, 1, 0)).toBe(false);
    const table = rules.table("mangle");
    const pool = new PacketPool({ slots: 1, largeSlots: 0 });
    const parts: FrameParts = {
      ...{ src: 1, dst: 2, protocol: 255, tos: 0, ttl: 64, flagsFragment: 0, options: 0 },
      ...{ transport: new Uint8Array(0), sourceMac: 0 },
    };
    const packet = packetOf(pool, parts, PLACE);
    const context = { hook: Hook.Input, packet, input: null, output: null, now: 0 };
    table.onHook(packet, { ...context, reason: "test/none", detail: "" });
    expect(isDropped(rules, 1, 0)).toBe(true);
  });

  it("keeps a list as long as one rule names it", () => {
    const rules = withRules(
      "-A INPUT -m recent --rcheck --name x -j DROP",
      "-A INPUT -m recent --set --name x",
    );
    isDropped(rules, 1, 0);
    rules.command("-D INPUT 1");
    rules.command("-I INPUT -m recent --rcheck --name x -j DROP");
    expect(isDropped(rules, 1, 0)).toBe(true);
    rules.command("-F INPUT");
    rules.command("-A INPUT -m recent --rcheck --name x -j DROP");
    expect(isDropped(rules, 1, 0)).toBe(false);
  });

  it("reaps the oldest address once its time is over", () => {
    const rules = withRules(
      "-A INPUT -s 0.0.0.1 -m recent --set --name x",
      "-A INPUT -s 0.0.0.2 -m recent --update --seconds 5 --reap --name x",
      "-A INPUT -s 0.0.0.2 -m recent --set --name x",
      "-A INPUT -s 0.0.0.3 -m recent --rcheck --name x -j DROP",
      "-A INPUT -s 0.0.0.1 -m recent --rcheck --name x -j DROP",
    );
    expect(isDropped(rules, 1, 0)).toBe(true);
    isDropped(rules, 2, SECOND);
    isDropped(rules, 2, 5 * SECOND + 4 * MILLISECOND);
    rules.command("-D INPUT 1");
    expect(isDropped(rules, 1, 6 * SECOND)).toBe(false);
  });

  it("tells apart by TTL if it is asked to", () => {
    const rules = withRules(
      "-A INPUT -m recent --rcheck --rttl --name x -j DROP",
      "-A INPUT -m recent --set --name x",
    );
    isDropped(rules, 1, 0, 64);
    expect(isDropped(rules, 1, 0, 63)).toBe(false);
    expect(isDropped(rules, 1, 0, 63)).toBe(true);
  });
});
