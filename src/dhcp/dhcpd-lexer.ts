/**
 * The words of dhcpd.conf(5): names, numbers, strings, marks and comments.
 * @module
 */
import { ParseError } from "../base/errors.ts";

/** `hex` is a word that is a name or hexadecimal digits, such as "a5" or "face". */
export type TokenKind = "name" | "number" | "hex" | "string" | "mark" | "end";

/** One word of the text. */
export interface Token {
  readonly kind: TokenKind;
  /** As written; the contents of a string, one octet a character. */
  readonly text: string;
  /** From 1. */
  readonly line: number;
}

const WORD = /[A-Za-z0-9_-]+/y;
const SPACE = /(?:\s|#[^\n]*)+/y;
const ESCAPES = new Map([
  ["t", "\t"],
  ["r", "\r"],
  ["n", "\n"],
  ["b", "\b"],
]);

/** Reads a text word by word. */
export class Lexer {
  readonly #text: string;
  #at = 0;
  #line = 1;
  #ahead: Token | null = null;
  #last = 1;

  constructor(text: string) {
    this.#text = text;
  }

  /** The line of the word that {@link next} gave last. */
  get line(): number {
    return this.#last;
  }

  /**
   * The next word, which stays the next one.
   * @throws {ParseError} if a string does not end.
   */
  peek(): Token {
    this.#ahead ??= this.#read();
    return this.#ahead;
  }

  /**
   * Take the next word.
   * @throws {ParseError} if a string does not end.
   */
  next(): Token {
    const token = this.peek();
    this.#ahead = null;
    if (token.kind !== "end") this.#last = token.line;
    return token;
  }

  /**
   * Take the next word if it is the mark `text`.
   * @throws {ParseError} if a string does not end.
   */
  skipMark(text: string): boolean {
    if (!this.isMark(text)) return false;
    this.next();
    return true;
  }

  /**
   * Take the next word if it is `text`.
   * @throws {ParseError} if a string does not end.
   */
  skipWord(text: string): boolean {
    if (this.peek().text !== text) return false;
    this.next();
    return true;
  }

  /**
   * True if the next word is the mark `text`.
   * @throws {ParseError} if a string does not end.
   */
  isMark(text: string): boolean {
    const { kind, text: found } = this.peek();
    return kind === "mark" && found === text;
  }

  /** What to throw where the text breaks the grammar: `word` is what stood there. */
  fault(message: string, word: Token = this.peek()): ParseError {
    if (word.kind === "end") return this.faultBefore("unexpected end of file", word);
    return new ParseError("dhcpd-conf", word.text, `${message} at "${word.text}"`, word.line);
  }

  /** The same, where ISC dhcpd has only looked at `word`: it names the line of the word before. */
  faultBefore(message: string, word: Token = this.peek()): ParseError {
    const said = word.kind === "end" ? message : `${message} at "${word.text}"`;
    return new ParseError("dhcpd-conf", word.text, said, this.#last);
  }

  #read(): Token {
    this.#skip(SPACE);
    const line = this.#line;
    const first = this.#text[this.#at];
    if (first === undefined) return { kind: "end", text: "", line };
    if (first === '"') return { kind: "string", text: this.#string(), line };
    const word = this.#skip(WORD);
    if (word !== "") return { kind: kindOf(word), text: word, line };
    this.#at += 1;
    return { kind: "mark", text: first, line };
  }

  /** Take what `pattern` matches here, counting its lines. */
  #skip(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found = ""] = pattern.exec(this.#text) ?? [];
    this.#at += found.length;
    for (const character of found) if (character === "\n") this.#line += 1;
    return found;
  }

  #string(): string {
    const line = this.#line;
    let value = "";
    this.#at += 1;
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) {
        throw new ParseError("dhcpd-conf", value, "eof in string constant", line);
      }
      this.#at += 1;
      if (character === "\n") this.#line += 1;
      if (character === '"') return value;
      value += character === "\\" ? this.#escape() : character;
    }
  }

  #escape(): string {
    const [, octal, hex] =
      /^(?:([0-3][0-7]{0,2})|x([0-9a-fA-F]{1,2}))/.exec(this.#text.slice(this.#at, this.#at + 3)) ??
      [];
    if (octal !== undefined) {
      this.#at += octal.length;
      return String.fromCharCode(Number.parseInt(octal, 8));
    }
    if (hex !== undefined) {
      this.#at += hex.length + 1;
      return String.fromCharCode(Number.parseInt(hex, 16));
    }
    const character = this.#text[this.#at] ?? "";
    this.#at += 1;
    return ESCAPES.get(character) ?? character;
  }
}

function kindOf(word: string): TokenKind {
  if (/^-?\d+$/.test(word) || /^0x[0-9a-f]+$/i.test(word)) return "number";
  return /^[0-9a-f]+$/i.test(word) ? "hex" : "name";
}
