/**
 * Reads pcapng: draft-ietf-opsawg-pcapng section 4, in both byte orders, with the obsolete packet
 * block of its appendix A. Blocks of other types are skipped.
 * @module
 */
import { macOf, ipv4Of, type Ipv4Addr, type Prefix } from "../wire/addr.ts";
import {
  BIG,
  type BlockFields,
  BlockType,
  BYTE_ORDER_MAGIC,
  CommonOption,
  FrameOption,
  INTERFACE_ADDRESS,
  INTERFACE_MAC,
  InterfaceOption,
  LITTLE,
  NAME_ADDRESS,
  NameRecord,
  OCTET,
  SPAN,
  StatisticsOption,
} from "./blocks.ts";
import {
  damaged,
  expectLength,
  type Format,
  type Piece,
  type ReadLimits,
  readText,
  type RecordVisitor,
  type TaggedValue,
  taggedValues,
} from "./piece.ts";
import { type CaptureInterface, type CaptureRecord, directionOf, type Verdict } from "./record.ts";

type Settable<T> = { -readonly [K in keyof T]: T[K] };

type Described = Settable<CaptureInterface>;

/** What the options of a frame say. */
type FrameOptions = Settable<Pick<CaptureRecord, "flags" | "packetId" | "verdict" | "comment">>;

const MICROSECONDS = 6;
const MIN_BLOCK = SPAN.block + SPAN.word;

/** A pcapng file as it comes in. */
export class PcapngFormat implements Format {
  readonly name = "pcapng";
  readonly interfaces: Described[] = [];
  readonly names = new Map<Ipv4Addr, Set<string>>();
  readonly #limits: ReadLimits;
  readonly #visit: RecordVisitor;
  #fields: BlockFields = LITTLE;
  #section = -1;
  /** Interfaces of the current section: a tail of {@link interfaces}. */
  #first = 0;
  /** True in a section of an unknown version, which section 3.3 has readers skip. */
  #isSkipping = false;
  #nameCount = 0;

  constructor(limits: ReadLimits, visit: RecordVisitor) {
    this.#limits = limits;
    this.#visit = visit;
  }

  measure(piece: Piece, at: number, end: number): number {
    if (end - at < MIN_BLOCK) return 0;
    const { view } = piece;
    if (LITTLE.block.type.get(view, at) === BlockType.Section) {
      this.#fields = orderOf(piece, at);
    } else if (this.#section < 0) {
      throw damaged(piece, at, "format", "a pcapng file begins with a section header block");
    }
    const length = this.#fields.block.length.get(view, at);
    if (length % 4 !== 0 || length < MIN_BLOCK || length > this.#limits.blockOctets) {
      const expected = `a multiple of 4 from ${MIN_BLOCK} to ${this.#limits.blockOctets}`;
      throw damaged(piece, at, "block", `a block of ${length} octets, expected ${expected}`);
    }
    return length;
  }

  read(piece: Piece, at: number, end: number): void {
    const fields = this.#fields;
    const again = fields.word.value.get(piece.view, end - SPAN.word);
    if (again !== end - at) {
      const message = `a block of ${end - at} octets says ${again} at its end`;
      throw damaged(piece, at, "block", message);
    }
    const type = fields.block.type.get(piece.view, at);
    const body = end - SPAN.word;
    if (type === BlockType.Section) this.#readSection(piece, at, body);
    else if (this.#isSkipping) return;
    else if (type === BlockType.Interface) this.#readInterface(piece, at, body);
    else if (type === BlockType.Enhanced) this.#readEnhanced(piece, at, body);
    else if (type === BlockType.Packet) this.#readPacket(piece, at, body);
    else if (type === BlockType.Simple) this.#readSimple(piece, at, body);
    else if (type === BlockType.Names) this.#readNames(piece, at, body);
    else if (type === BlockType.Statistics) this.#readStatistics(piece, at, body);
  }

  #readSection(piece: Piece, at: number, end: number): void {
    expectBody(piece, at, end, SPAN.section);
    const major = this.#fields.section.major.get(piece.view, at);
    const minor = this.#fields.section.minor.get(piece.view, at);
    // Section 4.1: a minor version of 2 was written by some, and means 0.
    this.#isSkipping = major !== 1 || (minor !== 0 && minor !== 2);
    this.#section += 1;
    this.#first = this.interfaces.length;
  }

