/**
 * Rules in the words of `iptables`: options in any order, aliases, names cut short, `!` before what
 * is inverted (`do_parse` of iptables/xshared.c, `getopt_long`).
 * @module
 */
import { refuse } from "./errors.ts";
import type { MatchKind } from "./match.ts";
import { type Given, option, Options, type OptionSpec } from "./options.ts";
import { parseProtocol } from "./protocol-names.ts";
import { findMatchKind, findProtocolKind, findTargetKind } from "./registry.ts";
import type { AddressTest, DeviceTest, ProtocolTest, Rule } from "./rule.ts";
import type { Target, TargetKind } from "./target.ts";
import { parseDeviceName, parseMaskedAddress } from "./values.ts";
import { splitWords } from "./words.ts";

/** Options of every rule; the letters stand with one hyphen. */
const RULE_OPTIONS = {
  s: option("source", { aliases: ["src"], isInvertible: true }),
  d: option("destination", { aliases: ["dst"], isInvertible: true }),
  i: option("in-interface", { isInvertible: true }),
  o: option("out-interface", { isInvertible: true }),
  p: option("protocol", { isInvertible: true }),
  f: option("fragments", { operands: 0, isInvertible: true }),
  m: option("match"),
  j: option("jump"),
  g: option("goto"),
  c: option("set-counters", { operands: 2 }),
  4: option("ipv4", { operands: 0, isInvertible: true }),
  6: option("ipv6", { operands: 0, isInvertible: true }),
} as const;

type Letter = `${keyof typeof RULE_OPTIONS}`;
const LETTERS: readonly Letter[] = ["s", "d", "i", "o", "p", "f", "m", "j", "g", "c", "4", "6"];
/** `iptables` takes the whole word for the value where one follows these by "=". */
const WITHOUT_EQUALS: readonly (Letter | Options)[] = ["s", "d", "i", "o", "p", "j"];
/** Long options that are not of rules: a name cut short may be one of them. */
const OTHER_OPTIONS = [
  ...["append", "insert", "replace", "delete", "check", "flush", "zero", "policy", "table"],
  ...["new-chain", "delete-chain", "rename-chain", "list", "list-rules", "line-numbers"],
  ...["numeric", "verbose", "version", "exact", "help", "wait", "wait-interval", "modprobe"],
];

/** A match or a target that the words have loaded so far. */
interface Loaded<K> {
  readonly kind: K;
  readonly given: Options;
}

/** Where an option belongs: to the rule itself, or to what is loaded. */
interface Found {
  readonly spec: OptionSpec;
  readonly owner: Letter | Options;
}

/** What the words of one command say. */
export interface ReadRule {
  /** More than one if `-s` or `-d` lists addresses; none with `-6`, a rule of `ip6tables`. */
  readonly rules: readonly Rule[];
  /** `-c`: packets and octets to begin with; `null` if it is not given. */
  readonly counters: readonly [packets: string, octets: string] | null;
}

/**
 * Read one rule: what follows `-A CHAIN`, such as `-i vif3.0 ! -s 10.254.170.223 -j DROP`.
 * @throws {ParseError} with the word that is wrong or not supported.
 */
export function parseRule(text: string): Rule {
  const { rules, counters } = readRule(splitWords(text));
  const [rule, second] = rules;
  if (counters !== null) refuse("-c", "a rule has no counters of its own");
  return rule === undefined || second !== undefined
    ? refuse(text, "expected one rule: lists of addresses make many")
    : rule;
}

/** Read the words of a rule. @throws {ParseError} as {@link parseRule}. */
export function readRule(words: readonly string[]): ReadRule {
  return new RuleReader(words).read();
}

class RuleReader {
  readonly #words: readonly string[];
  readonly #own = new Options("a rule");
  readonly #loaded: Loaded<MatchKind>[] = [];
  #extension: Loaded<TargetKind> | null = null;
  /** Matches and targets in the order in which they were loaded. */
  readonly #order: Loaded<MatchKind | TargetKind>[] = [];
  #target: Target = { kind: "none" };
  #protocol: ProtocolTest | null = null;
  #hasLoadedProtocol = false;
  #isIpv6 = false;
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  read(): ReadRule {
    while (this.#at < this.#words.length && !this.#isIpv6) this.#readOption();
    if (this.#isIpv6) return { rules: [], counters: null };
    const own = this.#own;
    if (own.has("jump") && own.has("goto")) refuse("-g", "a rule has one target");
    const { source, destination } = this.#readAddresses();
    const fragment = own.find("fragments");
    const counters = own.find("set-counters");
    const rest = {
      input: readDevice(own.find("in-interface")),
      output: readDevice(own.find("out-interface")),
      protocol: this.#protocol,
      fragment: fragment === null ? null : { isInverted: fragment.isInverted },
      matches: this.#loaded.map(({ kind, given }) => kind.parse(given)),
      target: this.#extension?.kind.parse(this.#extension.given) ?? this.#target,
    };
    return {
      rules: source.flatMap((from) =>
        destination.map((to) => ({ source: from, destination: to, ...rest })),
      ),
      counters: counters === null ? null : [counters.word, counters.secondWord],
    };
  }

  #readOption(): void {
    const isInverted = this.#words[this.#at] === "!";
    if (isInverted) this.#at += 1;
    const written = this.#words[this.#at];
    if (written === undefined) refuse("!", "nothing follows !");
    if (written === "!") refuse("!", "one ! inverts, two are one too many");
    this.#at += 1;
    const [word = "", attached] = written.startsWith("--") ? written.split(/=(.*)/s, 2) : [written];
    const { spec, owner } = this.#find(word);
    if (attached !== undefined && (spec.operands !== 1 || WITHOUT_EQUALS.includes(owner))) {
      refuse(written, `${word} takes no "="`);
    }
    const value = spec.operands > 0 ? (attached ?? this.#next(word)) : "";
    const [first = "", second] = owner === "c" ? value.split(/,(.*)/s, 2) : [value];
    const given: Given = {
      isInverted,
      word: first,
      secondWord: spec.operands > 1 ? (second ?? this.#next(word)) : "",
      protocol: this.#protocol,
    };
    if (typeof owner !== "string") owner.add(spec, given);
    else if (owner === "m") this.#load(given);
    else if (owner === "6") this.#isIpv6 = true;
    else if (owner !== "4") {
      this.#own.add(spec, given);
      if (owner === "p") this.#protocol = readProtocol(given);
      if (owner === "j") this.#jump(given.word);
      if (owner === "g") this.#target = { kind: "goto", chain: given.word };
    }
  }

  #next(name: string): string {
    const word = this.#words[this.#at];
    this.#at += 1;
    return word ?? refuse(name, `nothing follows ${name}`);
  }

  #load({ word, isInverted }: Given): void {
    if (isInverted) refuse("-m", "-m cannot be inverted, its options can");
    this.#loadMatch(findMatchKind(word) ?? refuse(word, `the match "${word}" is not supported`));
  }

  #loadMatch(kind: MatchKind): void {
    const loaded = { kind, given: new Options(kind.name) };
    this.#loaded.push(loaded);
    this.#order.push(loaded);
  }

