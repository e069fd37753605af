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

/** `text` as one word: in quotes unless it is letters, digits, hyphens and underscores. */
export function quote(text: string): string {
  return /^[\w-]+$/.test(text) ? text : `"${text.replaceAll(/["\\']/g, String.raw`\$&`)}"`;
}
