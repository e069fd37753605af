/**
 * Lines as words, and words in quotes: the grammar of `iptables-restore` (`add_param_to_argv`) and
 * of what `iptables-save` prints (`xtables_save_string`).
 * @module
 */
import { refuse } from "./errors.ts";

/**
 * The words of `line`. Quotes keep spaces together; a backslash inside them takes the next
 * character as it is. A closing quote ends its word.
 * @throws {ParseError} if a quote is not closed.
 */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word = "";
  let isQuoted = false;
  for (let at = 0; at < line.length; at += 1) {
    const character = line.charAt(at);
    if (isQuoted && character === "\\" && at + 1 < line.length) {
      at += 1;
      word += line.charAt(at);
    } else if (character === '"') {
      if (isQuoted) {
        words.push(word);
        word = "";
      }
      isQuoted = !isQuoted;
    } else if (isQuoted || !/[ \t\n]/.test(character)) word += character;
    else if (word !== "") {
      words.push(word);
      word = "";
    }
  }
  if (isQuoted) refuse(word, "a quote is not closed");
  if (word !== "") words.push(word);
  return words;
}

/** As much of `text` as fits `most` octets of UTF-8; no character is cut in two. */
export function cutOctets(text: string, most: number): string {
  // No character of a string takes more than three octets a unit.
  if (text.length * 3 <= most) return text;
  let end = 0;
  let octets = 0;
  for (const character of text) {
    octets += octetsOf(character.codePointAt(0) ?? 0);
    if (octets > most) break;
    end += character.length;
  }
  return text.slice(0, end);
}

function octetsOf(codePoint: number): number {
  if (codePoint < 0x80) return 1;
  if (codePoint < 0x800) return 2;
  return codePoint < 0x1_0000 ? 3 : 4;
}

/** `text` as one word: in quotes unless it is letters, digits, hyphens and underscores. */
export function quote(text: string): string {
  return /^[\w-]+$/.test(text) ? text : `"${text.replaceAll(/["\\']/g, String.raw`\$&`)}"`;
}
