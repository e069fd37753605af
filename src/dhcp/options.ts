/**
 * Options on the wire: RFC 2132 section 2, long ones as RFC 3396, overload as RFC 2131 section 4.1.
 * @module
 */
import { assert } from "../base/assert.ts";
import { OptionError } from "../base/errors.ts";
import { Option, type OptionDefinition } from "./option-table.ts";
import { joinOctets } from "./option-type.ts";

export { Option, type OptionDefinition } from "./option-table.ts";

/** Options by code, in the order of their first octets on the wire. */
export type DhcpOptions = ReadonlyMap<number, Uint8Array>;
/** An option to send: its code, 1 to 254, and its octets, however many. */
export type RawOption = readonly [code: number, octets: Uint8Array];

/** No options at all. */
export const NO_OPTIONS: DhcpOptions = new Map();

const PAD = 0;
const END = 255;
/** What one length octet counts at most; a longer option is split. */
const LONGEST_PART = 255;

/**
 * Read options from all of `octets` until End, adding to `found`; parts of one code are joined in
 * the order in which they come (RFC 3396 section 7). A missing End is no fault.
 * @param parts takes the parts one by one.
 * @returns false if an option's length is missing or runs past the last octet.
 */
export function readOptions(
  octets: Uint8Array,
  found: Map<number, Uint8Array>,
  parts: RawOption[] = [],
): boolean {
  let at = 0;
  while (at < octets.length) {
    const code = octets[at];
    assert(code !== undefined, "the walk stays inside the octets");
    if (code === END) return true;
    at += 1;
    if (code === PAD) continue;
    const length = octets[at];
    if (length === undefined || at + 1 + length > octets.length) return false;
    const part = octets.slice(at + 1, at + 1 + length);
    parts.push([code, part]);
    const before = found.get(code);
    found.set(code, before === undefined ? part : joinOctets([before, part]));
    at += 1 + length;
  }
  return true;
}

/** @returns the value of `option`; `null` if it is absent, or its octets are not of its type. */
export function findOption<T>(options: DhcpOptions, option: OptionDefinition<T>): T | null {
  const octets = options.get(option.code);
  return octets === undefined ? null : option.type.decode(octets);
}

/**
 * An option to send.
 * @throws {RangeFault} if `value` does not fit the option's type.
 */
export function rawOption<T>(option: OptionDefinition<T>, value: T): RawOption {
  return [option.code, option.type.encode(value)];
}

/** Where options may be put, in octets. */
export interface OptionRoom {
  /** Behind the cookie, End included, `tail` not; {@link SMALLEST_ROOM}. */
  readonly main?: number;
  /** True if `file` holds no name, so that its 128 octets may hold options; false. */
  readonly file?: boolean;
  /** True if `sname` holds no name, so that its 64 octets may hold options; false. */
  readonly sname?: boolean;
  /** True if the last option, too, keeps away from the room for "option overload"; false. */
  readonly keepsRoom?: boolean;
  /** Octets that follow all other options: a relay agent's own option (RFC 3046 section 2.2). */
  readonly tail?: Uint8Array;
}

/** Options in their places. */
export interface PackedOptions {
  /** What follows the cookie. */
  readonly main: Uint8Array;
  /** 128 octets for `file`; `null` if it holds no options. */
  readonly file: Uint8Array | null;
  /** 64 octets for `sname`; `null` if it holds no options. */
  readonly sname: Uint8Array | null;
  /** Codes for which there was no room. */
  readonly left: readonly number[];
}

/** Room behind the cookie in an IP packet of 576 octets, which everyone takes: RFC 2131 section 2. */
export const SMALLEST_ROOM = 308;

const FILE_LENGTH = 128;
const SNAME_LENGTH = 64;
/** Octets of an option's code and length. */
const HEADER = 2;

/** A place that fills with options. */
class Place {
  readonly octets: Uint8Array;
  /** Octets that stay free behind an option that is put whole. */
  readonly wholeReserve: number;
  /** Octets that stay free behind a part of an option. */
  readonly partReserve: number;
  used = 0;

