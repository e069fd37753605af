/**
 * Rules in the words of `ebtables`: options in any order, `!` before an option or before its value
 * (iptables/xtables-eb.c `do_commandeb`). Long names are not cut short here.
 * @module
 */
import { refuse } from "../errors.ts";
import { type Given, option, Options, type OptionSpec } from "../options.ts";
import type { DeviceTest } from "../rule.ts";
import { parseDeviceName } from "../values.ts";
import { parseMaskedMac } from "./addresses.ts";
import { parseEtherType } from "./ether-types.ts";
import type { EtherTypeTest, FrameMatchKind } from "./frame-match.ts";
import type { FrameRule, MacAddressTest } from "./frame-rule.ts";
import {
  type FrameTarget,
  type FrameTargetKind,
  findVerdict,
  FrameVerdict,
} from "./frame-target.ts";
import { findFrameTarget, FRAME_MATCHES } from "./registry.ts";

/** Options of every rule, with the letters that stand for them. */
const RULE_OPTIONS: readonly (readonly [letter: string, OptionSpec])[] = [
  ["-s", option("source", { aliases: ["src"], isInvertible: true })],
  ["-d", option("destination", { aliases: ["dst"], isInvertible: true })],
  ["-i", option("in-interface", { aliases: ["in-if"], isInvertible: true })],
  ["-o", option("out-interface", { aliases: ["out-if"], isInvertible: true })],
  ["", option("logical-in", { isInvertible: true })],
  ["", option("logical-out", { isInvertible: true })],
  ["-p", option("protocol", { aliases: ["proto"], isInvertible: true })],
  ["-j", option("jump")],
  ["-c", option("set-counters", { operands: 2 })],
];

/** Smaller numbers are lengths. */
const SMALLEST_TYPE = 0x0600;

/** A rule as its words say it. */
export interface ReadFrameRule {
  readonly rule: FrameRule;
  /** `-c`: frames and octets to begin with; `null` if it is not given. */
  readonly counters: readonly [frames: string, octets: string] | null;
}

interface Loaded {
  readonly kind: FrameMatchKind;
  readonly given: Options;
}

interface Found {
  readonly spec: OptionSpec;
  readonly given: Options;
}

/**
 * Read the words of a rule: what follows `-A CHAIN`.
 * @throws {ParseError} with the word that is wrong or not supported.
 */
export function readFrameRule(words: readonly string[]): ReadFrameRule {
  return new FrameRuleReader(words).read();
}

class FrameRuleReader {
  readonly #words: readonly string[];
  readonly #own = new Options("a rule");
  readonly #loaded: Loaded[] = [];
  #extension: { readonly kind: FrameTargetKind; readonly given: Options } | null = null;
  #target: FrameTarget = { kind: "verdict", verdict: FrameVerdict.Continue };
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  read(): ReadFrameRule {
    while (this.#at < this.#words.length) this.#readOption();
    const own = this.#own;
    const protocol = readProtocol(own.find("protocol"));
    const counters = own.find("set-counters");
    const extension = this.#extension;
    return {
      rule: {
        protocol,
        source: readMac(own.find("source")),
        destination: readMac(own.find("destination")),
        input: readDevice(own.find("in-interface")),
        logicalInput: readDevice(own.find("logical-in")),
        output: readDevice(own.find("out-interface")),
        logicalOutput: readDevice(own.find("logical-out")),
        extras: this.#loaded.map(({ kind, given }) => kind.parse(given, protocol)),
        target: extension?.kind.parse(extension.given, protocol) ?? this.#target,
      },
      counters: counters === null ? null : [counters.word, counters.secondWord],
    };
  }

  #readOption(): void {
    const isInverted = this.#words[this.#at] === "!";
    if (isInverted) this.#at += 1;
    const written = this.#next("!");
    const [word = "", attached] = written.startsWith("--") ? written.split(/=(.*)/s, 2) : [written];
    const { spec, given } = this.#find(word);
    if (attached !== undefined && spec.operands !== 1) refuse(written, `${word} takes no "="`);
    const value = this.#readValue(word, spec, attached ?? null, isInverted);
    given.add(spec, value);
    if (spec.names[0] === "jump") this.#jump(value.word);
  }

  #readValue(
    name: string,
    { operands }: OptionSpec,
    attached: string | null,
    isInverted: boolean,
  ): Given {
    if (operands === 0) return { isInverted, word: "", secondWord: "", protocol: null };
    const word = attached ?? this.#next(name);
    const isInvertedHere = attached === null && word === "!";
    const value = isInvertedHere ? this.#next(name) : word;
    if (isInvertedHere && (isInverted || value === "!")) {
      refuse("!", "one ! inverts, two are one too many");
    }
    return {
      isInverted: isInverted || isInvertedHere,
      word: value,
      secondWord: operands > 1 ? this.#next(name) : "",
      protocol: null,
    };
  }

  #next(name: string): string {
    const word = this.#words[this.#at];
    this.#at += 1;
    return word ?? refuse(name, `nothing follows ${name}`);
  }

  #jump(word: string): void {
    const verdict = findVerdict(word);
    const kind = findFrameTarget(word);
    if (verdict !== null) this.#target = { kind: "verdict", verdict };
    else if (kind === null) this.#target = { kind: "jump", chain: word };
    else this.#extension = { kind, given: new Options(kind.name) };
  }

  #find(word: string): Found {
    const isWord = (spec: OptionSpec): boolean => spec.names.some((name) => word === `--${name}`);
    const own = RULE_OPTIONS.find(([letter, spec]) => word === letter || isWord(spec))?.[1];
    if (own !== undefined) return { spec: own, given: this.#own };
    if (this.#extension !== null) {
      const { kind, given } = this.#extension;
      const spec = kind.options.find(isWord);
      if (spec !== undefined) return { spec, given };
    }
    for (const kind of FRAME_MATCHES) {
      const spec = kind.options.find(isWord);
      if (spec !== undefined) return { spec, given: this.#load(kind) };
    }
    return refuse(word, `the option ${word} is not known or not supported here`);
  }

  #load(kind: FrameMatchKind): Options {
    const loaded = this.#loaded.find((one) => one.kind === kind);
    if (loaded !== undefined) return loaded.given;
    const given = new Options(kind.name);
    this.#loaded.push({ kind, given });
    return given;
  }
}

function readProtocol(given: Given | null): EtherTypeTest | null {
  if (given === null) return null;
  const { word, isInverted } = given;
  if (word.toLowerCase() === "length") return { type: null, isInverted };
  const type = parseEtherType(word);
  if (type < SMALLEST_TYPE) refuse(word, "protocols have numbers from 0x600 on");
  return { type, isInverted };
}

const readMac = (given: Given | null): MacAddressTest | null =>
  given === null ? null : { ...parseMaskedMac(given.word), isInverted: given.isInverted };

/** `+` alone asks nothing, but may stand only where a device can be asked for. */
function readDevice(given: Given | null): DeviceTest | null {
  if (given === null) return null;
  const { word, isInverted } = given;
  if (/\+./.test(word)) refuse(word, "nothing can follow the + of a device's name");
  if (word === "+" && isInverted) refuse(word, "no device is outside of all devices");
  return { name: parseDeviceName(word), isInverted };
}
