import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Host } from "../../src/guest/host.ts";
import type { TracerouteOptions } from "../../src/guest/traceroute.ts";
import { newRoute } from "../../src/l3/route-table.ts";
import { formatIpv4, parseIpv4, parsePrefix } from "../../src/wire/addr.ts";
import { ROUTER_6 } from "../support/behaviour.ts";
import { Net } from "./net.ts";

const SECOND = 1_000_000;

interface Chain {
  readonly net: Net;
  readonly near: Host;
  /** Who answers at each hop. */
  readonly addresses: readonly string[];
}

/**
 * near -- gate 1 -- ... -- gate n -- far: link k is 10.k.0.0/16, with .1 on its near side. Nobody
 * limits his errors but by the bucket of each peer: few probes a hop stay within it.
 */
function chain(seed: number, delays: readonly number[], loss: number): Chain {
  const net = new Net(seed);
  const last = delays.length;
  const near = net.host("near", "10.1.0.2/16", "10.1.0.1");
  const far = net.host("far", `10.${last}.0.1/16`, `10.${last}.0.2`);
  const gates = delays.slice(1).map((_, index) => {
    const name = `gate ${index + 1}`;
    const own = [`10.${index + 1}.0.1/16`, `10.${index + 2}.0.2/16`];
    const { router, devices } = net.router(name, own, { behaviour: ROUTER_6 });
    const [front, back] = devices;
    if (front === undefined || back === undefined) throw new RangeError("no device");
    const { fib } = router.addressing;
    for (let link = index + 3; link <= last; link += 1) {
      const gateway = parseIpv4(`10.${index + 2}.0.1`);
      fib.add(newRoute({ prefix: parsePrefix(`10.${link}.0.0/16`), gateway, device: back }));
    }
    for (let link = 1; link <= index; link += 1) {
      const gateway = parseIpv4(`10.${index + 1}.0.2`);
      fib.add(newRoute({ prefix: parsePrefix(`10.${link}.0.0/16`), gateway, device: front }));
    }
    return { front, back };
  });
  const ends = [near.device, ...gates.flatMap(({ front, back }) => [front, back]), far.device];
  delays.forEach((delay, index) => {
    const left = ends[2 * index] ?? near.device;
    net.join(left, ends[2 * index + 1], delay, loss > 0 ? { faults: { loss } } : {});
  });
  const addresses = delays.map((_, index) => `10.${index + 1}.0.1`);
  return { net, near, addresses };
}

const delays = fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 5 });
const methods = fc.constantFrom("udp" as const, "icmp" as const);
const options = fc.record({
  method: methods,
  probesPerHop: fc.integer({ min: 1, max: 3 }),
  atOnce: fc.integer({ min: 1, max: 6 }),
});

/** What came of a run: who answered, and which TTLs were sent. */
function trace(
  { net, near, addresses }: Chain,
  choice: Partial<TracerouteOptions>,
): { hops: string[][]; ttls: number[]; isDone: boolean } {
  const target = parseIpv4(addresses.at(-1) ?? "0.0.0.0");
  const run = near.traceroute({ ...choice, target, maxHops: 8 }, net.now);
  net.run(400 * SECOND);
  const sent = net.framesOf("near").filter((hex) => hex.slice(24, 28) === "0800");
  return {
    hops: run.hops.map(({ answers }) =>
      answers.map((answer) =>
        answer === null ? "*" : `${formatIpv4(answer.address)}${answer.mark}`,
      ),
    ),
    ttls: sent.map((hex) => Number.parseInt(hex.slice(44, 46), 16)),
    isDone: run.isDone,
  };
}

describe("traceroute", () => {
  it("finds every router of a chain in its order, and ends at the target", () => {
    fc.assert(
      fc.property(fc.nat(99), delays, options, (seed, chosen, choice) => {
        const way = chain(seed, chosen, 0);
        // Each knows his neighbor, so that ARP delays nobody.
        way.near.ping({ target: parseIpv4(way.addresses.at(-1) ?? "0.0.0.0"), count: 1 }, 0);
        way.net.run(40 * SECOND);
        way.net.sent.length = 0;
        const { hops, ttls, isDone } = trace(way, choice);
        const { probesPerHop } = choice;
        expect(isDone).toBe(true);
        expect(hops).toEqual(
          way.addresses.map((address) => Array<string>(probesPerHop).fill(address)),
        );
        // The TTL rises by one after each hop's probes, and no faster.
        expect(ttls).toEqual(ttls.map((_, index) => Math.floor(index / probesPerHop) + 1));
        expect([way.near.udp.size, way.net.pool.live]).toEqual([1, 0]);
      }),
      { numRuns: 40 },
    );
  });

  it("on lossy links ends in bounded time, with each answer at its hop or not at all", () => {
    fc.assert(
      fc.property(fc.nat(999), delays, options, (seed, chosen, choice) => {
        const way = chain(seed, chosen, 0.3);
        const { hops, ttls, isDone } = trace(way, choice);
        expect(isDone).toBe(true);
        expect(ttls.length).toBeLessThanOrEqual(8 * choice.probesPerHop);
        hops.forEach((answers, index) => {
          const right = way.addresses[Math.min(index, way.addresses.length - 1)];
          // Whom ARP does not find is reported by the one before, with a mark.
          const said = answers.filter((answer) => answer !== "*" && !answer.endsWith("!H"));
          expect(said).toEqual(said.map(() => right));
        });
        expect(way.near.udp.size).toBe(1);
      }),
      { numRuns: 30 },
    );
  });
});
