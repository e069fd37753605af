/**
 * What the octets of a DHCP option mean: the data types of RFC 2132 section 3 to 9 and later ones.
 * @module
 */
import { RangeFault } from "../base/errors.ts";
import { type Ipv4Addr, ipv4Of, maskOf, type Prefix } from "../wire/addr.ts";

/** One value of an option, as dhcpd.conf(5) writes it. */
export type Atom =
  | "address"
  | "u8"
  | "u16"
  | "u32"
  | "i8"
  | "i16"
  | "i32"
  | "flag"
  | "text"
  | "octets"
  | "domains";

/** What an option holds: its atoms, once or over and over. */
export interface OptionForm {
  readonly atoms: readonly Atom[];
  readonly repeats: boolean;
}

/** Converts an option's octets to a value and back. */
export interface OptionType<T> extends OptionForm {
  /** @returns the value; `null` if the octets are of no such type. */
  decode(octets: Uint8Array): T | null;
  /** @throws {RangeFault} if the value does not fit the type. */
  encode(value: T): Uint8Array;
}

/** A static route to a network of any size. */
export interface ClasslessRoute {
  readonly destination: Prefix;
  /** The next hop; 0.0.0.0 if the destination is on the link. */
  readonly router: Ipv4Addr;
}

/** Octets of an atom that always has the same; 0 of one that takes the rest. */
export const ATOM_LENGTH: Readonly<Record<Atom, number>> = {
  address: 4,
  u8: 1,
  u16: 2,
  u32: 4,
  i8: 1,
  i16: 2,
  i32: 4,
  flag: 1,
  text: 0,
  octets: 0,
  domains: 0,
};

