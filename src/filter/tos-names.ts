/** Types of service, by name (RFC 1349 section 4) or with a mask. @module */
import { refuse } from "./errors.ts";
import { findNumber, hex2, type MaskedNumber, parseMaskedNumber } from "./values.ts";

const NAMES = new Map([
  ["minimize-delay", 0x10],
  ["maximize-throughput", 0x08],
  ["maximize-reliability", 0x04],
  ["minimize-cost", 0x02],
  ["normal-service", 0x00],
]);
/** A name leaves the two bits of congestion notification alone. */
const NAMED_MASK = 0x3f;

/** @throws {ParseError} if `word` is no octet, with or without a mask, and no name. */
export function parseTos(word: string): MaskedNumber {
  const named = NAMES.get(word.toLowerCase());
  if (named !== undefined) return { value: named, mask: NAMED_MASK };
  if (findNumber(word.replace(/\/.*/, "")) === null) refuse(word, `no type of service "${word}"`);
  return parseMaskedNumber(word, 0xff, "a type of service");
}

/** "0x10/0x3f". */
export const formatTos = ({ value, mask }: MaskedNumber): string => `${hex2(value)}/${hex2(mask)}`;
