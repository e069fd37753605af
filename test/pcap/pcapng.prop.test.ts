import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/base/errors.ts";
import { CaptureReader, readCapture } from "../../src/pcap/capture-reader.ts";
import type { InterfaceDescription } from "../../src/pcap/pcapng-writer.ts";
import { type CaptureRecord, directionOf, nanosecondsOf } from "../../src/pcap/record.ts";
import { ipv4Of, macOf } from "../../src/wire/addr.ts";
import { ForeignFile } from "./foreign-file.ts";
import { view, written } from "./collect.ts";

const word = fc.string({ unit: "binary", maxLength: 12 }).filter((text) => !text.includes("\0"));
const whole = fc.maxSafeNat();
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const some = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(value, { freq: 2 });

const description: fc.Arbitrary<Required<InterfaceDescription>> = fc.record({
  name: word,
  description: word,
  mac: some(fc.nat(2 ** 48 - 1).map(macOf)),
  addresses: fc.array(fc.record({ address: fc.nat(2 ** 32 - 1).map(ipv4Of), length: fc.nat(32) }), {
    maxLength: 3,
  }),
});
const verdict = fc.oneof(
  fc.record({ judge: fc.constantFrom("tc" as const, "xdp" as const), action: u64 }),
  fc.record({ judge: fc.constant("hardware" as const), octets: fc.uint8Array({ maxLength: 9 }) }),
);
const frame = fc.record({
  interface: fc.nat(9),
  now: whole,
  octets: fc.uint8Array({ maxLength: 70 }),
  before: fc.nat(7),
  flags: fc.nat(2 ** 32 - 1),
  packetId: whole,
  /** How many frames later its verdict and comment come. */
  later: fc.nat(3),
  verdict: some(verdict),
  comment: some(word),
});
const capture = fc.record({
  epochNs: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  chunkOctets: fc.integer({ min: 1024, max: 4096 }),
  interfaces: fc.array(description, { minLength: 1, maxLength: 5 }),
  frames: fc.array(frame, { maxLength: 60 }),
  names: fc.array(
    fc.tuple(
      fc.nat(5).map(ipv4Of),
      word.filter((text) => text !== ""),
    ),
    {
      maxLength: 4,
    },
  ),
});
type Plan = typeof capture extends fc.Arbitrary<infer T> ? T : never;

function write({ epochNs, chunkOctets, interfaces, frames, names }: Plan): Uint8Array {
  return written(
    (writer) => {
      for (const one of interfaces) writer.addInterface(one);
      const annotate = (index: number): void => {
        for (const [number, one] of frames.entries()) {
          if (number + one.later !== index) continue;
          expect(writer.annotate(number, one.verdict, one.comment)).toBe(true);
        }
      };
      for (const [index, one] of frames.entries()) {
        const source = view([...new Uint8Array(one.before).fill(0xee), ...one.octets, 0xee]);
        const id = one.interface % interfaces.length;
        const end = one.before + one.octets.length;
        writer.writeFrame(id, one.now, source, one.before, end, one.flags, one.packetId);
        annotate(index);
      }
      for (let index = frames.length; index < frames.length + 4; index += 1) annotate(index);
      for (const [address, name] of names) writer.addNames(address, [name]);
    },
    { epochNs, chunkOctets },
  );
}

/** What a reader should make of `plan`. */
const expected = ({ epochNs, interfaces, frames }: Plan): unknown[] =>
  frames.map((one) => ({
    interface: one.interface % interfaces.length,
    nanoseconds: epochNs + BigInt(one.now) * 1000n,
    octets: one.octets,
    originalLength: one.octets.length,
    flags: one.flags,
    direction: directionOf(one.flags),
    packetId: BigInt(one.packetId),
    verdict: one.verdict,
    comment: one.comment === "" ? null : one.comment,
  }));

const plainly = (record: CaptureRecord): unknown => {
  const { ticks: _, octets, interface: at, ...rest } = record;
  const nanoseconds = nanosecondsOf(record);
  return { ...rest, interface: at.id, octets: octets.slice(), nanoseconds };
};

/** The records that a reader finds in `bytes`, cut into pieces of at most `length` octets. */
function readInPieces(bytes: Uint8Array, length: number): unknown[] {
  const records: unknown[] = [];
  const reader = new CaptureReader({ onRecord: (record) => records.push(plainly(record)) });
  for (let at = 0; at < bytes.length; at += length) {
    // A buffer of its own that is spoiled after use: the reader only borrows it.
    const piece = bytes.slice(at, at + length);
    reader.push(piece);
    piece.fill(0xdd);
  }
  reader.close();
  return records;
}

describe("a capture that was written", () => {
  it("is read as it was meant", () => {
    const check = (plan: Plan): void => {
      const { interfaces, names, records } = readCapture(write(plan));
      expect(records.map(plainly)).toEqual(expected(plan));
      const empty = (text: string): string | null => (text === "" ? null : text);
      expect(interfaces).toMatchObject(
        plan.interfaces.map((one, id) => ({
          ...one,
          id,
          name: empty(one.name),
          description: empty(one.description),
        })),
      );
      for (const [address, name] of plan.names) expect(names.get(address)).toContain(name);
    };
    fc.assert(fc.property(capture, check));
  });

  it("is read the same however it is cut", () => {
    const check = (plan: Plan, length: number): void => {
      expect(readInPieces(write(plan), length)).toEqual(expected(plan));
    };
    fc.assert(fc.property(capture, fc.integer({ min: 1, max: 200 }), check), { numRuns: 40 });
  });
});

/** Reads what may be anything; the only way to fail is a ParseError. */
function readAnything(bytes: Uint8Array): void {
  try {
    readCapture(bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(ParseError);
  }
}

describe("a capture that is damaged", () => {
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    octets: fc.uint8Array({ minLength: 1, maxLength: 4 }),
    isCut: fc.boolean(),
  });

  it("is read or refused with a ParseError, and that quickly", () => {
    const check = (
      plan: Plan,
      changes: readonly (typeof change extends fc.Arbitrary<infer T> ? T : never)[],
    ): void => {
      let bytes = write(plan);
      for (const { at, octets, isCut } of changes) {
        const place = Math.floor(at * bytes.length);
        if (isCut) bytes = bytes.slice(0, Math.max(place, bytes.length - octets.length));
        else bytes.set(octets.subarray(0, bytes.length - place), place);
      }
      readAnything(bytes);
    };
    fc.assert(fc.property(capture, fc.array(change, { minLength: 1, maxLength: 5 }), check));
  });

  it("is refused with a ParseError when it is mere noise behind a good beginning", () => {
    const orders = fc.constantFrom("little" as const, "big" as const);
    const blocks = fc.array(fc.tuple(fc.integer({ min: 1, max: 7 }), fc.uint8Array()), {
      maxLength: 8,
    });
    const checkBlocks = (order: "little" | "big", bodies: [number, Uint8Array][]): void => {
      const file = new ForeignFile(order).section().interface();
      for (const [type, body] of bodies) file.block(type, ...body.subarray(0, body.length & ~3));
      readAnything(file.bytes);
    };
    fc.assert(fc.property(orders, blocks, checkBlocks));
    const checkPcap = (order: "little" | "big", noise: Uint8Array): void => {
      const file = new ForeignFile(order).pcapHeader(0xa1b2c3d4);
      readAnything(file.add(...noise).bytes);
    };
    fc.assert(fc.property(orders, fc.uint8Array({ maxLength: 99 }), checkPcap));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 99 }), readAnything));
  });
});