  #readInterface(piece: Piece, at: number, end: number): void {
    expectBody(piece, at, end, SPAN.interface);
    if (this.interfaces.length >= this.#limits.interfaces) {
      throw damaged(piece, at, "limit", `more than ${this.#limits.interfaces} interfaces`);
    }
    const { view } = piece;
    const fields = this.#fields;
    const addresses: Prefix[] = [];
    const found: Described = {
      section: this.#section,
      id: this.interfaces.length - this.#first,
      name: null,
      description: null,
      mac: null,
      addresses,
      linkType: fields.interface.linkType.get(view, at),
      snapLength: fields.interface.snapLength.get(view, at),
      ticksPerSecond: ticksPerSecond(MICROSECONDS),
      offsetSeconds: 0n,
      statistics: null,
    };
    for (const option of taggedValues(piece, fields, at + SPAN.interface, end)) {
      if (option.code === InterfaceOption.Name) {
        found.name = readText(piece, option.at, option.end);
      } else if (option.code === InterfaceOption.Description) {
        found.description = readText(piece, option.at, option.end);
      } else if (option.code === InterfaceOption.Ipv4Addr) {
        expectLength(piece, option, 8);
        const mask = INTERFACE_ADDRESS.mask.get(view, option.at);
        // A mask with holes is read up to the first.
        const length = Math.clz32(~mask);
        addresses.push({ address: INTERFACE_ADDRESS.address.get(view, option.at), length });
      } else if (option.code === InterfaceOption.MacAddr) {
        expectLength(piece, option, 6);
        found.mac = macOf(INTERFACE_MAC.mac.get(view, option.at));
      } else if (option.code === InterfaceOption.Resolution) {
        expectLength(piece, option, 1);
        found.ticksPerSecond = ticksPerSecond(OCTET.value.get(view, option.at));
      } else if (option.code === InterfaceOption.Offset) {
        expectLength(piece, option, SPAN.wide);
        found.offsetSeconds = BigInt.asIntN(64, this.#wide(view, option.at));
      }
    }
    this.interfaces.push(found);
  }

