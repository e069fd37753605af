/**
 * The options that a match or a target takes, and those that a rule gives it (libxtables
 * `xt_option_entry`).
 * @module
 */
import { refuse } from "./errors.ts";
import type { ProtocolTest } from "./rule.ts";

/** One option of a family. */
export interface OptionSpec {
  /** Without hyphens; the first is what `iptables-save` prints. */
  readonly names: readonly [string, ...string[]];
  /** How many words follow it. */
  readonly operands: 0 | 1 | 2;
  /** True if `!` may stand before it. */
  readonly isInvertible: boolean;
}

/** How most options are: one word follows, no `!`. */
export function option(
  name: string,
  {
    aliases = [],
    operands = 1,
    isInvertible = false,
  }: {
    readonly aliases?: readonly string[];
    readonly operands?: 0 | 1 | 2;
    readonly isInvertible?: boolean;
  } = {},
): OptionSpec {
  return { names: [name, ...aliases], operands, isInvertible };
}

/** An option that a rule gives. */
export interface Given {
  readonly isInverted: boolean;
  /** The first word after it; empty if none follows. */
  readonly word: string;
  /** The second word after it; empty if none follows. */
  readonly secondWord: string;
  /** What `-p` had asked for when the option was read; `null` for any protocol. */
  readonly protocol: ProtocolTest | null;
}

/** The options that a rule gives to one match or target. */
export class Options {
  /** As after `-m` or `-j`. */
  readonly owner: string;
  readonly #given = new Map<string, Given>();

  constructor(owner: string) {
    this.owner = owner;
  }

  /** @throws {ParseError} if the option was given before, or is inverted and cannot be. */
  add(spec: OptionSpec, given: Given): void {
    const [name] = spec.names;
    if (this.#given.has(name)) refuse(`--${name}`, `${this.owner}: --${name} is given twice`);
    if (given.isInverted && !spec.isInvertible) {
      refuse(`--${name}`, `${this.owner}: --${name} cannot be inverted`);
    }
    this.#given.set(name, given);
  }

  has(name: string): boolean {
    return this.#given.has(name);
  }

  find(name: string): Given | null {
    return this.#given.get(name) ?? null;
  }

  /** @throws {ParseError} if the option is not given. */
  get(name: string): Given {
    return this.#given.get(name) ?? refuse(this.owner, `${this.owner} needs --${name}`);
  }

  /**
   * The one of `names` that is given.
   * @throws {ParseError} if none is, or more than one.
   */
  only<const N extends string>(names: readonly N[]): readonly [N, Given] {
    const [first, second] = names.filter((name) => this.#given.has(name));
    if (first === undefined) refuse(this.owner, `${this.owner} needs one of ${list(names)}`);
    if (second !== undefined) {
      refuse(`--${second}`, `${this.owner}: --${second} and --${first} exclude each other`);
    }
    return [first, this.get(first)];
  }
}

/** How `iptables-save` prints an option: with a space before it. */
export function printOption(name: string, value: string | number, isInverted = false): string {
  return `${isInverted ? " !" : ""} --${name} ${value}`;
}

const list = (names: readonly string[]): string => names.map((name) => `--${name}`).join(", ");
