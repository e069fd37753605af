import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MILLISECOND, SECOND } from "../../src/base/time.ts";
import { EtherType } from "../../src/l2/ethernet.ts";
import { Kernel, missingForKernel } from "./kernel.ts";
import { anyCase, anySlowCase, type Case, emulate, record } from "./world-case.ts";
import { comparable, unpaired } from "./world-compare.ts";
import { frameOf, packetOf, pattern } from "./world-octets.ts";

const CASES = Number(process.env["ORACLE_CASES"] ?? 400);
const SEED = Number(process.env["ORACLE_SEED"] ?? 2010);
/** Slow cases wait for timers, so that many kernels can play at once. */
const SLOW_KERNELS = 8;
const SLOW_CASES = Math.max(2, Math.ceil(CASES / 200));
/** A timer lies in a bucket of 32 ms; which one, the last microseconds before a tick decide. */
const TOLERANCE = 40 * MILLISECOND;
const TIMEOUT_MS = 60_000 + CASES * 500;

const missing = missingForKernel();
const skipped = missing === null ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== null)(`the emulated router${skipped}`, { concurrent: true }, () => {
  const kernels: Kernel[] = [];
  beforeAll(async () => {
    // One after the other: each measures when the ticks are.
    while (kernels.length < SLOW_KERNELS + 2) kernels.push(await Kernel.open());
  }, 60_000);
  afterAll(() => {
    for (const kernel of kernels) kernel.close();
  });
  const kernelOf = (index: number): Kernel => {
    const kernel = kernels[index];
    if (kernel === undefined) throw new Error("no kernel was opened");
    return kernel;
  };

  it(
    "sends what the kernel sends, octet for octet and in order",
    async () => {
      const kernel = kernelOf(0);
      await fc.assert(
        fc.asyncProperty(anyCase(24), async (one) => {
          const recording = await record(kernel, one);
          const { world, sent } = recording;
          const line = `for test/regressions/router.jsonl: ${JSON.stringify(recording)}`;
          expect(comparable(world, emulate(recording)), line).toEqual(comparable(world, sent));
        }),
        { numRuns: CASES, seed: SEED },
      );
    },
    TIMEOUT_MS,
  );

  it(
    "asks, learns, waits and gives up when the kernel does",
    async () => {
      const runs = Array.from({ length: SLOW_KERNELS }, async (_, index) => {
        const property = fc.asyncProperty(anySlowCase(10), async (one) => {
          expect(await differences(kernelOf(index + 1), one)).toEqual([]);
        });
        await fc.assert(property, { numRuns: SLOW_CASES, seed: SEED + index });
      });
      await Promise.all(runs);
    },
    TIMEOUT_MS,
  );

  it("reports a datagram that does not become whole after thirty seconds", async () => {
    expect(await differences(kernelOf(SLOW_KERNELS + 1), INCOMPLETE, 31 * SECOND)).toEqual([]);
  }, 90_000);
});

/**
 * What only one of both routers sends. A frame on the edge of a tick may be early for one and late
 * for the other, so a difference counts if it comes three times.
 */
async function differences(kernel: Kernel, one: Case, wait = 3_400 * MILLISECOND) {
  const until = (one.frames.at(-1)?.at ?? 0) + wait;
  for (let attempt = 1; ; attempt += 1) {
    const recording = await record(kernel, one, until);
    const { world, sent } = recording;
    const emulated = emulate(recording, until);
    const found = unpaired(world, sent, emulated, TOLERANCE, until - TOLERANCE);
    if (found.length === 0 || attempt === 3) return found;
  }
}

/** The first fragment of a datagram to the router, and a later one of another. */
const INCOMPLETE: Case = {
  world: {
    interfaces: {
      e0: {
        mac: "02:00:00:00:00:00",
        addresses: ["10.1.2.1/24"],
        neighbors: { "10.1.2.2": "12:31:39:00:00:00" },
      },
    },
  },
  frames: [
    { id: 7, flagsFragment: 0x2000 },
    { id: 8, flagsFragment: 0x2002 },
  ].map((part) => {
    const payload = pattern(16, part.id);
    const ends = { src: "10.1.2.2", dst: "10.1.2.1" };
    const rest = { tos: 0, ttl: 64, protocol: 17, options: new Uint8Array(0), payload };
    const octets = packetOf({ ...ends, ...part, ...rest });
    const frame = frameOf("02:00:00:00:00:00", "12:31:39:00:00:00", EtherType.Ipv4, octets);
    return { at: 0, interface: "e0", octets: Buffer.from(frame).toString("hex") };
  }),
};
