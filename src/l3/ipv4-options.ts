/**
 * IPv4 options: RFC 791 section 3.1, processed as Linux does (net/ipv4/ip_options.c): record route
 * and timestamp are filled in on the way, source routes are refused, the rest passes.
 * @module
 */
import type { Ipv4Addr } from "../wire/addr.ts";
import { fieldsOf } from "../wire/field.ts";
import { ipv4Addr, struct, u8, u32be } from "../wire/layout.ts";
import { headerLengthOf, IPV4, IPV4_MIN_LENGTH } from "./ipv4.ts";

const layout = struct([u8("type"), u8("length"), u8("pointer"), u8("overflowFlag")]);
/** The fixed part of an option; `overflowFlag` is the timestamp's alone. */
const OPTION = fieldsOf(layout);
const ADDRESS = fieldsOf(struct([ipv4Addr("address")])).address;
const TIME = fieldsOf(struct([u32be("milliseconds")])).milliseconds;

/**
 * Option types with their copied flag and class. Commercial security (CIPSO) names a domain of
 * interpretation; a host that knows none refuses it.
 */
export const OptionType = {
  End: 0,
  NoOperation: 1,
  RecordRoute: 7,
  Timestamp: 68,
  LooseSourceRoute: 131,
  CommercialSecurity: 134,
  StrictSourceRoute: 137,
  RouterAlert: 148,
} as const;

/** Flags of a timestamp option. */
const TimestampFlag = { Only: 0, WithAddress: 1, Prespecified: 3 } as const;
const COPIED = 0x80;

/** What the stack around answers while options are read and written. */
export interface OptionHost {
  /** The address of this host that the sender knows it by (`fib_compute_spec_dst`). */
  specificAddress(): Ipv4Addr;
  /** True if `address` is none of this host's, and no broadcast or multicast address. */
  isForeign(address: Ipv4Addr): boolean;
  /** Milliseconds since midnight UTC. */
  timeOfDay(): number;
}

/** The options of one packet, found and judged. One object serves a stack: `read` fills it anew. */
export class Ipv4Options {
  /** Octets, padding included; 0 for a packet without options. */
  length = 0;
  /** Positions from the header's first octet; 0 for none. */
  sourceRoute = 0;
  recordRoute = 0;
  timestamp = 0;
  routerAlert = 0;
  commercialSecurity = 0;
  /** The record route option waits for the address that the packet leaves from. */
  needsRoute = false;
  /** The timestamp option waits for that address. */
  needsAddress = false;
  /** The timestamp option waits for the time. */
  needsTime = false;
  /** Octets changed, the header's checksum did not yet. */
  isChanged = false;
  readonly #host: OptionHost;

  constructor(host: OptionHost) {
    this.#host = host;
  }

  clear(): void {
    this.length = 0;
    this.sourceRoute = 0;
    this.recordRoute = 0;
    this.timestamp = 0;
    this.routerAlert = 0;
    this.commercialSecurity = 0;
    this.needsRoute = false;
    this.needsAddress = false;
    this.needsTime = false;
    this.isChanged = false;
  }

  /**
   * Read the options of the checked header at `at`; fill in record route and timestamp.
   * @returns -1 if they are sound, or the position of the octet that is wrong.
   */
  read(view: DataView, at: number): number {
    this.clear();
    this.length = headerLengthOf(view, at) - IPV4_MIN_LENGTH;
    const end = at + IPV4_MIN_LENGTH + this.length;
    let here = at + IPV4_MIN_LENGTH;
    while (here < end) {
      const type = OPTION.type.get(view, here);
      if (type === OptionType.End) {
        this.#blank(view, here + 1, end);
        return -1;
      }
      if (type === OptionType.NoOperation) {
        here += 1;
        continue;
      }
      if (end - here < 2) return here - at;
      const length = OPTION.length.get(view, here);
      if (length < 2 || length > end - here) return here - at;
      const wrong = this.#readOne(view, at, here, type, length);
      if (wrong >= 0) return here - at + wrong;
      here += length;
    }
    return -1;
  }

  /**
   * Write the address that the packet leaves from into its record route option. A timestamp keeps
   * the address that it was read with: Linux fills it here only along a source route.
   */
  fill(view: DataView, at: number, leaving: Ipv4Addr): void {
    if (this.needsRoute) {
      const here = at + this.recordRoute;
      ADDRESS.set(view, here + OPTION.pointer.get(view, here) - 5, leaving);
      this.isChanged = true;
    }
  }

