import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Ipv4Addr, ipv4Of, parseIpv4 } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { IPV4 } from "../../src/l3/ipv4.ts";
import {
  echoOptions,
  Ipv4Options,
  keepCopiedOptions,
  writeEchoed,
} from "../../src/l3/ipv4-options.ts";
import { optionOctets } from "../oracle/world-options.ts";

const OWN = parseIpv4("10.1.2.1");
const LEAVING = parseIpv4("10.2.2.1");
const NOON = 43_200_000;
const HOST = {
  specificAddress: (): Ipv4Addr => OWN,
  isForeign: (address: Ipv4Addr): boolean => address !== OWN,
  timeOfDay: (): number => NOON,
};
/** Octets before and after the header, that nobody may read or write. */
const GUARD = 24;

/** A header with options, between guards of `guard`. */
function between(options: Uint8Array, guard: number): Uint8Array {
  const length = Math.min(Math.ceil(options.length / 4) * 4, 40);
  const bytes = new Uint8Array(GUARD + 20 + length + GUARD).fill(guard);
  bytes.fill(0, GUARD, GUARD + 20 + length);
  bytes.set(options.subarray(0, length), GUARD + 20);
  IPV4.versionIhl.set(viewOf(bytes), GUARD, 0x45 + length / 4);
  IPV4.src.set(viewOf(bytes), GUARD, ipv4Of(0x0a01_0202));
  return bytes;
}

const any = fc.oneof(optionOctets, fc.uint8Array({ maxLength: 40, size: "max" }));

/** Everything that can be done with the options of a packet. @returns what was found. */
function useAll(bytes: Uint8Array): unknown {
  const view = viewOf(bytes);
  const options = new Ipv4Options(HOST);
  const wrong = options.read(view, GUARD);
  const echoed = echoOptions(view, GUARD, options);
  if (wrong < 0) options.fill(view, GUARD, LEAVING);
  keepCopiedOptions(view, GUARD);
  const { length, sourceRoute, recordRoute, timestamp, routerAlert, commercialSecurity } = options;
  const places = { length, sourceRoute, recordRoute, timestamp, routerAlert, commercialSecurity };
  return { wrong, echoed, ...places };
}

describe("options of any octets", () => {
  it("are used without a throw, and without a look or a touch outside the header", () => {
    fc.assert(
      fc.property(any, (octets) => {
        const [one, other] = [between(octets, 0x00), between(octets, 0xff)];
        expect(useAll(one)).toEqual(useAll(other));
        expect(one.subarray(GUARD, -GUARD)).toEqual(other.subarray(GUARD, -GUARD));
        expect(one.subarray(0, GUARD).every((octet) => octet === 0)).toBe(true);
        expect(one.subarray(-GUARD).every((octet) => octet === 0)).toBe(true);
        expect(other.subarray(0, GUARD).every((octet) => octet === 0xff)).toBe(true);
        expect(other.subarray(-GUARD).every((octet) => octet === 0xff)).toBe(true);
      }),
      { numRuns: 1500 },
    );
  });

  it("are wrong, if at all, at an octet of theirs", () => {
    fc.assert(
      fc.property(any, (octets) => {
        const bytes = between(octets, 0);
        const wrong = new Ipv4Options(HOST).read(viewOf(bytes), GUARD);
        expect(wrong === -1 || (wrong >= 20 && wrong < bytes.length - 2 * GUARD)).toBe(true);
      }),
    );
  });

  it("come back in an answer as whole words that fit a header", () => {
    fc.assert(
      fc.property(any, (octets) => {
        const view = viewOf(between(octets, 0));
        const options = new Ipv4Options(HOST);
        options.read(view, GUARD);
        const echoed = echoOptions(view, GUARD, options);
        if (echoed === null) return;
        expect(echoed.octets.length % 4).toBe(0);
        expect(echoed.octets.length).toBeLessThanOrEqual(40);
        for (const at of [echoed.routeAt, echoed.addressAt, echoed.timeAt]) {
          if (at >= 0) expect(at + 4).toBeLessThanOrEqual(echoed.octets.length);
        }
        const answer = new Uint8Array(20 + echoed.octets.length + GUARD).fill(0xee);
        writeEchoed(viewOf(answer), 0, echoed, OWN, NOON);
        expect(answer.subarray(0, 20).every((octet) => octet === 0xee)).toBe(true);
        expect(answer.subarray(-GUARD).every((octet) => octet === 0xee)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe("a record route", () => {
  it("grows by the address that the packet leaves from while it has room", () => {
    const slots = fc
      .integer({ min: 0, max: 9 })
      .chain((room) => fc.tuple(fc.constant(room), fc.nat({ max: room })));
    fc.assert(
      fc.property(slots, ([room, used]) => {
        const option = new Uint8Array(3 + 4 * room).fill(9);
        option.set([7, 3 + 4 * room, 4 + 4 * used]);
        const bytes = between(option, 0);
        const options = new Ipv4Options(HOST);
        expect(options.read(viewOf(bytes), GUARD)).toBe(-1);
        options.fill(viewOf(bytes), GUARD, LEAVING);
        const expected = option.slice();
        if (used < room) {
          expected[2] = 8 + 4 * used;
          expected.set([10, 2, 2, 1], 3 + 4 * used);
        }
        expect(bytes.slice(GUARD + 20, GUARD + 20 + option.length)).toEqual(expected);
        expect(options.isChanged).toBe(used < room);
      }),
    );
  });
});

describe("the options of a later fragment", () => {
  it("are those with the copied flag, the rest is no-operations, and nothing moves", () => {
    fc.assert(
      fc.property(any, (octets) => {
        const bytes = between(octets, 0);
        const before = bytes.slice();
        keepCopiedOptions(viewOf(bytes), GUARD);
        for (const [at, octet] of bytes.entries()) expect([before[at], 1]).toContain(octet);
        const again = bytes.slice();
        keepCopiedOptions(viewOf(again), GUARD);
        expect(again).toEqual(bytes);
      }),
    );
  });
});