/** Big-endian octets of an integer that fits `length` octets, signed or not. */
function integerOctets(value: number, length: number, isSigned: boolean): Uint8Array {
  const span = 2 ** (8 * length);
  const lowest = isSigned ? -span / 2 : 0;
  if (!Number.isInteger(value) || value < lowest || value >= lowest + span) {
    throw new RangeFault(
      "option-integer",
      value,
      `an integer from ${lowest} to ${lowest + span - 1}`,
    );
  }
  const bytes = new Uint8Array(length);
  let rest = value < 0 ? value + span : value;
  for (let index = length - 1; index >= 0; index -= 1) {
    bytes[index] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

function integerOf(octets: Uint8Array, isSigned: boolean): number {
  const value = octets.reduce((high, octet) => high * 256 + octet, 0);
  const span = 2 ** (8 * octets.length);
  return isSigned && value >= span / 2 ? value - span : value;
}

function integer(atom: Atom, isSigned: boolean): OptionType<number> {
  const length = ATOM_LENGTH[atom];
  return {
    atoms: [atom],
    repeats: false,
    decode: (octets) => (octets.length === length ? integerOf(octets, isSigned) : null),
    encode: (value) => integerOctets(value, length, isSigned),
  };
}

/** Values of one fixed length, one after the other; at least one. */
function listOf<T>(element: OptionType<T>): OptionType<readonly T[]> {
  const length = element.atoms.reduce((sum, atom) => sum + ATOM_LENGTH[atom], 0);
  return {
    atoms: element.atoms,
    repeats: true,
    decode: (octets) => {
      if (octets.length === 0 || octets.length % length !== 0) return null;
      const values: T[] = [];
      for (let at = 0; at < octets.length; at += length) {
        const value = element.decode(octets.subarray(at, at + length));
        if (value === null) return null;
        values.push(value);
      }
      return values;
    },
    encode: (values) => joinOctets(values.map((value) => element.encode(value))),
  };
}

/** One octet sequence of many. */
export function joinOctets(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** One octet, 0 to 255. */
export const U8: OptionType<number> = integer("u8", false);
/** Two octets, 0 to 65,535. */
export const U16: OptionType<number> = integer("u16", false);
/** Four octets, 0 to 2^32 - 1. */
export const U32: OptionType<number> = integer("u32", false);
/** Four octets, -2^31 to 2^31 - 1. */
export const I32: OptionType<number> = integer("i32", true);
/** One IPv4 address. */
export const ADDRESS: OptionType<Ipv4Addr> = {
  atoms: ["address"],
  repeats: false,
  decode: (octets) => (octets.length === 4 ? ipv4Of(integerOf(octets, false)) : null),
  encode: (value) => integerOctets(value, 4, false),
};
/** One octet: 0 is false, anything else true. */
export const FLAG: OptionType<boolean> = {
  atoms: ["flag"],
  repeats: false,
  decode: (octets) => (octets.length === 1 ? octets[0] !== 0 : null),
  encode: (value) => Uint8Array.of(value ? 1 : 0),
};
/** Octets as they are. */
export const OCTETS: OptionType<Uint8Array> = {
  atoms: ["octets"],
  repeats: false,
  decode: (octets) => octets.slice(),
  encode: (value) => value.slice(),
};
/** One octet a character; a NUL at the end is dropped when read (RFC 2132 section 2). */
export const TEXT: OptionType<string> = {
  atoms: ["text"],
  repeats: false,
  decode: (octets) => characters(octets).replace(/\0+$/, ""),
  encode: textOctets,
};
/** A pair of addresses: an address and a mask, or a destination and a router. */
const PAIR: OptionType<readonly [Ipv4Addr, Ipv4Addr]> = {
  atoms: ["address", "address"],
  repeats: false,
  decode: (octets) => [
    ipv4Of(integerOf(octets.subarray(0, 4), false)),
    ipv4Of(integerOf(octets.subarray(4, 8), false)),
  ],
  encode: ([first, second]) => joinOctets([ADDRESS.encode(first), ADDRESS.encode(second)]),
};
/** IPv4 addresses, at least one. */
export const ADDRESSES: OptionType<readonly Ipv4Addr[]> = listOf(ADDRESS);
/** Pairs of IPv4 addresses, at least one. */
export const ADDRESS_PAIRS: OptionType<readonly (readonly [Ipv4Addr, Ipv4Addr])[]> = listOf(PAIR);
/** One octet each, at least one. */
export const U8S: OptionType<readonly number[]> = listOf(U8);
/** Two octets each, at least one. */
export const U16S: OptionType<readonly number[]> = listOf(U16);

/** Classless static routes: a prefix length, the significant octets of the network, a router. */
export const ROUTES: OptionType<readonly ClasslessRoute[]> = {
  atoms: ["u8"],
  repeats: true,
  decode: decodeRoutes,
  encode: (routes) => joinOctets(routes.map(routeOctets)),
};

/** Domain names, the ends that they share written once: RFC 3397 section 2. */
export const DOMAINS: OptionType<readonly string[]> = {
  atoms: ["domains"],
  repeats: false,
  decode: decodeDomains,
  encode: encodeDomains,
};

function characters(octets: Uint8Array): string {
  return Array.from(octets, (octet) => String.fromCharCode(octet)).join("");
}

/**
 * One octet a character.
 * @throws {RangeFault} for a character above 255.
 */
export function textOctets(text: string): Uint8Array {
  return Uint8Array.from(
    Array.from(text, (character) => {
      const code = character.codePointAt(0) ?? 0;
      if (code > 255) throw new RangeFault("option-text", text, "characters of one octet");
      return code;
    }),
  );
}

function decodeRoutes(octets: Uint8Array): readonly ClasslessRoute[] | null {
  const routes: ClasslessRoute[] = [];
  let at = 0;
  while (at < octets.length) {
    const length = octets[at] ?? 0;
    const significant = Math.ceil(length / 8);
    const end = at + 1 + significant + 4;
    if (length > 32 || end > octets.length) return null;
    const network = integerOf(octets.subarray(at + 1, at + 1 + significant), false);
    const address = ipv4Of((network * 2 ** (32 - 8 * significant)) & maskOf(length));
    const router = ipv4Of(integerOf(octets.subarray(end - 4, end), false));
    routes.push({ destination: { address, length }, router });
    at = end;
  }
  return routes.length === 0 ? null : routes;
}

function routeOctets({ destination, router }: ClasslessRoute): Uint8Array {
  const significant = Math.ceil(destination.length / 8);
  return joinOctets([
    U8.encode(destination.length),
    ADDRESS.encode(destination.address).subarray(0, significant),
    ADDRESS.encode(router),
  ]);
}

/** Octets of a name, dots and final zero included: RFC 1035 section 2.3.4. */
const LONGEST_DOMAIN = 255;
/** Two set bits, then 14 bits of offset: RFC 1035 section 4.1.4. */
const POINTER = 0xc000;

function encodeDomains(names: readonly string[]): Uint8Array {
  const bytes: number[] = [];
  const ends = new Map<string, number>();
  for (const name of names) {
    let labels = labelsOf(name);
    for (;;) {
      const end = labels.join(".").replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
      const known = ends.get(end);
      if (labels.length === 0 || known !== undefined) {
        bytes.push(...(known === undefined ? [0] : U16.encode(POINTER + known)));
        break;
      }
      if (bytes.length < 0x4000) ends.set(end, bytes.length);
      const [label = "", ...rest] = labels;
      bytes.push(label.length, ...textOctets(label));
      labels = rest;
    }
  }
  return Uint8Array.from(bytes);
}

function labelsOf(name: string): string[] {
  const labels = name.replace(/\.$/, "").split(".");
  if (labels.some(({ length }) => length < 1 || length > 63) || name.length > LONGEST_DOMAIN - 2) {
    throw new RangeFault("option-domain", name, "a domain name with labels of 1 to 63 characters");
  }
  return labels;
}

function decodeDomains(octets: Uint8Array): readonly string[] | null {
  const names: string[] = [];
  let at = 0;
  while (at < octets.length) {
    const read = readDomain(octets, at);
    if (read === null) return null;
    names.push(read.name);
    at = read.end;
  }
  return names.length === 0 ? null : names;
}

/** A pointer may only lead back, so each name ends. `end` is one past the name where it began. */
function readDomain(octets: Uint8Array, start: number): { name: string; end: number } | null {
  const labels: string[] = [];
  let at = start;
  let lowest = start;
  let end = -1;
  for (let total = 1; total <= LONGEST_DOMAIN;) {
    const length = octets[at];
    if (length === undefined) return null;
    if (length === 0) {
      const name = labels.join(".");
      return labels.length === 0 ? null : { name, end: end < 0 ? at + 1 : end };
    }
    if (length >= 0xc0) {
      const target = (length & 0x3f) * 256 + (octets[at + 1] ?? 0);
      if (at + 1 >= octets.length || target >= lowest) return null;
      if (end < 0) end = at + 2;
      at = target;
      lowest = target;
    } else if (length > 63 || at + 1 + length > octets.length) {
      return null;
    } else {
      labels.push(characters(octets.subarray(at + 1, at + 1 + length)));
      total += length + 1;
      at += length + 1;
    }
  }
  return null;
}

/** A form as dhcpd.conf(5) writes it: "array of integer 8", "{ ip-address, ip-address }". */
export function formName({ atoms, repeats }: OptionForm): string {
  const names = atoms.map((atom) => ATOM_NAME[atom]);
  const [first = ""] = names;
  return `${repeats ? "array of " : ""}${names.length === 1 ? first : `{ ${names.join(", ")} }`}`;
}

const ATOM_NAME: Readonly<Record<Atom, string>> = {
  address: "ip-address",
  u8: "unsigned integer 8",
  u16: "unsigned integer 16",
  u32: "unsigned integer 32",
  i8: "signed integer 8",
  i16: "signed integer 16",
  i32: "signed integer 32",
  flag: "boolean",
  text: "text",
  octets: "string",
  domains: "domain-list",
};