  /** @returns how far into the option it is wrong, or -1. */
  #readOne(view: DataView, at: number, here: number, type: number, length: number): number {
    switch (type) {
      case OptionType.LooseSourceRoute:
      case OptionType.StrictSourceRoute:
        if (length < 3) return 1;
        if (OPTION.pointer.get(view, here) < 4) return 2;
        if (this.sourceRoute > 0) return 0;
        this.sourceRoute = here - at;
        return -1;
      case OptionType.RecordRoute:
        return this.#readRecordRoute(view, at, here, length);
      case OptionType.Timestamp:
        return this.#readTimestamp(view, at, here, length);
      case OptionType.RouterAlert:
        if (length < 4) return 1;
        if (view.getUint16(here + OPTION.pointer.offset) === 0) this.routerAlert = here - at;
        return -1;
      case OptionType.CommercialSecurity:
        this.commercialSecurity = here - at;
        return length < 8 ? 1 : 2;
      default:
        return -1;
    }
  }

  #readRecordRoute(view: DataView, at: number, here: number, length: number): number {
    if (this.recordRoute > 0) return 0;
    if (length < 3) return 1;
    const pointer = OPTION.pointer.get(view, here);
    if (pointer < 4) return 2;
    if (pointer <= length) {
      if (pointer + 3 > length) return 2;
      ADDRESS.set(view, here + pointer - 1, this.#host.specificAddress());
      OPTION.pointer.set(view, here, pointer + 4);
      this.isChanged = true;
      this.needsRoute = true;
    }
    this.recordRoute = here - at;
    return -1;
  }

  #readTimestamp(view: DataView, at: number, here: number, length: number): number {
    if (this.timestamp > 0) return 0;
    if (length < 4) return 1;
    const pointer = OPTION.pointer.get(view, here);
    if (pointer < 5) return 2;
    if (pointer <= length) {
      if (pointer + 3 > length) return 2;
      if (!this.#stamp(view, here, length, pointer)) return 2;
    } else if (!this.#overflow(view, here)) return 3;
    this.timestamp = here - at;
    return -1;
  }

  /** @returns false if there is no room for what the flag asks. */
  #stamp(view: DataView, here: number, length: number, pointer: number): boolean {
    const flag = OPTION.overflowFlag.get(view, here) & 15;
    if (flag === TimestampFlag.Only) {
      this.#stampTime(view, here + pointer - 1);
      OPTION.pointer.set(view, here, pointer + 4);
      return true;
    }
    if (flag !== TimestampFlag.WithAddress && flag !== TimestampFlag.Prespecified) return true;
    if (pointer + 7 > length) return false;
    const slot = here + pointer - 1;
    if (flag === TimestampFlag.WithAddress) {
      ADDRESS.set(view, slot, this.#host.specificAddress());
      this.needsAddress = true;
    } else if (this.#host.isForeign(ADDRESS.get(view, slot))) return true;
    this.#stampTime(view, slot + 4);
    OPTION.pointer.set(view, here, pointer + 8);
    return true;
  }

  /**
   * How far the time that an answer writes moves the pointer of the timestamp option at `here`: 0
   * if
   * the address at `pointer`, which was asked for by name, is not this host's.
   */
  stepOfTime(view: DataView, here: number, pointer: number): number {
    const flag = OPTION.overflowFlag.get(view, here) & 15;
    if (flag !== TimestampFlag.Prespecified) return 4;
    if (pointer + 7 > OPTION.length.get(view, here)) return 0;
    return this.#host.isForeign(ADDRESS.get(view, here + pointer - 1)) ? 0 : 8;
  }

  #stampTime(view: DataView, slot: number): void {
    TIME.set(view, slot, this.#host.timeOfDay());
    this.needsTime = true;
    this.isChanged = true;
  }

  /** Count a router that found no room. @returns false if the count is full. */
  #overflow(view: DataView, here: number): boolean {
    const value = OPTION.overflowFlag.get(view, here);
    if ((value & 15) === TimestampFlag.Prespecified) return true;
    if (value >>> 4 === 15) return false;
    OPTION.overflowFlag.set(view, here, value + 16);
    this.isChanged = true;
    return true;
  }

  /** What follows the end of the list is set to zero. */
  #blank(view: DataView, from: number, end: number): void {
    for (let here = from; here < end; here += 1) {
      if (view.getUint8(here) === OptionType.End) continue;
      view.setUint8(here, OptionType.End);
      this.isChanged = true;
    }
  }
}

/** Options that an answer carries back: those that record the way (`ip_options_echo`). */
export interface EchoedOptions {
  /** The octets, padded to a multiple of four. */
  readonly octets: Uint8Array;
  /** Where the answer's own address goes, from the first octet of options; -1 for nowhere. */
  readonly routeAt: number;
  readonly addressAt: number;
  readonly timeAt: number;
  /** Where the answer goes first if it goes back along a source route; else `null`. */
  readonly firstHop: Ipv4Addr | null;
}

