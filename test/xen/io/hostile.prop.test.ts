import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PacketPool } from "../../../src/wire/packet.ts";
import { Hypervisor } from "../../../src/xen/hypervisor/hypervisor.ts";
import { RawGuest } from "./raw-guest.ts";
import { frameOf, VifPair } from "./vif-pair.ts";

const PAGE = 4096;

/** Octets to write, where, and what happens then. */
interface Blow {
  readonly where: "tx" | "rx" | "grants" | "memory" | "events";
  readonly at: number;
  readonly word: number;
  readonly after: "event" | "to guest" | "wait" | "sound frame" | "nothing";
}

const word = fc.oneof(
  fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  fc.constantFrom(0, 1, 5, 255, 256, 257, -1, 0x7fff_ffff, -(2 ** 31)),
  // An entry that lets Dom0 in, and a request of a usual size.
  fc.constantFrom(1, 5, (60 << 16) | 3, 0x0004_0000, 0x0008_0000),
);
const blow: fc.Arbitrary<Blow> = fc.record({
  where: fc.constantFrom("tx", "tx", "tx", "rx", "rx", "grants", "grants", "memory", "events"),
  // The header's words, and those of the first slots, more often than others.
  at: fc.oneof(fc.nat(3), fc.integer({ min: 16, max: 60 }), fc.nat(1023)),
  word,
  after: fc.constantFrom("event", "event", "to guest", "wait", "sound frame", "nothing"),
});

describe.each([
  ["2618", false],
  ["6", false],
  ["6", true],
] as const)("a hostile guest beside others, era %s, shared memory %s", (era, isShared) => {
  it("harms nobody, whatever it writes into its rings and grants", () => {
    fc.assert(
      fc.property(fc.array(blow, { maxLength: 150, size: "max" }), (blows) => {
        const hypervisor = new Hypervisor();
        const pool = new PacketPool({ slots: 1024, largeSlots: 16 });
        const neighbor = new VifPair({ era, hypervisor, pool, domid: 7 });
        const rate = { octets: 5000, period: 50_000 };
        const guest = new RawGuest({ era, isShared, hypervisor, pool, domid: 3, rate });
        const { pair } = guest;
        guest.post(40);
        guest.send({ octets: frameOf(1) });
        const pages = {
          tx: guest.tx.gfn,
          rx: guest.rx.gfn,
          grants: pair.domain.table.frames[0] ?? 0,
          memory: guest.rx.gfn + 3,
          events: hypervisor.events.sharedInfo(3)?.gfn ?? 0,
        };
        blows.forEach(({ where, at, word: value, after }, number) => {
          pair.domain.memory.words[(pages[where] * PAGE) / 4 + at] = value;
          if (after === "event") hypervisor.events.send(3, guest.port, pair.now);
          else if (after === "to guest") pair.toGuest(frameOf(number, 60 + (number % 1400)));
          else if (after === "wait") pair.advance(pair.now + 30_000);
          else if (after === "sound frame") {
            const octets = frameOf(number, 60 + (number % 1400));
            neighbor.fromGuest(octets);
            neighbor.toGuest(octets);
            const sent = neighbor.atVif.frames.pop()?.octets ?? new Uint8Array();
            const got = neighbor.atGuest.frames.pop()?.octets ?? new Uint8Array();
            expect(Buffer.compare(sent, octets) + Buffer.compare(got, octets)).toBe(0);
          }
        });
        // Each packet that there was has ended, or waits for buffers or credit in a known place.
        pair.advance(pair.now + 20_000_000);
        pair.netback.disconnect(pair.now);
        expect(pool.live).toBe(0);
        expect(hypervisor.dom0.table.mappings).toBe(2);
      }),
      { numRuns: 80 },
    );
  });

  it("harms nobody, if its memory changes under a sound driver", () => {
    fc.assert(
      fc.property(fc.array(blow, { maxLength: 80, size: "max" }), (blows) => {
        const pair = new VifPair({ era, isShared });
        const { memory, table } = pair.domain;
        const sharedInfo = pair.hypervisor.events.sharedInfo(3)?.gfn ?? 0;
        const grants = table.frames[0] ?? 0;
        // Rings are allocated next behind the page of events.
        const pages = {
          tx: sharedInfo + 1,
          rx: sharedInfo + 2,
          grants,
          memory: sharedInfo + 4,
          events: sharedInfo,
        };
        blows.forEach(({ where, at, word: value, after }, number) => {
          memory.words[(pages[where] * PAGE) / 4 + at] = value;
          if (after === "to guest") pair.toGuest(frameOf(number, 60 + (number % 9000)));
          else if (after === "wait") pair.advance(pair.now + 300_000);
          else pair.fromGuest(frameOf(number, 60 + (number % 9000)));
        });
        pair.netback.disconnect(pair.now);
        pair.netfront.close(pair.now);
        expect(pair.pool.live).toBe(0);
      }),
      { numRuns: 80 },
    );
  });
});
