/**
 * Writes pcapng: draft-ietf-opsawg-pcapng section 4, one little-endian section.
 * @module
 */
import { EmulatorError, OptionError, RangeFault } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import { type Ipv4Addr, type Mac, maskOf, type Prefix } from "../wire/addr.ts";
import {
  BlockBuffer,
  CLOSING,
  encodeText,
  MAX_OPTION,
  optionSpan,
  type Sink,
} from "./block-buffer.ts";
import {
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
  padded,
  SectionOption,
  SPAN,
  StatisticsOption,
} from "./blocks.ts";
import { LINKTYPE_ETHERNET, type Verdict } from "./record.ts";

/** 2010-02-01T00:00:00Z in nanoseconds since 1970: the instant 0, if not told otherwise. */
export const DEFAULT_EPOCH_NS = 1_264_982_400_000_000_000n;
/** How many of the last frames {@link PcapngWriter.annotate} reaches. */
export const ANNOTATABLE_FRAMES = 16;

/** Where the file goes and how. */
export interface PcapngWriterOptions {
  readonly sink: Sink;
  /**
   * Octets that are gathered before the sink gets them, 1,024 to 2^30; 65,536. A chunk ends between
   * blocks, and is longer only when the frames that can still be annotated need the room.
   */
  readonly chunkOctets?: number;
  /** The instant 0 in nanoseconds since 1970, 0 to 2^63 - 1; {@link DEFAULT_EPOCH_NS}. */
  readonly epochNs?: bigint;
  /** Who wrote the file (shb_userappl); "dom0". */
  readonly application?: string;
}

/** What an interface description block says. Empty texts and `null` are left out. */
export interface InterfaceDescription {
  readonly name: string;
  readonly description?: string;
  readonly mac?: Mac | null;
  readonly addresses?: readonly Prefix[];
}

/** What an interface statistics block says; what is `null` or left out is not written. */
export interface WrittenStatistics {
  readonly start: Instant;
  readonly end: Instant;
  readonly received?: number | null;
  readonly dropped?: number | null;
  readonly accepted?: number | null;
  readonly droppedBySystem?: number | null;
  readonly delivered?: number | null;
}

/** `10^-9`: if_tsresol with a clear most significant bit is a negative power of ten. */
const NANOSECONDS = 9;
const FRAME_OPTIONS = SPAN.option + SPAN.word + SPAN.option + SPAN.wide;
/** What Wireshark takes at most. */
const MAX_FRAME = 262_144;

/** Writes a capture in bounded memory. A frame without verdict and comment allocates nothing. */
export class PcapngWriter {
  readonly #buffer: BlockBuffer;
  readonly #epochHigh: number;
  readonly #epochLow: number;
  /** Where each of the last frames begins in the buffer, by number modulo the length. */
  readonly #starts = new Int32Array(ANNOTATABLE_FRAMES);
  #interfaces = 0;
  #frames = 0;
  /** Frames that the last flush took out of reach. */
  #flushed = 0;
  #isOpen = true;

  /** @throws {OptionError} if an option is out of range. */
  constructor({
    sink,
    chunkOctets = 65_536,
    epochNs = DEFAULT_EPOCH_NS,
    application = "dom0",
  }: PcapngWriterOptions) {
    if (epochNs < 0n || epochNs >= 2n ** 63n) {
      throw new OptionError("epochNs", String(epochNs), "0 to 2^63 - 1");
    }
    this.#buffer = new BlockBuffer(sink, chunkOctets);
    this.#epochHigh = Number(epochNs >> 32n);
    this.#epochLow = Number(epochNs & 0xffff_ffffn);
    this.#writeSection(application);
  }

