/**
 * Values in dhcpd.conf(5): numbers, addresses, flags and the data of options, in text and octets.
 * @module
 */
import { formatIpv4, type Ipv4Addr, ipv4Of } from "../wire/addr.ts";
import type { Lexer, Token } from "./dhcpd-lexer.ts";
import {
  ADDRESS,
  type Atom,
  ATOM_LENGTH,
  DOMAINS,
  joinOctets,
  type OptionForm,
  textOctets,
} from "./option-type.ts";

const FLAGS = new Map([
  ["true", true],
  ["on", true],
  ["false", false],
  ["off", false],
  ["ignore", false],
]);

/**
 * A decimal, octal (0…) or hexadecimal (0x…) number that fits `length` octets, signed or not.
 * @throws {ParseError} if the next word is no such number.
 */
export function readNumber(lexer: Lexer, length: number): number {
  const word = lexer.next();
  const value = numberOf(word);
  if (value === null) throw lexer.fault("expecting number.", word);
  const span = 2 ** (8 * length);
  if (value >= span || value < -span / 2) {
    throw lexer.fault(`${word.text} exceeds max (${span - 1}) for precision.`, word);
  }
  return value;
}

function numberOf({ kind, text }: Token): number | null {
  if (kind !== "number" && kind !== "hex") return null;
  if (/^0x[0-9a-f]+$/i.test(text)) return Number.parseInt(text, 16);
  if (/^-?0[0-7]*$/.test(text)) return Number.parseInt(text, 8);
  return /^-?[1-9]\d*$/.test(text) ? Number.parseInt(text, 10) : null;
}

/**
 * Four decimal parts. Names of hosts are not looked up.
 * @throws {ParseError} if no address follows.
 */
export function readAddress(lexer: Lexer): Ipv4Addr {
  const first = lexer.peek();
  if (first.kind !== "number") throw lexer.fault("expecting an IP address");
  let address = 0;
  for (let part = 0; part < 4; part += 1) {
    if (part > 0 && !lexer.skipMark(".")) throw lexer.fault("expecting numeric value.");
    const word = lexer.next();
    if (!/^\d{1,3}$/.test(word.text) || Number(word.text) > 255) {
      throw lexer.fault("expecting a number from 0 to 255", word);
    }
    address = address * 256 + Number(word.text);
  }
  return ipv4Of(address);
}

/** @throws {ParseError} unless true, on, false or off follows. */
export function readFlag(lexer: Lexer): boolean {
  const word = lexer.next();
  const value = FLAGS.get(word.text.toLowerCase());
  if (value === undefined || word.kind === "string") throw lexer.fault("expecting boolean.", word);
  return value;
}

/** @throws {ParseError} unless a string or a name of characters of one octet follows. */
export function readText(lexer: Lexer): string {
  const word = lexer.next();
  if (word.kind !== "string" && word.kind !== "name" && word.kind !== "hex") {
    throw lexer.fault("expecting string.", word);
  }
  if (/[^\0-\xff]/.test(word.text)) throw lexer.fault("expecting characters of one octet", word);
  return word.text;
}

/** @throws {ParseError} unless a string follows. */
function readString(lexer: Lexer): string {
  const word = lexer.next();
  if (word.kind !== "string") throw lexer.fault("expecting string.", word);
  return word.text;
}

/**
 * Octets in hexadecimal, joined by colons.
 * @throws {ParseError} if none follows, or one does not fit.
 */
export function readHex(lexer: Lexer): Uint8Array {
  const octets: number[] = [];
  do {
    const word = lexer.next();
    const value =
      /^[0-9a-f]+$/i.test(word.text) && word.kind !== "string"
        ? Number.parseInt(word.text, 16)
        : -1;
    if (value < 0 || value > 255) throw lexer.fault("expecting hexadecimal number.", word);
    octets.push(value);
  } while (lexer.skipMark(":"));
  return Uint8Array.from(octets);
}

/**
 * The data of an option of this form, up to its semicolon.
 * @throws {ParseError} if the text does not have the form.
 */
export function readOptionData(lexer: Lexer, { atoms, repeats }: OptionForm): Uint8Array {
  const parts: Uint8Array[] = [];
  do {
    for (const atom of atoms) parts.push(readAtom(lexer, atom));
  } while (repeats && lexer.skipMark(","));
  return joinOctets(parts);
}

function readAtom(lexer: Lexer, atom: Atom): Uint8Array {
  switch (atom) {
    case "address":
      return ADDRESS.encode(readAddress(lexer));
    case "flag":
      return Uint8Array.of(readFlag(lexer) ? 1 : 0);
    case "text":
      return textOctets(readText(lexer));
    case "octets":
      return lexer.peek().kind === "string" ? textOctets(readText(lexer)) : readHex(lexer);
    case "domains":
      return readDomains(lexer);
    default:
      return bigEndian(readNumber(lexer, ATOM_LENGTH[atom]), ATOM_LENGTH[atom]);
  }
}

function readDomains(lexer: Lexer): Uint8Array {
  const names: string[] = [];
  do {
    const word = lexer.peek();
    const name = readString(lexer);
    const labels = name.replace(/\.$/, "").split(".");
    if (labels.some(({ length }) => length < 1 || length > 63) || name.length > 253) {
      throw lexer.fault("not a valid domain name", word);
    }
    names.push(name);
  } while (lexer.skipMark(","));
  return DOMAINS.encode(names);
}

/** Two's complement, most significant octet first. */
function bigEndian(value: number, length: number): Uint8Array {
  const span = 2 ** (8 * length);
  const unsigned = value < 0 ? value + span : value;
  return Uint8Array.from(
    { length },
    (_, index) => Math.floor(unsigned / 2 ** (8 * (length - 1 - index))) % 256,
  );
}

/** The text of an option's octets, which {@link readOptionData} reads back. */
export function formatOptionData(octets: Uint8Array, { atoms, repeats }: OptionForm): string {
  const records: string[] = [];
  let at = 0;
  do {
    const words: string[] = [];
    for (const atom of atoms) {
      const length = ATOM_LENGTH[atom] || octets.length - at;
      words.push(formatAtom(octets.subarray(at, at + length), atom));
      at += length;
    }
    records.push(words.join(" "));
  } while (repeats && at < octets.length);
  return records.join(", ");
}

function formatAtom(octets: Uint8Array, atom: Atom): string {
  const value = octets.reduce((high, octet) => high * 256 + octet, 0);
  switch (atom) {
    case "address":
      return formatIpv4(ipv4Of(value));
    case "flag":
      return value === 0 ? "false" : "true";
    case "text":
      return quote(octets);
    case "octets":
      return octets.length === 0 ? '""' : Array.from(octets, hexDigits).join(":");
    case "domains":
      return (DOMAINS.decode(octets) ?? []).map((name) => quote(textOctets(name))).join(", ");
    default:
      return String(value);
  }
}

/** "0a". */
export const hexDigits = (octet: number): string => octet.toString(16).padStart(2, "0");

/** A string with what cannot stand in one as octal escapes. */
export function quote(octets: Uint8Array): string {
  const characters = Array.from(octets, (octet) => {
    const character = String.fromCharCode(octet);
    if (character === '"' || character === "\\") return `\\${character}`;
    return octet >= 32 && octet < 127 ? character : `\\${octet.toString(8).padStart(3, "0")}`;
  });
  return `"${characters.join("")}"`;
}