const NO_OPTIONS: EchoedOptions = {
  octets: new Uint8Array(0),
  routeAt: -1,
  addressAt: -1,
  timeAt: -1,
  firstHop: null,
};

/**
 * The options for an answer to the packet whose header lies at `at` and whose options were read.
 * @returns `null` if they leave no room for what the answer must record.
 */
export function echoOptions(
  view: DataView,
  at: number,
  options: Ipv4Options,
): EchoedOptions | null {
  const { recordRoute, timestamp, sourceRoute, commercialSecurity } = options;
  if (recordRoute + timestamp + sourceRoute + commercialSecurity === 0) return NO_OPTIONS;
  const octets: number[] = [];
  let routeAt = -1;
  let addressAt = -1;
  let timeAt = -1;
  if (recordRoute > 0) {
    const { length, pointer } = copyOption(view, at + recordRoute, octets);
    if (options.needsRoute && pointer <= length) {
      if (pointer + 3 > length) return null;
      octets[2] = pointer + 4;
      routeAt = pointer - 1;
    }
  }
  if (timestamp > 0) {
    const start = octets.length;
    const { length, pointer } = copyOption(view, at + timestamp, octets);
    let next = pointer;
    if (pointer <= length && options.needsAddress) {
      if (next + 3 > length) return null;
      addressAt = start + next - 1;
      next += 4;
    }
    if (pointer <= length && options.needsTime) {
      if (next + 3 > length) return null;
      const step = options.stepOfTime(view, at + timestamp, next);
      if (step > 0) timeAt = start + next + step - 5;
      next += step;
    }
    octets[start + 2] = next;
  }
  const firstHop = sourceRoute > 0 ? reverseRoute(view, at, at + sourceRoute, octets) : null;
  if (commercialSecurity > 0) copyOption(view, at + commercialSecurity, octets);
  while (octets.length % 4 > 0) octets.push(OptionType.End);
  return { octets: Uint8Array.from(octets), routeAt, addressAt, timeAt, firstHop };
}

/** Append the source route at `here`, as far as it was gone, backwards. @returns its first hop. */
function reverseRoute(view: DataView, at: number, here: number, octets: number[]): Ipv4Addr | null {
  const src = IPV4.src.get(view, at);
  const end = Math.min(OPTION.pointer.get(view, here), OPTION.length.get(view, here) + 1);
  const gone: Ipv4Addr[] = [];
  for (let slot = end - 4; slot > 3; slot -= 4) gone.push(ADDRESS.get(view, here + slot - 1));
  const [firstHop = null, ...hops] = gone;
  if (firstHop === null || (hops.length === 0 && firstHop === src)) return null;
  if (hops.at(-1) !== src) hops.push(src);
  octets.push(OPTION.type.get(view, here), 3 + 4 * hops.length, 4);
  for (const hop of hops) octets.push(hop >>> 24, (hop >>> 16) & 255, (hop >>> 8) & 255, hop & 255);
  return firstHop;
}

/** Write `echoed` after the header at `at`, with the answer's own address and the time. */
export function writeEchoed(
  view: DataView,
  at: number,
  echoed: EchoedOptions,
  own: Ipv4Addr,
  timeOfDay: number,
): void {
  const start = at + IPV4_MIN_LENGTH;
  echoed.octets.forEach((octet, index) => view.setUint8(start + index, octet));
  if (echoed.routeAt >= 0) ADDRESS.set(view, start + echoed.routeAt, own);
  if (echoed.addressAt >= 0) ADDRESS.set(view, start + echoed.addressAt, own);
  if (echoed.timeAt >= 0) TIME.set(view, start + echoed.timeAt, timeOfDay);
}

/** Later fragments carry only options with the copied flag; the others become no-operations. */
export function keepCopiedOptions(view: DataView, at: number): void {
  const end = at + headerLengthOf(view, at);
  let here = at + IPV4_MIN_LENGTH;
  while (here < end) {
    const type = OPTION.type.get(view, here);
    if (type === OptionType.End) return;
    if (type === OptionType.NoOperation) {
      here += 1;
      continue;
    }
    const length = end - here < 2 ? 0 : OPTION.length.get(view, here);
    if (length < 2 || length > end - here) return;
    if ((type & COPIED) === 0) {
      for (let index = 0; index < length; index += 1) {
        view.setUint8(here + index, OptionType.NoOperation);
      }
    }
    here += length;
  }
}

function copyOption(
  view: DataView,
  here: number,
  octets: number[],
): { length: number; pointer: number } {
  const length = OPTION.length.get(view, here);
  for (let index = 0; index < length; index += 1) octets.push(view.getUint8(here + index));
  return { length, pointer: OPTION.pointer.get(view, here) };
}