  /**
   * Describe an interface: Ethernet, nanoseconds, frames of any length.
   * @returns its number, counted from 0.
   * @throws {RangeFault} if a text has a NUL or more than 65,535 octets.
   */
  addInterface({
    name,
    description = "",
    mac = null,
    addresses = [],
  }: InterfaceDescription): number {
    const names = encodeText(name);
    const descriptions = encodeText(description);
    const at = this.#begin(
      BlockType.Interface,
      SPAN.interface +
        optionSpan(names.length) +
        optionSpan(descriptions.length) +
        addresses.length * optionSpan(8) +
        (mac === null ? 0 : optionSpan(6)) +
        optionSpan(1) +
        CLOSING,
    );
    const { view } = this.#buffer;
    LITTLE.interface.linkType.set(view, at, LINKTYPE_ETHERNET);
    LITTLE.interface.reserved.set(view, at, 0);
    LITTLE.interface.snapLength.set(view, at, 0);
    let next = this.#buffer.writeText(at + SPAN.interface, InterfaceOption.Name, names);
    next = this.#buffer.writeText(next, InterfaceOption.Description, descriptions);
    for (const { address, length } of addresses) {
      const value = this.#buffer.writeHead(next, InterfaceOption.Ipv4Addr, 8);
      INTERFACE_ADDRESS.address.set(view, value, address);
      INTERFACE_ADDRESS.mask.set(view, value, maskOf(length));
      next = value + 8;
    }
    if (mac !== null) {
      const value = this.#buffer.writeHead(next, InterfaceOption.MacAddr, 6);
      LITTLE.word.value.set(view, value + 4, 0);
      INTERFACE_MAC.mac.set(view, value, mac);
      next = value + 8;
    }
    const resolution = this.#buffer.writeHead(next, InterfaceOption.Resolution, 1);
    LITTLE.word.value.set(view, resolution, 0);
    OCTET.value.set(view, resolution, NANOSECONDS);
    this.#buffer.endBlock(at, resolution + SPAN.word);
    this.#interfaces += 1;
    return this.#interfaces - 1;
  }

  /**
   * Say how `address` is called: a name resolution block.
   * @throws {RangeFault} if a name is empty or has a NUL, or all have more than 65,535 octets.
   */
  addNames(address: Ipv4Addr, names: readonly string[]): void {
    if (names.includes("")) throw new RangeFault("capture-name", "", "no empty name");
    const texts = names.map(encodeText);
    const length = texts.reduce((sum, text) => sum + text.length + 1, 4);
    if (length > MAX_OPTION) throw new RangeFault("capture-name", length, "65,535 octets of names");
    const at = this.#begin(BlockType.Names, SPAN.block + optionSpan(length) + CLOSING);
    const value = this.#buffer.writeHead(at + SPAN.block, NameRecord.Ipv4, length);
    this.#buffer.bytes.fill(0, value, value + padded(length));
    NAME_ADDRESS.address.set(this.#buffer.view, value, address);
    let next = value + 4;
    for (const text of texts) {
      this.#buffer.bytes.set(text, next);
      next += text.length + 1;
    }
    // The end of the records has the form of the end of the options; there are no options.
    this.#buffer.endBlock(at, value + padded(length));
  }

  /**
   * Write octets `[start, end)` of `source` as a frame of an interface.
   * @param now whole microseconds from the epoch, 0 to 2^53 - 1.
   * @param flags `epb_flags`: a direction and a reception.
   * @param packetId a whole number from 0 to 2^53 - 1.
   * @returns the frame's number, counted from 0, for {@link annotate}.
   * @throws {RangeFault} if the interface was not added, a number is out of its range or the frame
   * has more than 262,144 octets.
   * @throws {EmulatorError} `capture-closed` after {@link close}.
   */
  writeFrame(
    interfaceId: number,
    now: Instant,
    source: DataView,
    start: number,
    end: number,
    flags: number,
    packetId: number,
  ): number {
    this.#checkInterface(interfaceId);
    checkWhole("capture-packet-id", packetId);
    const length = end - start;
    if (!(length >= 0 && length <= MAX_FRAME)) {
      throw new RangeFault("capture-frame", length, `0 to ${MAX_FRAME} octets`);
    }
    const at = this.#begin(
      BlockType.Enhanced,
      SPAN.enhanced + padded(length) + FRAME_OPTIONS + CLOSING,
    );
    const { view } = this.#buffer;
    const { enhanced, word } = LITTLE;
    enhanced.interfaceId.set(view, at, interfaceId);
    this.#writeTime(at + enhanced.timeHigh.offset, now);
    enhanced.captured.set(view, at, length);
    enhanced.original.set(view, at, length);
    this.#buffer.copyIn(source, start, end, at + SPAN.enhanced);
    const flagsAt = this.#buffer.writeHead(
      at + SPAN.enhanced + padded(length),
      FrameOption.Flags,
      SPAN.word,
    );
    word.value.set(view, flagsAt, flags);
    const idAt = this.#buffer.writeHead(flagsAt + SPAN.word, FrameOption.PacketId, SPAN.wide);
    this.#buffer.writeWide(idAt, packetId);
    this.#buffer.endBlock(at, idAt + SPAN.wide);
    const frame = this.#frames;
    this.#starts[frame % ANNOTATABLE_FRAMES] = at;
    this.#frames += 1;
    return frame;
  }

  /**
   * Add a verdict or a comment to a frame that was written. Reaches the last
   * {@link ANNOTATABLE_FRAMES} frames since the last {@link flush}.
   * @returns false if the frame is out of reach: nothing is written.
   * @throws {RangeFault} if the comment has a NUL or more than 65,535 octets.
   */
  annotate(frame: number, verdict: Verdict | null, comment: string | null): boolean {
    if (frame < this.#firstInReach || frame >= this.#frames) return false;
    const text = encodeText(comment ?? "");
    const judged = verdict === null ? 0 : 1 + verdictLength(verdict);
    if (judged > MAX_OPTION) throw new RangeFault("capture-verdict", judged, "65,535 octets");
    const added = optionSpan(judged) + optionSpan(text.length);
    this.#reserve(added);
    const { bytes, view } = this.#buffer;
    const at = this.#starts[frame % ANNOTATABLE_FRAMES] ?? 0;
    const length = LITTLE.block.length.get(view, at);
    const next = at + length - CLOSING;
    bytes.copyWithin(next + added, next, this.#buffer.end);
    this.#buffer.end += added;
    for (let later = frame + 1; later < this.#frames; later += 1) {
      const place = later % ANNOTATABLE_FRAMES;
      this.#starts[place] = (this.#starts[place] ?? 0) + added;
    }
    const comments = verdict === null ? next : this.#writeVerdict(next, verdict, judged);
    this.#buffer.writeText(comments, CommonOption.Comment, text);
    this.#buffer.writeLength(at, length + added);
    return true;
  }

  /**
   * Write what was counted at an interface: an interface statistics block.
   * @throws {RangeFault} if the interface was not added or a count is negative.
   */
  writeStatistics(interfaceId: number, now: Instant, statistics: WrittenStatistics): void {
    this.#checkInterface(interfaceId);
    const counts: readonly (readonly [number, number | null | undefined])[] = [
      [StatisticsOption.Received, statistics.received],
      [StatisticsOption.Dropped, statistics.dropped],
      [StatisticsOption.Accepted, statistics.accepted],
      [StatisticsOption.DroppedBySystem, statistics.droppedBySystem],
      [StatisticsOption.Delivered, statistics.delivered],
    ];
    const at = this.#begin(
      BlockType.Statistics,
      SPAN.statistics + (2 + counts.length) * optionSpan(SPAN.wide) + CLOSING,
    );
    const { view } = this.#buffer;
    LITTLE.statistics.interfaceId.set(view, at, interfaceId);
    this.#writeTime(at + LITTLE.statistics.timeHigh.offset, now);
    const start = this.#buffer.writeHead(
      at + SPAN.statistics,
      StatisticsOption.StartTime,
      SPAN.time,
    );
    this.#writeTime(start, statistics.start);
    const end = this.#buffer.writeHead(start + SPAN.time, StatisticsOption.EndTime, SPAN.time);
    this.#writeTime(end, statistics.end);
    let next = end + SPAN.time;
    for (const [code, count] of counts) {
      if (count === null || count === undefined) continue;
      checkWhole("capture-count", count);
      const value = this.#buffer.writeHead(next, code, SPAN.wide);
      this.#buffer.writeWide(value, count);
      next = value + SPAN.wide;
    }
    this.#buffer.endBlock(at, next);
  }

  /** Give the sink all that was written; the frames are then out of reach of {@link annotate}. */
  flush(): void {
    this.#flushed = this.#frames;
    this.#buffer.handOn(this.#buffer.end);
  }

  /** {@link flush}, and no more can be written. */
  close(): void {
    this.flush();
    this.#isOpen = false;
  }

  get #firstInReach(): number {
    return Math.max(this.#flushed, this.#frames - ANNOTATABLE_FRAMES);
  }

  /** Make room for `octets` more without losing what can still be annotated. */
  #reserve(octets: number): void {
    const first = this.#firstInReach;
    const start = this.#starts[first % ANNOTATABLE_FRAMES] ?? 0;
    const settled = first < this.#frames ? start : this.#buffer.end;
    const moved = this.#buffer.reserve(octets, settled);
    if (moved === 0) return;
    for (let place = 0; place < ANNOTATABLE_FRAMES; place += 1) {
      this.#starts[place] = (this.#starts[place] ?? 0) - moved;
    }
  }

  /** @returns where the block begins; `length` is the most that it can have. */
  #begin(type: number, length: number): number {
    if (!this.#isOpen) throw new EmulatorError("capture-closed", type, "the capture is closed");
    this.#reserve(length);
    const at = this.#buffer.end;
    LITTLE.block.type.set(this.#buffer.view, at, type);
    return at;
  }

  #writeSection(application: string): void {
    const text = encodeText(application);
    const at = this.#begin(BlockType.Section, SPAN.section + optionSpan(text.length) + CLOSING);
    const { view } = this.#buffer;
    const { section } = LITTLE;
    section.magic.set(view, at, BYTE_ORDER_MAGIC);
    section.major.set(view, at, 1);
    section.minor.set(view, at, 0);
    section.sectionHigh.set(view, at, 0xffff_ffff);
    section.sectionLow.set(view, at, 0xffff_ffff);
    this.#buffer.endBlock(
      at,
      this.#buffer.writeText(at + SPAN.section, SectionOption.Application, text),
    );
  }

  #writeVerdict(at: number, verdict: Verdict, length: number): number {
    const { bytes, view } = this.#buffer;
    const value = this.#buffer.writeHead(at, FrameOption.Verdict, length);
    const end = value + padded(length);
    bytes.fill(0, value, end);
    if (verdict.judge === "hardware") {
      bytes.set(verdict.octets, value + 1);
      return end;
    }
    OCTET.value.set(view, value, verdict.judge === "tc" ? 1 : 2);
    LITTLE.wide.high.set(view, value + 1, Number((verdict.action >> 32n) & 0xffff_ffffn));
    LITTLE.wide.low.set(view, value + 1, Number(verdict.action & 0xffff_ffffn));
    return end;
  }

  /** `epoch + 1000 * now` in 64 bits, exact: each half and its carry stay below 2^53. */
  #writeTime(at: number, now: Instant): void {
    checkWhole("capture-time", now);
    const nowHigh = Math.floor(now / 2 ** 32);
    const low = this.#epochLow + 1000 * (now - nowHigh * 2 ** 32);
    const carry = Math.floor(low / 2 ** 32);
    const { view } = this.#buffer;
    LITTLE.time.high.set(view, at, this.#epochHigh + 1000 * nowHigh + carry);
    LITTLE.time.low.set(view, at, low - carry * 2 ** 32);
  }

  #checkInterface(id: number): void {
    if (id >= 0 && id < this.#interfaces && Number.isInteger(id)) return;
    throw new RangeFault("capture-interface", id, "the number of an interface that was added");
  }
}

const verdictLength = (verdict: Verdict): number =>
  verdict.judge === "hardware" ? verdict.octets.length : SPAN.wide;

function checkWhole(code: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  throw new RangeFault(code, value, "a whole number from 0 to 2^53 - 1");
}