  #jump(word: string): void {
    const kind = findTargetKind(word);
    if (kind === null) this.#target = standardTarget(word);
    else {
      this.#extension = { kind, given: new Options(kind.name) };
      this.#order.push(this.#extension);
    }
  }

  #find(word: string): Found {
    const letter = LETTERS.find((one) => word === `-${one}`);
    if (letter !== undefined) return { spec: RULE_OPTIONS[letter], owner: letter };
    if (!word.startsWith("--")) refuse(word, `"${word}" is no option of a rule`);
    const found = this.#findLong(word.slice(2));
    if (found !== null) return found;
    if (this.#protocol !== null && !this.#hasLoadedProtocol) {
      this.#hasLoadedProtocol = true;
      const kind = findProtocolKind(this.#protocol.number);
      if (kind !== null) {
        this.#loadMatch(kind);
        return this.#find(word);
      }
    }
    if (this.#target.kind === "jump") {
      const { chain } = this.#target;
      refuse(word, `the option ${word} is not known here, or the target ${chain} not supported`);
    }
    return refuse(word, `the option ${word} is not known or not supported here`);
  }

  /** The option of that name, or the only one that begins so. */
  #findLong(name: string): Found | null {
    const candidates = this.#candidates();
    const isExact = ({ spec }: Found): boolean => spec.names.includes(name);
    const exact = candidates.find(isExact);
    if (exact !== undefined) return exact;
    const begun = candidates.filter(({ spec }) => spec.names.some((one) => one.startsWith(name)));
    const [first] = begun;
    const others = OTHER_OPTIONS.filter((one) => one.startsWith(name));
    if (first !== undefined && begun.length + others.length > 1) {
      const names = [...begun.map(({ spec }) => spec.names[0]), ...others];
      refuse(`--${name}`, `--${name} may be ${names.map((one) => `--${one}`).join(", ")}`);
    }
    return first ?? null;
  }

  /**
   * Every option that may come now. What was loaded last comes first (`xtables_merge_options`),
   * and of a match that is loaded twice, only the last counts.
   */
  #candidates(): Found[] {
    const own = LETTERS.map((letter) => ({ spec: RULE_OPTIONS[letter], owner: letter }));
    const seen = new Set<MatchKind | TargetKind>();
    const loaded = this.#order.toReversed().flatMap(({ kind, given }) => {
      if (seen.has(kind)) return [];
      seen.add(kind);
      return kind.options.map((spec) => ({ spec, owner: given }));
    });
    return [...own, ...loaded];
  }

  #readAddresses(): Record<"source" | "destination", readonly (AddressTest | null)[]> {
    const source = readAddressList(this.#own.find("source"));
    const destination = readAddressList(this.#own.find("destination"));
    const isList = source.length > 1 || destination.length > 1;
    const inverted = [...source, ...destination].some((one) => one?.isInverted === true);
    if (isList && inverted) refuse("!", "a list of addresses cannot be inverted");
    return { source, destination };
  }
}

function standardTarget(word: string): Target {
  switch (word) {
    case "ACCEPT":
      return { kind: "accept" };
    case "DROP":
      return { kind: "drop" };
    case "RETURN":
      return { kind: "return" };
    case "QUEUE":
      return refuse(word, "the target QUEUE is not supported");
    default:
      return { kind: "jump", chain: word };
  }
}

function readAddressList(given: Given | null): readonly (AddressTest | null)[] {
  if (given === null) return [null];
  const { word, isInverted } = given;
  return word.split(",").map((one) => {
    const address = parseMaskedAddress(one);
    return address.mask === 0 && !isInverted ? null : { ...address, isInverted };
  });
}

/** `+` alone is every device, but may only be asked for where there is one. */
function readDevice(given: Given | null): DeviceTest | null {
  if (given === null) return null;
  const { word, isInverted } = given;
  if (word === "+" && isInverted) refuse(word, "no device is outside of all devices");
  return { name: parseDeviceName(word), isInverted };
}

/** 0 is every protocol. */
function readProtocol({ word, isInverted }: Given): ProtocolTest | null {
  const number = parseProtocol(word);
  if (number === 0 && isInverted) refuse(word, "no protocol is outside of all protocols");
  return number === 0 ? null : { number, isInverted };
}
