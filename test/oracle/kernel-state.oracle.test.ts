import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ipAddrText, ipNeighText, ipRouteText } from "../../src/l3/ip-text.ts";
import { Kernel, missingForKernel } from "./kernel.ts";
import { anyCase, runEmulated } from "./world-case.ts";

const CASES = Math.ceil(Number(process.env["ORACLE_CASES"] ?? 400) / 4);
const SEED = Number(process.env["ORACLE_SEED"] ?? 2010);
const COMMANDS = [
  ["ip", "addr"],
  ["ip", "route"],
  ["ip", "neigh"],
];

const missing = missingForKernel();
const skipped = missing === null ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== null)(`iproute2${skipped}`, () => {
  let kernel: Kernel;
  beforeAll(async () => {
    kernel = await Kernel.open();
  });
  afterAll(() => kernel.close());

  it(
    "prints addresses, routes and neighbors as the emulated router does, whatever came in",
    async () => {
      await fc.assert(
        fc.asyncProperty(anyCase(12), async (one) => {
          const played = await kernel.play(one.world, one.frames, 0, COMMANDS);
          const [addresses = "", routes = "", neighbors = ""] = played.shown;
          const clock = { start: played.start, jiffies: kernel.jiffies };
          const times = played.sent.map(([before]) => before - played.start);
          const { router } = runEmulated({ ...one, clock, times });
          expect(linesOf(ipAddrText(router))).toEqual(linesOf(plainAddresses(addresses)));
          expect(linesOf(ipRouteText(router))).toEqual(linesOf(routes));
          const known = linesOf(ipNeighText(router)).toSorted();
          expect(known).toEqual(linesOf(neighbors).toSorted());
        }),
        { numRuns: CASES, seed: SEED },
      );
    },
    60_000 + CASES * 500,
  );
});

/** The lines of `text`, without the spaces at their ends and without empty ones. */
const linesOf = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "");

/** `ip addr` without what only a kernel has: queues, peers of links, lifetimes, lo's own MTU. */
const plainAddresses = (text: string): string =>
  text
    .replaceAll(/ {7}valid_lft .*\n/g, "")
    .replaceAll(/@if\d+:/g, ":")
    .replaceAll(/ (?:qdisc|link-netnsid) .*/g, "")
    .replace("mtu 65536", "mtu 65535");
