import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { TABLE_NAMES } from "../../src/filter/placement.ts";
import { Protocol } from "../../src/l3/ipv4.ts";
import type { FlowEntry } from "../../src/nat/flow-entry.ts";
import { KernelRouter, missingForRouter, type TimedInput } from "./kernel-router.ts";
import { conversations, limitTables, type Step, ruleTables, steps } from "./state-cases.ts";
import { commandsOf, frameTo, KERNEL_WORLD, NAT, StateTwin } from "./state-world.ts";

const missing = missingForRouter();
const runs = Number(process.env["STATE_ORACLE_RUNS"] ?? 8);

/** The marks that `conntrack -L` lists, by the first packet's addresses and ports. */
const marksOf = (lines: readonly string[]): string[] =>
  lines
    .filter((line) => line !== "")
    .map((line) => line.replace(/^(\S+).*?(src=.*?) (?:packets|\[|src=).*(mark=\d+).*/, "$1 $2 $3"))
    .toSorted();

/** True if a port was drawn: ours is then not the kernel's. */
const hasDrawnPort = (entries: readonly FlowEntry[]): boolean =>
  entries.some(
    ({ original, reply, isSourceMapped }) =>
      isSourceMapped && original.protocol !== Protocol.Icmp && original.srcPort !== reply.dstPort,
  );

describe.skipIf(missing !== null)(`Rules that have a state (${missing ?? "here"})`, () => {
  let kernel: KernelRouter;

  beforeAll(async () => {
    kernel = await KernelRouter.open();
  });

  afterAll(() => kernel.close());

  async function compare(rules: string, sent: readonly Step[]): Promise<void> {
    let at = 0;
    const frames = sent.map(({ from, packet, wait }): TimedInput => {
      at += wait;
      const octets = Buffer.from(frameTo(from, packet)).toString("hex");
      return { at, interface: from, octets };
    });
    const iptables = NAT + rules;
    const played = await kernel.play({ ...KERNEL_WORLD, iptables, frames, tables: TABLE_NAMES });
    const twin = new StateTwin(kernel.hz, commandsOf(iptables));
    let now = 0;
    for (const [index, { interface: name, octets }] of frames.entries()) {
      now = (((played.sent[index] ?? 0) + 0.5) * SECOND) / kernel.hz;
      twin.receive(name, Buffer.from(octets, "hex"), now);
    }
    const { rules: ours, conntrack } = twin.firewall;
    if (conntrack === null) throw new Error("a nat table tracks connections");
    fc.pre(!played.isTorn && !hasDrawnPort(conntrack.entries(now)));
    expect(ours.save({ hasCounters: true })).toBe(played.saved.join(""));
    expect(marksOf(conntrack.text(now).split("\n"))).toEqual(marksOf(played.connections));
  }

  it.each([
    ["of every kind", ruleTables, steps],
    ["that count connections", limitTables, conversations],
  ])("%s match the same packets as the kernel's own", { timeout: 600_000 }, async (_, ...both) => {
    await fc.assert(
      fc.asyncProperty(...both, async (rules, sent) => compare(rules, sent)),
      { numRuns: runs },
    );
  });
});
