/**
 * Reads captures of either format, whole or as they come in: draft-ietf-opsawg-pcapng and
 * draft-ietf-opsawg-pcap.
 * @module
 */
import { OptionError, ParseError } from "../base/errors.ts";
import { viewOf } from "../wire/field.ts";
import { BlockType, LITTLE } from "./blocks.ts";
import { isPcapMagic, PcapFormat } from "./pcap-reader.ts";
import { PcapngFormat } from "./pcapng-reader.ts";
import { damaged, type Format, type Piece, type ReadLimits, type RecordVisitor } from "./piece.ts";
import type { CaptureInterface, CaptureNames, CaptureRecord } from "./record.ts";

/** Who gets the records, and what a file may ask for. */
export interface CaptureReaderOptions {
  /** Gets each record; its octets are borrowed until return. */
  readonly onRecord: RecordVisitor;
  /** Longest block or record in octets, 64 to 2^30; 16 MiB. A longer one is an error. */
  readonly maxBlockOctets?: number;
  /** Most interfaces of a file; 65,536. */
  readonly maxInterfaces?: number;
  /** Most names of a file; 65,536. */
  readonly maxNames?: number;
}

/** A whole file, read. */
export interface CaptureFile {
  readonly format: "pcapng" | "pcap";
  /** Of all sections, in the order of the file. */
  readonly interfaces: readonly CaptureInterface[];
  readonly names: CaptureNames;
  /** In the order of the file; their octets are windows on it. */
  readonly records: readonly CaptureRecord[];
}

/** Octets that tell the formats apart. */
const MAGIC = 4;

/**
 * Reads a file piece by piece, however it is cut; keeps no more than one unfinished block.
 * After an error it is of no further use.
 */
export class CaptureReader {
  readonly #limits: ReadLimits;
  readonly #visit: RecordVisitor;
  #format: Format | null = null;
  /** What came in and could not be read yet: the first `#kept` octets. */
  #rest = new Uint8Array(0);
  #kept = 0;
  /** As many octets must be there before it is worth looking again. */
  #needed = 1;
  /** Where in the file the first octet lies that was not read yet. */
  #offset = 0;

  /** @throws {OptionError} if a limit is out of range. */
  constructor({
    onRecord,
    maxBlockOctets = 2 ** 24,
    maxInterfaces = 65_536,
    maxNames = 65_536,
  }: CaptureReaderOptions) {
    checkLimit("maxBlockOctets", maxBlockOctets, 64);
    checkLimit("maxInterfaces", maxInterfaces, 1);
    checkLimit("maxNames", maxNames, 0);
    this.#limits = { blockOctets: maxBlockOctets, interfaces: maxInterfaces, names: maxNames };
    this.#visit = onRecord;
  }

  /** Which format it is; `null` before the first four octets. */
  get format(): CaptureFile["format"] | null {
    return this.#format?.name ?? null;
  }

  /** Described so far. */
  get interfaces(): readonly CaptureInterface[] {
    return this.#format?.interfaces ?? [];
  }

  /** Named so far. */
  get names(): CaptureNames {
    return this.#format?.names ?? new Map();
  }

  /**
   * Read on. `chunk` is borrowed until return.
   * @throws {ParseError} if the file is damaged; `value` is the offset in the file.
   */
  push(chunk: Uint8Array): void {
    if (this.#kept === 0) {
      const read = this.#readFrom(chunk, chunk.length);
      if (read < chunk.length) this.#keep(chunk.subarray(read));
      return;
    }
    this.#keep(chunk);
    if (this.#kept < this.#needed) return;
    const read = this.#readFrom(this.#rest, this.#kept);
    this.#rest.copyWithin(0, read, this.#kept);
    this.#kept -= read;
  }

  /**
   * The file is over.
   * @throws {ParseError} if it ends within a block, or before any.
   */
  close(): void {
    if (this.#kept === 0 && this.#format !== null) return;
    const end = this.#offset + this.#kept;
    const message =
      end === 0 ? "the file is empty" : `cut off within what begins at ${this.#offset}`;
    throw new ParseError("capture-truncated", end, `octet ${end}: ${message}`);
  }

  /** Read as many whole units as octets `[0, end)` hold. @returns how many octets that were. */
  #readFrom(bytes: Uint8Array, end: number): number {
    const piece: Piece = { bytes, view: viewOf(bytes), offset: this.#offset };
    this.#needed = MAGIC;
    if (this.#format === null && end < MAGIC) return 0;
    this.#format ??= this.#detect(piece);
    let at = 0;
    while (at < end) {
      const length = this.#format.measure(piece, at, end);
      this.#needed = length;
      if (length === 0 || at + length > end) break;
      this.#format.read(piece, at, at + length);
      at += length;
    }
    this.#offset += at;
    return at;
  }

  #detect(piece: Piece): Format {
    if (LITTLE.block.type.get(piece.view, 0) === BlockType.Section) {
      return new PcapngFormat(this.#limits, this.#visit);
    }
    if (isPcapMagic(piece.view, 0)) return new PcapFormat(this.#limits, this.#visit);
    throw damaged(piece, 0, "format", "neither a pcapng nor a pcap file");
  }

  #keep(chunk: Uint8Array): void {
    const length = this.#kept + chunk.length;
    if (length > this.#rest.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#rest.length));
      grown.set(this.#rest.subarray(0, this.#kept));
      this.#rest = grown;
    }
    this.#rest.set(chunk, this.#kept);
    this.#kept = length;
  }
}

/**
 * Read a whole file; `bytes` must not change while the records are used.
 * @throws {ParseError} if it is no capture, damaged or cut off; `value` is the offset in the file.
 */
export function readCapture(bytes: Uint8Array): CaptureFile {
  const records: CaptureRecord[] = [];
  const reader = new CaptureReader({ onRecord: (record) => records.push(record) });
  reader.push(bytes);
  reader.close();
  const { interfaces, names } = reader;
  return { format: reader.format ?? "pcapng", interfaces, names, records };
}

function checkLimit(option: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least && value <= 2 ** 30) return;
  throw new OptionError(option, value, `a whole number from ${least} to 2^30`);
}
