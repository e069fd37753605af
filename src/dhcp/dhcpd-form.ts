/**
 * The types in which dhcpd.conf(5) defines options of its own: `array of { ip-address, text }`.
 * @module
 */
import type { Lexer } from "./dhcpd-lexer.ts";
import type { Atom, OptionForm } from "./option-type.ts";

const INTEGERS = new Map<string, Atom>([
  ["signed8", "i8"],
  ["signed16", "i16"],
  ["signed32", "i32"],
  ["unsigned8", "u8"],
  ["unsigned16", "u16"],
  ["unsigned32", "u32"],
]);
const ATOMS = new Map<string, Atom>([
  ["boolean", "flag"],
  ["ip-address", "address"],
  ["text", "text"],
  ["string", "octets"],
  ["domain-list", "domains"],
]);

/**
 * The form that follows `option name code 224 =`.
 * @throws {ParseError} if none does.
 */
export function readForm(lexer: Lexer): OptionForm {
  const repeats = lexer.skipWord("array");
  if (repeats && !lexer.skipWord("of")) throw lexer.fault("expecting OF after ARRAY.");
  if (!lexer.skipMark("{")) return { atoms: [readAtomName(lexer)], repeats };
  const atoms: Atom[] = [];
  do atoms.push(readAtomName(lexer));
  while (lexer.skipMark(","));
  if (!lexer.skipMark("}")) throw lexer.fault("expecting right brace.");
  return { atoms, repeats };
}

function readAtomName(lexer: Lexer): Atom {
  const word = lexer.next();
  const atom = ATOMS.get(word.text);
  if (atom !== undefined) return atom;
  const isSigned = word.text !== "unsigned";
  const hasSign = !isSigned || word.text === "signed";
  if (hasSign ? !lexer.skipWord("integer") : word.text !== "integer") {
    throw lexer.fault("unknown data type", word);
  }
  const width = lexer.next();
  const integer = INTEGERS.get(`${isSigned ? "signed" : "unsigned"}${width.text}`);
  if (integer === undefined) {
    throw lexer.fault(`invalid integer width ${width.text}.`, width);
  }
  return integer;
}
