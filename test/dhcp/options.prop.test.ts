import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ADDRESS,
  ADDRESS_PAIRS,
  ADDRESSES,
  DOMAINS,
  FLAG,
  I32,
  OCTETS,
  type OptionType,
  ROUTES,
  TEXT,
  U16,
  U16S,
  U32,
  U8,
  U8S,
} from "../../src/dhcp/option-type.ts";
import { Option, packOptions, readOptions } from "../../src/dhcp/options.ts";
import { ipv4Of, maskOf } from "../../src/wire/addr.ts";

const u32 = fc.nat(0xffff_ffff);
const address = u32.map(ipv4Of);
const some = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(one, { minLength: 1 });
const letters = (max: number): fc.Arbitrary<string> =>
  fc
    .array(fc.integer({ min: 33, max: 255 }), { minLength: 1, maxLength: max })
    .map((codes) => String.fromCharCode(...codes).replaceAll(".", "-"));
const route = fc.tuple(address, fc.nat(32), address).map(([host, length, router]) => ({
  destination: { address: ipv4Of(host & maskOf(length)), length },
  router,
}));
const label = fc.oneof(fc.constantFrom("a", "b", "internal"), letters(63));
/** Without capitals: of two names that differ in case only, the first is written. */
const domain = fc
  .array(label, { minLength: 1, maxLength: 5 })
  .map((labels) => labels.join(".").replaceAll(/[A-Z]/g, "x"))
  .filter(({ length }) => length <= 253);

/** The law for one type: what it wrote is what it reads. */
const holds = <T>(type: OptionType<T>, value: fc.Arbitrary<T>): (() => void) => {
  const law = fc.property(value, (one) => {
    expect(type.decode(type.encode(one))).toEqual(one);
  });
  return () => {
    fc.assert(law, { numRuns: 50 });
  };
};

describe("The type of an option", () => {
  it.each([
    ["U8", holds(U8, fc.nat(0xff))],
    ["U16", holds(U16, fc.nat(0xffff))],
    ["U32", holds(U32, u32)],
    ["I32", holds(I32, fc.integer())],
    ["ADDRESS", holds(ADDRESS, address)],
    ["FLAG", holds(FLAG, fc.boolean())],
    ["OCTETS", holds(OCTETS, fc.uint8Array())],
    ["TEXT", holds(TEXT, letters(300))],
    ["ADDRESSES", holds(ADDRESSES, some(address))],
    ["ADDRESS_PAIRS", holds(ADDRESS_PAIRS, some(fc.tuple(address, address)))],
    ["U8S", holds(U8S, some(fc.nat(0xff)))],
    ["U16S", holds(U16S, some(fc.nat(0xffff)))],
    ["ROUTES", holds(ROUTES, some(route))],
    ["DOMAINS", holds(DOMAINS, some(domain))],
  ])("reads what it wrote: %s", (_, law) => {
    expect(law).not.toThrow();
  });

  it("reads any octets without a throw", () => {
    const types = Object.values(Option).map(({ type }) => type);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40, size: "max" }), (octets) => {
        for (const type of types) type.decode(octets);
        const isWhole = octets.length > 0 && octets.length % 4 === 0;
        expect(ADDRESSES.decode(octets) !== null).toBe(isWhole);
      }),
      { numRuns: 200 },
    );
  });
});

describe("Options", () => {
  it("are read from any octets without a throw, each octet in one part at most", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60, size: "max" }), (octets) => {
        const found = new Map<number, Uint8Array>();
        const parts: (readonly [number, Uint8Array])[] = [];
        readOptions(octets, found, parts);
        const sum = parts.reduce((total, [, part]) => total + part.length + 2, 0);
        expect(sum).toBeLessThanOrEqual(octets.length);
        const joined = [...found.values()].reduce((total, { length }) => total + length, 0);
        expect(joined).toBe(sum - 2 * parts.length);
      }),
      { numRuns: 300 },
    );
  });

  it("stay inside their places, whatever the room", () => {
    const code = fc.integer({ min: 1, max: 254 }).filter((one) => one !== 52);
    const option = fc.tuple(code, fc.uint8Array({ maxLength: 300, size: "max" }));
    fc.assert(
      fc.property(
        fc.array(option, { maxLength: 8 }),
        fc.integer({ min: 4, max: 400 }),
        fc.boolean(),
        fc.boolean(),
        (options, main, file, sname) => {
          const packed = packOptions(options, { main, file, sname });
          expect(packed.main.length).toBeLessThanOrEqual(main);
          expect([null, 128]).toContain(packed.file?.length ?? null);
          expect([null, 64]).toContain(packed.sname?.length ?? null);
          if (!file) expect(packed.file).toBeNull();
          if (!sname) expect(packed.sname).toBeNull();
        },
      ),
    );
  });
});
