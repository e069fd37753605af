import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AddressProbe } from "../../src/guest/address-probe.ts";
import { ArpOp } from "../../src/l2/arp.ts";
import { ipv4Of, MAC_BROADCAST, macOf, parseIpv4 } from "../../src/wire/addr.ts";
import { Prng } from "../../src/base/prng.ts";
import { Net } from "./net.ts";

const SECOND = 1_000_000;
const WANTED = parseIpv4("10.0.0.9");
const NONE = ipv4Of(0);

interface Outcome {
  /** When the address was claimed, or a conflict found; -1 for never. */
  readonly claimed: number;
  readonly conflict: number;
  readonly frames: readonly { readonly at: number; readonly spa: string }[];
  readonly isDone: boolean;
}

/** A probe, and another station that sends one ARP message at `at`. */
function probe(seed: number, at: number, spa: number, tpa: number, op: number): Outcome {
  const net = new Net(seed);
  const host = net.host("host", "10.0.0.1/24");
  const other = net.host("other", "10.0.0.2/24");
  net.join(host.device, other.device, 0);
  const { device, router } = host;
  let claimed = -1;
  let conflict = -1;
  const machine = new AddressProbe(
    {
      device,
      arp: router.arp,
      chance: new Prng(seed),
      address: WANTED,
      onClaimed: (now) => {
        claimed = now;
      },
      onConflict: (now) => {
        conflict = now;
      },
    },
    0,
  );
  net.scheduler.add(machine);
  net.scheduler.at(at, (now) => {
    const { arp } = other.router;
    arp.transmit(other.device, op, MAC_BROADCAST, ipv4Of(spa), macOf(0), ipv4Of(tpa), now);
  });
  net.scheduler.at(at, () => net.scheduler.reschedule(machine));
  for (let second = 1; second <= 12; second += 1) {
    net.run(SECOND / 2);
    net.scheduler.reschedule(machine);
    net.run(SECOND / 2);
    net.scheduler.reschedule(machine);
  }
  const frames = net.sent
    .filter(({ from }) => from === "host")
    .map(({ at: when, hex }) => ({ at: when, spa: hex.slice(56, 64) }));
  return { claimed, conflict, frames, isDone: machine.isDone };
}

const seeds = fc.nat(1000);
const whens = fc.integer({ min: 0, max: 12 * SECOND });

describe("an address probe", () => {
  it("keeps the times of RFC 5227 section 1.1, and claims what nobody defends", () => {
    fc.assert(
      fc.property(seeds, whens, (seed, at) => {
        // Another address, or the wanted one as the target of an ordinary request: no conflict.
        const spa = parseIpv4("10.0.0.2");
        const { claimed, conflict, frames, isDone } = probe(seed, at, spa, WANTED, ArpOp.Request);
        expect([conflict, isDone]).toEqual([-1, true]);
        const own = frames.filter(({ spa: sender }) => sender !== "0a000001");
        const when = own.map((frame) => frame.at);
        const [first = -1, second = -1, third = -1, fourth = -1, fifth = -1] = when;
        expect(own.map(({ spa: sender }) => sender)).toEqual([
          "00000000",
          "00000000",
          "00000000",
          "0a000009",
          "0a000009",
        ]);
        expect(first).toBeLessThanOrEqual(SECOND);
        for (const gap of [second - first, third - second]) {
          expect(gap).toBeGreaterThanOrEqual(SECOND);
          expect(gap).toBeLessThanOrEqual(2 * SECOND);
        }
        expect([fourth - third, fifth - fourth, claimed]).toEqual([2 * SECOND, 2 * SECOND, fourth]);
      }),
      { numRuns: 30 },
    );
  });

  it("takes its own messages, that a switch sends back, for no conflict", () => {
    const net = new Net();
    const host = net.host("host", "10.0.0.1/24");
    const { device, router } = host;
    let conflicts = 0;
    const machine = new AddressProbe(
      {
        device,
        arp: router.arp,
        chance: new Prng(1),
        address: WANTED,
        onClaimed: () => {},
        onConflict: () => {
          conflicts += 1;
        },
      },
      0,
    );
    device.attachCarrier({ carry: (_, packet, now) => device.receive(packet, now) });
    net.scheduler.add(machine);
    net.run(12 * SECOND);
    expect([conflicts, machine.isClaimed, machine.isDone]).toEqual([0, true, true]);
  });

  it("finds every conflict before the claim, and none after it", () => {
    const forms = fc.constantFrom<readonly [number, number, number]>(
      [WANTED, WANTED, ArpOp.Request],
      [WANTED, parseIpv4("10.0.0.2"), ArpOp.Reply],
      [NONE, WANTED, ArpOp.Request],
    );
    // From before the first probe to after the last announcement.
    const offsets = fc
      .integer({ min: -6 * SECOND, max: 3 * SECOND })
      .filter((value) => value !== 0);
    fc.assert(
      fc.property(seeds, offsets, forms, (seed, offset, [spa, tpa, op]) => {
        const quiet = probe(seed, 12 * SECOND, NONE, NONE, ArpOp.Request);
        const at = Math.max(quiet.claimed + offset, 0);
        const { claimed, conflict, isDone } = probe(seed, at, spa, tpa, op);
        expect(isDone).toBe(true);
        if (offset < 0) {
          expect(claimed).toBe(-1);
          expect(conflict).toBeGreaterThanOrEqual(at);
        } else expect([claimed, conflict]).toEqual([quiet.claimed, -1]);
      }),
      { numRuns: 40 },
    );
  });
});
