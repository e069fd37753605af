import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RouterWorld } from "../../src/zone/world/router-world.ts";
import { type World, WorldError } from "../../src/zone/world/world.ts";
import { Kernel, missingForKernel } from "./kernel.ts";

const CASES = Math.ceil(Number(process.env["ORACLE_CASES"] ?? 400) / 4);
const SEED = Number(process.env["ORACLE_SEED"] ?? 2010);

const INTERFACES: World["interfaces"] = {
  e0: { mac: "02:00:00:00:00:00", addresses: ["10.1.0.1/24 brd +", "10.1.9.1/24"] },
  e1: { mac: "02:00:00:00:00:01", addresses: ["10.254.168.2/32"] },
};

/** Words that may follow one another; most make a route that a kernel takes. */
const route = fc
  .record({
    kind: fc.constantFrom("", "", "", "unicast ", "unreachable ", "prohibit ", "blackhole "),
    prefix: fc.constantFrom("default", "0.0.0.0/0", "192.0.2.0/24", "192.0.2.1", "10.1.0.0/16"),
    via: fc.constantFrom("", "", " via 10.1.0.2", " via 10.1.9.2", " via 10.254.170.9"),
    odd: fc.constantFrom("", "", "", "", " via 10.1.0.1", " via 10.1.0.255", " via 192.0.2.9"),
    dev: fc.constantFrom("", " dev e0", " dev e0", " dev e1", " dev e1"),
    src: fc.constantFrom("", "", "", " src 10.1.0.1", " src 10.254.168.2", " src 10.7.7.7"),
    metric: fc.constantFrom("", "", " metric 5", " preference 5"),
    mtu: fc.constantFrom("", "", " mtu 900", " mtu lock 1400"),
    scope: fc.constantFrom("", "", "", " scope link", " scope host", " scope global"),
    proto: fc.constantFrom("", "", "", " proto static", " proto boot"),
    onlink: fc.constantFrom("", "", "", " onlink"),
  })
  .map(
    ({ kind, prefix, via, odd, dev, src, metric, mtu, scope, proto, onlink }) =>
      kind + prefix + (odd === "" ? via : odd) + dev + src + metric + mtu + scope + proto + onlink,
  );

const missing = missingForKernel();
const skipped = missing === null ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== null)(`words of routes${skipped}`, () => {
  let kernel: Kernel;
  beforeAll(async () => {
    kernel = await Kernel.open();
  });
  afterAll(() => kernel.close());

  /** What `ip route` shows in the kernel; `null` if it refuses the world. */
  async function shownByKernel(world: World): Promise<string | null> {
    try {
      const { shown } = await kernel.play(world, [], 0, [["ip", "route"]]);
      return (shown[0] ?? "").replaceAll(/ +$/gm, "");
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith("ip -batch")) throw error;
      return null;
    }
  }

  function shownByUs(world: World): string | null {
    try {
      return new RouterWorld(world, { traceLimit: 0 }).routes();
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      return null;
    }
  }

  it(
    "are refused where iproute2 and the kernel refuse them, and shown alike where not",
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(route, { minLength: 1, maxLength: 3 }), async (routes) => {
          const world = { interfaces: INTERFACES, routes };
          expect(shownByUs(world)).toBe(await shownByKernel(world));
        }),
        { numRuns: CASES, seed: SEED },
      );
    },
    60_000 + CASES * 500,
  );
});
