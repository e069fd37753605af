/**
 * Reads the classic capture file: draft-ietf-opsawg-pcap sections 4 and 5, in both byte orders,
 * with microseconds or nanoseconds.
 * @module
 */
import { fieldsOf, type FieldsOf } from "../wire/field.ts";
import { type Layout, struct, u16be, u16le, u32be, u32le } from "../wire/layout.ts";
import { damaged, type Format, type Piece, type ReadLimits, type RecordVisitor } from "./piece.ts";
import type { CaptureInterface, CaptureNames } from "./record.ts";

type Unsigned = <N extends string>(property: N) => Layout<number, N>;

const headerIn = (u16: Unsigned, u32: Unsigned) =>
  struct([
    u32("magic"),
    u16("major"),
    u16("minor"),
    u32("reserved1"),
    u32("reserved2"),
    u32("snapLength"),
    u32("linkType"),
  ]);

const recordIn = (u32: Unsigned) =>
  struct([u32("seconds"), u32("fraction"), u32("captured"), u32("original")]);

/** Headers of the file and of a record in each byte order. */
export const PCAP_LAYOUTS = {
  little: { header: headerIn(u16le, u32le), record: recordIn(u32le) },
  big: { header: headerIn(u16be, u32be), record: recordIn(u32be) },
} as const;

interface PcapFields {
  readonly header: FieldsOf<ReturnType<typeof headerIn>["fields"]>;
  readonly record: FieldsOf<ReturnType<typeof recordIn>["fields"]>;
}

const LITTLE: PcapFields = {
  header: fieldsOf(PCAP_LAYOUTS.little.header),
  record: fieldsOf(PCAP_LAYOUTS.little.record),
};
const BIG: PcapFields = {
  header: fieldsOf(PCAP_LAYOUTS.big.header),
  record: fieldsOf(PCAP_LAYOUTS.big.record),
};

const HEADER = PCAP_LAYOUTS.little.header.span;
const RECORD = PCAP_LAYOUTS.little.record.span;

const MICROSECONDS_MAGIC = 0xa1b2_c3d4;
const NANOSECONDS_MAGIC = 0xa1b2_3c4d;

/** True if the four octets at `at` begin a classic capture file. */
export function isPcapMagic(view: DataView, at: number): boolean {
  const magics = [LITTLE.header.magic.get(view, at), BIG.header.magic.get(view, at)];
  return magics.some((magic) => magic === MICROSECONDS_MAGIC || magic === NANOSECONDS_MAGIC);
}

/** A classic capture file as it comes in: one interface without a name. */
export class PcapFormat implements Format {
  readonly name = "pcap";
  readonly interfaces: CaptureInterface[] = [];
  readonly names: CaptureNames = new Map();
  readonly #limits: ReadLimits;
  readonly #visit: RecordVisitor;
  #fields: PcapFields = LITTLE;

  constructor(limits: ReadLimits, visit: RecordVisitor) {
    this.#limits = limits;
    this.#visit = visit;
  }

  measure(piece: Piece, at: number, end: number): number {
    if (this.interfaces.length === 0) return end - at < HEADER ? 0 : HEADER;
    if (end - at < RECORD) return 0;
    const length = this.#fields.record.captured.get(piece.view, at);
    if (RECORD + length > this.#limits.blockOctets) {
      const message = `a frame of ${length} octets, expected at most ${this.#limits.blockOctets}`;
      throw damaged(piece, at, "record", message);
    }
    return RECORD + length;
  }

  read(piece: Piece, at: number, end: number): void {
    const source = this.interfaces[0];
    if (source === undefined) {
      this.interfaces.push(this.#readHeader(piece, at));
      return;
    }
    const { record } = this.#fields;
    const seconds = BigInt(record.seconds.get(piece.view, at));
    this.#visit({
      interface: source,
      ticks: seconds * source.ticksPerSecond + BigInt(record.fraction.get(piece.view, at)),
      octets: piece.bytes.subarray(at + RECORD, end),
      originalLength: record.original.get(piece.view, at),
      flags: 0,
      direction: null,
      packetId: null,
      verdict: null,
      comment: null,
    });
  }

  #readHeader(piece: Piece, at: number): CaptureInterface {
    const { view } = piece;
    const first = LITTLE.header.magic.get(view, at);
    this.#fields = first === MICROSECONDS_MAGIC || first === NANOSECONDS_MAGIC ? LITTLE : BIG;
    const { header } = this.#fields;
    const version = `${header.major.get(view, at)}.${header.minor.get(view, at)}`;
    if (version !== "2.4") {
      throw damaged(piece, at, "format", `pcap version ${version}, expected 2.4`);
    }
    const isNanoseconds = header.magic.get(view, at) === NANOSECONDS_MAGIC;
    return {
      section: 0,
      id: 0,
      name: null,
      description: null,
      mac: null,
      addresses: [],
      // The upper half tells of frame check sequences behind the frames.
      linkType: header.linkType.get(view, at) & 0xffff,
      snapLength: header.snapLength.get(view, at),
      ticksPerSecond: isNanoseconds ? 1_000_000_000n : 1_000_000n,
      offsetSeconds: 0n,
      statistics: null,
    };
  }
}
