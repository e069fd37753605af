import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Kernel, missingForKernel } from "./kernel.ts";
import { anyCase, emulate, record } from "./world-case.ts";
import { comparable } from "./world-compare.ts";

const CASES = Math.ceil(Number(process.env["ORACLE_CASES"] ?? 400) / 4);
const SEED = Number(process.env["ORACLE_SEED"] ?? 2010);

const flag = fc.constantFrom(0, 1);
/** Settings of the whole router, each there or not. */
const settings = fc.record(
  {
    "net.ipv4.ip_forward": fc.constantFrom(0, 1, 1, 1),
    "net.ipv4.ip_default_ttl": fc.constantFrom(1, 32, 128, 255),
    "net.ipv4.icmp_ratelimit": fc.constantFrom(0, 0, 4, 100, 1000, 5000),
    "net.ipv4.icmp_ratemask": fc.oneof(fc.nat({ max: 0xffff }), fc.constantFrom(0, 0x1, 0x1839)),
    "net.ipv4.icmp_echo_ignore_all": flag,
    "net.ipv4.icmp_echo_ignore_broadcasts": flag,
    "net.ipv4.conf.all.rp_filter": fc.constantFrom(0, 1, 2),
    "net.ipv4.conf.default.rp_filter": fc.constantFrom(0, 1, 2),
    "net.ipv4.conf.all.proxy_arp": flag,
    "net.ipv4.conf.default.proxy_arp": flag,
    "net.ipv4.conf.all.send_redirects": flag,
    "net.ipv4.conf.default.send_redirects": flag,
    "net.ipv4.conf.default.medium_id": fc.constantFrom(-1, 0, 3),
    "net.ipv4.conf.all.accept_local": flag,
    "net.ipv4.conf.all.route_localnet": flag,
    "net.ipv4.conf.all.arp_ignore": fc.constantFrom(0, 1, 2),
    "net.ipv4.conf.default.arp_ignore": fc.constantFrom(0, 1, 2),
    "net.ipv4.conf.all.arp_filter": flag,
    "net.ipv4.conf.all.proxy_arp_pvlan": flag,
  },
  { requiredKeys: [] },
);

const missing = missingForKernel();
const skipped = missing === null ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== null)(`settings by their sysctl names${skipped}`, () => {
  let kernel: Kernel;
  beforeAll(async () => {
    kernel = await Kernel.open();
  });
  afterAll(() => kernel.close());

  it(
    "do to the emulated router what they do to the kernel",
    async () => {
      await fc.assert(
        fc.asyncProperty(anyCase(24), settings, async ({ world, frames }, own) => {
          const set = { ...world, sysctl: { ...own, ...world.sysctl } };
          const recording = await record(kernel, { world: set, frames });
          const emulated = comparable(set, emulate(recording));
          expect(emulated).toEqual(comparable(set, recording.sent));
        }),
        { numRuns: CASES, seed: SEED },
      );
    },
    60_000 + CASES * 500,
  );
});
