import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeTcpOptions,
  encodeTcpOptions,
  TCP_MAX_OPTIONS_LENGTH,
  type TcpOption,
} from "../../src/l4/tcp-option-codec.ts";
import {
  nextTcpOption,
  sackBlockAt,
  sackBlocksOf,
  TCP_OPTION,
  TCP_SACK_BLOCK,
  TcpOptionKind,
  TcpOptions,
  tcpOptionLayouts,
} from "../../src/l4/tcp-options.ts";
import { checkTcp, TCP, TCP_MIN_LENGTH, TcpFlag } from "../../src/l4/tcp.ts";
import { fieldsOf, viewOf } from "../../src/wire/field.ts";
import type { Structure } from "../../src/wire/layout.ts";
import { optionsOfLinux } from "../model/tcp-options.ts";

const u32 = fc.nat(0xffff_ffff);
const option: fc.Arbitrary<TcpOption> = fc.oneof(
  fc.constant({ name: "no-operation" as const }),
  fc.record({ name: fc.constant("mss" as const), mss: fc.nat(0xffff) }),
  fc.record({ name: fc.constant("window-scale" as const), shift: fc.nat(0xff) }),
  fc.constant({ name: "sack-permitted" as const }),
  fc.record({
    name: fc.constant("sack" as const),
    blocks: fc.array(fc.record({ left: u32, right: u32 }), { minLength: 1, maxLength: 4 }),
  }),
  fc.record({ name: fc.constant("timestamps" as const), value: u32, echo: u32 }),
  fc.record({
    name: fc.constant("unknown" as const),
    kind: fc.integer({ min: 9, max: 255 }),
    data: fc.uint8Array({ maxLength: 12, size: "max" }),
  }),
);
const fitting = fc.array(option, { maxLength: 8 }).filter((options) => {
  const lengths = options.map((one) => encodeTcpOptions([one]).length);
  return lengths.reduce((sum, length) => sum + length, 0) <= TCP_MAX_OPTIONS_LENGTH;
});

/** Octets that are hostile, but likelier than chance to look like options. */
const hostile = fc.array(
  fc.oneof(fc.constantFrom(0, 1, 2, 3, 4, 5, 8, 10, 18, 30, 34, 253, 255), fc.nat(0xff)),
  { minLength: 40, maxLength: 40 },
);
const flags = fc.constantFrom(TcpFlag.Syn, TcpFlag.Ack, TcpFlag.Syn | TcpFlag.Ack);

function headerOf(options: Uint8Array, flag: number): Uint8Array {
  const bytes = new Uint8Array(TCP_MIN_LENGTH + options.length);
  bytes.set(options, TCP_MIN_LENGTH);
  TCP.dataOffset.set(viewOf(bytes), 0, bytes.length / 4);
  TCP.flags.set(viewOf(bytes), 0, flag);
  return bytes;
}

describe("TCP options", () => {
  it.each(Object.entries<Structure>(tcpOptionLayouts))(
    "reads through the fields of %s what buffer-layout decodes",
    (_name, layout) => {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: 10, maxLength: 10, size: "max" }), (bytes) => {
          const fields = Object.entries(fieldsOf(layout));
          const values = fields.map(([name, field]) => [name, field.get(viewOf(bytes), 0)]);
          const reference = layout.reference.decode(Buffer.from(bytes));
          expect(Object.fromEntries(values)).toEqual(reference);
        }),
      );
    },
  );

  it("decodes what it encoded", () => {
    fc.assert(
      fc.property(fitting, (options) => {
        expect(decodeTcpOptions(headerOf(encodeTcpOptions(options), 0))).toEqual(options);
      }),
    );
  });

  it("reads any octets as Linux does, without a throw", () => {
    fc.assert(
      fc.property(hostile, fc.nat(10), flags, (octets, words, flag) => {
        const bytes = headerOf(Uint8Array.from(octets.slice(0, 4 * words)), flag);
        expect(checkTcp(viewOf(bytes), 0, bytes.length)).toBeNull();
        const options = new TcpOptions();
        options.read(viewOf(bytes), 0);
        expect(options).toEqual(optionsOfLinux(bytes));
      }),
      { numRuns: 1000 },
    );
  });

  it("walks the same options that it decodes", () => {
    fc.assert(
      fc.property(hostile, (octets) => {
        const bytes = headerOf(Uint8Array.from(octets), 0);
        const view = viewOf(bytes);
        const walked: number[] = [];
        for (let o = nextTcpOption(view, 0); o >= 0; o = nextTcpOption(view, 0, o)) {
          walked.push(TCP_OPTION.length.get(view, o));
        }
        const decoded = decodeTcpOptions(bytes).filter(({ name }) => name !== "no-operation");
        const lengths = decoded.map((one) => {
          const [length] = encodeTcpOptions([one]).subarray(1);
          return length;
        });
        expect(walked).toEqual(lengths);
      }),
    );
  });

  it("reaches each block of a SACK option", () => {
    const blocks = fc.array(fc.record({ left: u32, right: u32 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(blocks, (expected) => {
        const bytes = headerOf(encodeTcpOptions([{ name: "sack", blocks: expected }]), 0);
        const view = viewOf(bytes);
        const at = nextTcpOption(view, 0);
        expect(TCP_OPTION.kind.get(view, at)).toBe(TcpOptionKind.Sack);
        const read = Array.from({ length: sackBlocksOf(view, at) }, (_, index) => ({
          left: TCP_SACK_BLOCK.left.get(view, sackBlockAt(at, index)),
          right: TCP_SACK_BLOCK.right.get(view, sackBlockAt(at, index)),
        }));
        expect(read).toEqual(expected);
      }),
    );
  });
});