  constructor(length: number, wholeReserve: number, partReserve: number) {
    this.octets = new Uint8Array(length);
    this.wholeReserve = wholeReserve;
    this.partReserve = partReserve;
  }

  /** Octets of a value that still fit if `reserve` octets stay free. */
  room(reserve: number): number {
    return this.octets.length - this.used - HEADER - reserve;
  }

  put(code: number, value: Uint8Array): void {
    this.octets.set([code, value.length], this.used);
    this.octets.set(value, this.used + HEADER);
    this.used += HEADER + value.length;
  }

  /** The octets with End behind the options, and zeros after it; `null` if it holds none. */
  close(): Uint8Array | null {
    if (this.used === 0) return null;
    this.octets.fill(PAD, this.used);
    this.octets[this.used] = END;
    return this.octets;
  }
}

/**
 * Put options where there is room, in their order, as ISC dhcpd 4 does: an option goes whole into
 * the first of main, `file` and `sname` that takes it; one that is longer than 255 octets or fits
 * nowhere is split over what is free; one that still does not fit is left out. Main keeps room for
 * "option overload" and End; the last option may take that for overload if nothing is overloaded.
 * @throws {OptionError} for a code that is Pad, End, overload or no octet.
 */
export function packOptions(options: readonly RawOption[], room: OptionRoom = {}): PackedOptions {
  const { keepsRoom = false } = room;
  const main = new Place(room.main ?? SMALLEST_ROOM, 4, 3);
  const file = new Place(room.file === true ? FILE_LENGTH : 0, 2, 1);
  const sname = new Place(room.sname === true ? SNAME_LENGTH : 0, 2, 1);
  const left: number[] = [];
  options.forEach(([code, value], index) => {
    checkCode(code);
    const isLast = index === options.length - 1 && file.used + sname.used === 0;
    if (isLast && !keepsRoom && value.length <= Math.min(LONGEST_PART, main.room(1))) {
      main.put(code, value);
    } else if (!putOption([main, file, sname], code, value)) {
      left.push(code);
    }
  });
  return closePlaces(main, file, sname, room.tail ?? NO_OCTETS, left);
}

const NO_OCTETS = new Uint8Array(0);

function checkCode(code: number): void {
  const isSendable = Number.isInteger(code) && code > PAD && code < END;
  if (!isSendable || code === Option.Overload.code) {
    throw new OptionError("code", code, "an option code from 1 to 254 other than 52");
  }
}

function putOption(places: readonly Place[], code: number, value: Uint8Array): boolean {
  if (value.length <= LONGEST_PART) {
    const whole = places.find((place) => value.length <= place.room(place.wholeReserve));
    if (whole !== undefined) {
      whole.put(code, value);
      return true;
    }
    if (value.length === 0) return false;
  }
  const before = places.map(({ used }) => used);
  for (let at = 0; at < value.length;) {
    const place = places.find((candidate) => candidate.room(candidate.partReserve) >= 2);
    if (place === undefined) {
      places.forEach((each, index) => {
        each.used = before[index] ?? 0;
      });
      return false;
    }
    const length = Math.min(LONGEST_PART, place.room(place.partReserve));
    place.put(code, value.subarray(at, at + length));
    at = Math.min(at + length, value.length);
  }
  return true;
}

function closePlaces(
  main: Place,
  file: Place,
  sname: Place,
  tail: Uint8Array,
  left: readonly number[],
): PackedOptions {
  const fileOctets = file.close();
  const snameOctets = sname.close();
  const used =
    (fileOctets === null ? 0 : Overload.File) + (snameOctets === null ? 0 : Overload.Sname);
  if (used !== 0) main.put(Option.Overload.code, Uint8Array.of(used));
  const hasEnd = main.used < main.octets.length;
  return {
    main: joinOctets([
      main.octets.subarray(0, main.used),
      tail,
      hasEnd ? Uint8Array.of(END) : NO_OCTETS,
    ]),
    file: fileOctets,
    sname: snameOctets,
    left,
  };
}

/** Bits of the option "option overload": RFC 2132 section 9.3. */
export const Overload = { File: 1, Sname: 2 } as const;