  #readEnhanced(piece: Piece, at: number, end: number): void {
    expectBody(piece, at, end, SPAN.enhanced);
    const { enhanced } = this.#fields;
    const { view } = piece;
    const source = this.#interfaceOf(piece, at, enhanced.interfaceId.get(view, at));
    const data = at + SPAN.enhanced;
    const captured = enhanced.captured.get(view, at);
    const options = this.#frameOptions(piece, at, data, captured, end);
    this.#visit({
      interface: source,
      ticks: this.#time(source, view, at + enhanced.timeHigh.offset),
      octets: piece.bytes.subarray(data, data + captured),
      originalLength: enhanced.original.get(view, at),
      direction: directionOf(options.flags),
      ...options,
    });
  }

  #readPacket(piece: Piece, at: number, end: number): void {
    expectBody(piece, at, end, SPAN.packet);
    const { packet } = this.#fields;
    const { view } = piece;
    const source = this.#interfaceOf(piece, at, packet.interfaceId.get(view, at));
    const data = at + SPAN.packet;
    const captured = packet.captured.get(view, at);
    const options = this.#frameOptions(piece, at, data, captured, end);
    this.#visit({
      interface: source,
      ticks: this.#time(source, view, at + packet.timeHigh.offset),
      octets: piece.bytes.subarray(data, data + captured),
      originalLength: packet.original.get(view, at),
      direction: directionOf(options.flags),
      ...options,
    });
  }

  #readSimple(piece: Piece, at: number, end: number): void {
    expectBody(piece, at, end, SPAN.simple);
    const source = this.#interfaceOf(piece, at, 0);
    const originalLength = this.#fields.simple.original.get(piece.view, at);
    const bound = source.snapLength === 0 ? originalLength : source.snapLength;
    const captured = Math.min(originalLength, bound);
    const data = at + SPAN.simple;
    expectFrame(piece, at, data, captured, end);
    this.#visit({
      interface: source,
      ticks: null,
      octets: piece.bytes.subarray(data, data + captured),
      originalLength,
      flags: 0,
      direction: null,
      packetId: null,
      verdict: null,
      comment: null,
    });
  }

  #readNames(piece: Piece, at: number, end: number): void {
    for (const record of taggedValues(piece, this.#fields, at + SPAN.block, end)) {
      if (record.code !== NameRecord.Ipv4) continue;
      if (record.end - record.at < 4) expectLength(piece, record, 4);
      const address = ipv4Of(NAME_ADDRESS.address.get(piece.view, record.at));
      for (let next = record.at + 4; next < record.end;) {
        const length = piece.bytes.subarray(next, record.end).indexOf(0);
        const stop = length < 0 ? record.end : next + length;
        if (stop > next) this.#addName(piece, at, address, readText(piece, next, stop));
        next = stop + 1;
      }
    }
  }

  #addName(piece: Piece, at: number, address: Ipv4Addr, name: string): void {
    const known = this.names.get(address) ?? new Set();
    if (known.has(name)) return;
    if (this.#nameCount >= this.#limits.names) {
      throw damaged(piece, at, "limit", `more than ${this.#limits.names} names`);
    }
    this.#nameCount += 1;
    known.add(name);
    this.names.set(address, known);
  }

  #readStatistics(piece: Piece, at: number, end: number): void {
    expectBody(piece, at, end, SPAN.statistics);
    const { view } = piece;
    const source = this.#interfaceOf(piece, at, this.#fields.statistics.interfaceId.get(view, at));
    const times = new Map<number, bigint>();
    const counts = new Map<number, bigint>();
    for (const option of taggedValues(piece, this.#fields, at + SPAN.statistics, end)) {
      const { code } = option;
      if (code < StatisticsOption.StartTime || code > StatisticsOption.Delivered) continue;
      expectLength(piece, option, SPAN.wide);
      times.set(code, this.#time(source, view, option.at));
      counts.set(code, this.#wide(view, option.at));
    }
    source.statistics = {
      startTicks: times.get(StatisticsOption.StartTime) ?? null,
      endTicks: times.get(StatisticsOption.EndTime) ?? null,
      received: counts.get(StatisticsOption.Received) ?? null,
      dropped: counts.get(StatisticsOption.Dropped) ?? null,
      accepted: counts.get(StatisticsOption.Accepted) ?? null,
      droppedBySystem: counts.get(StatisticsOption.DroppedBySystem) ?? null,
      delivered: counts.get(StatisticsOption.Delivered) ?? null,
    };
  }

  /** Check that the stored frame is in its block, and read the options behind it. */
  #frameOptions(
    piece: Piece,
    at: number,
    data: number,
    captured: number,
    end: number,
  ): FrameOptions {
    const next = expectFrame(piece, at, data, captured, end);
    const found: FrameOptions = { flags: 0, packetId: null, verdict: null, comment: null };
    for (const option of taggedValues(piece, this.#fields, next, end)) {
      if (option.code === FrameOption.Flags) {
        expectLength(piece, option, SPAN.word);
        found.flags = this.#fields.word.value.get(piece.view, option.at);
      } else if (option.code === FrameOption.PacketId) {
        expectLength(piece, option, SPAN.wide);
        found.packetId = this.#wide(piece.view, option.at);
      } else if (option.code === FrameOption.Verdict) {
        found.verdict ??= this.#readVerdict(piece, option);
      } else if (option.code === CommonOption.Comment) {
        const text = readText(piece, option.at, option.end);
        found.comment = found.comment === null ? text : `${found.comment}\n${text}`;
      }
    }
    return found;
  }

  /** @returns `null` for a judge that the draft does not know. */
  #readVerdict(piece: Piece, option: TaggedValue): Verdict | null {
    if (option.end === option.at) expectLength(piece, option, 1);
    const judge = OCTET.value.get(piece.view, option.at);
    if (judge === 0) {
      return { judge: "hardware", octets: piece.bytes.slice(option.at + 1, option.end) };
    }
    if (judge > 2) return null;
    expectLength(piece, option, 1 + SPAN.wide);
    const action = this.#wide(piece.view, option.at + 1);
    return { judge: judge === 1 ? "tc" : "xdp", action };
  }

  #interfaceOf(piece: Piece, at: number, id: number): Described {
    const found = this.interfaces[this.#first + id];
    if (found !== undefined) return found;
    throw damaged(piece, at, "interface", `interface ${id} is not described in its section`);
  }

  #time(source: Described, view: DataView, at: number): bigint {
    const { time } = this.#fields;
    const stored = (BigInt(time.high.get(view, at)) << 32n) | BigInt(time.low.get(view, at));
    return stored + source.offsetSeconds * source.ticksPerSecond;
  }

  #wide(view: DataView, at: number): bigint {
    const { wide } = this.#fields;
    return (BigInt(wide.high.get(view, at)) << 32n) | BigInt(wide.low.get(view, at));
  }
}

function orderOf(piece: Piece, at: number): BlockFields {
  if (LITTLE.section.magic.get(piece.view, at) === BYTE_ORDER_MAGIC) return LITTLE;
  if (BIG.section.magic.get(piece.view, at) === BYTE_ORDER_MAGIC) return BIG;
  throw damaged(piece, at, "format", "a section header block without the byte-order magic");
}

/** Units a second that if_tsresol says: 10^n, or 2^n if the most significant bit is set. */
function ticksPerSecond(resolution: number): bigint {
  return (resolution < 128 ? 10n : 2n) ** BigInt(resolution & 127);
}

function expectBody(piece: Piece, at: number, end: number, span: number): void {
  if (end - at >= span) return;
  throw damaged(piece, at, "block", `a block too short for the ${span} octets of its fixed part`);
}

/** @returns where the padding after the frame ends. */
function expectFrame(
  piece: Piece,
  at: number,
  data: number,
  captured: number,
  end: number,
): number {
  const length = Math.ceil(captured / 4) * 4;
  if (data + length <= end) return data + length;
  throw damaged(piece, at, "block", `a frame of ${captured} octets leaves its block`);
}
