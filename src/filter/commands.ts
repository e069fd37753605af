/** The commands of `iptables` that change chains, in words (`do_parse`). @module */
import type { ChainSet, Undo } from "./chain-set.ts";
import type { Policy } from "./chain.ts";
import { refuse } from "./errors.ts";
import { readRule } from "./rule-text.ts";
import type { Counters } from "./step.ts";
import { findNumber } from "./values.ts";

/** Commands by the letter and the long name that they have. */
const COMMANDS = [
  ["-A", "--append"],
  ["-I", "--insert"],
  ["-R", "--replace"],
  ["-D", "--delete"],
  ["-C", "--check"],
  ["-F", "--flush"],
  ["-Z", "--zero"],
  ["-N", "--new-chain"],
  ["-X", "--delete-chain"],
  ["-E", "--rename-chain"],
  ["-P", "--policy"],
] as const;

const nothing: Undo = () => undefined;

/** Where a command stands. */
export interface CommandContext {
  /** What new rules begin with; `null`, the default, for what they say themselves, or zero. */
  readonly counters?: Counters | null;
  /** True where rules with `-6` may stand and are passed over; false, the default, refuses them. */
  readonly skipsIpv6?: boolean;
}

/**
 * Do what `words` say, such as `-I FORWARD 1 -i vif3.0 -j DROP`; the command comes first.
 * @throws {ParseError} with the word that is wrong; {@link RuleError} if it cannot be done.
 */
export function runCommand(
  chains: ChainSet,
  words: readonly string[],
  context: CommandContext = {},
): Undo {
  const [word = "", ...rest] = words;
  const [letter] = COMMANDS.find((names) => names.some((name) => name === word)) ?? [];
  switch (letter) {
    case undefined:
      return refuse(word, `a line begins with a command such as -A, not with "${word}"`);
    case "-A":
    case "-I":
    case "-R":
    case "-D":
    case "-C":
      return changeRules(chains, letter, rest, context);
    case "-F":
      return chains.flush(readNames(word, rest, 0, 1)[0] ?? null);
    case "-Z": {
      const [name, number] = readNames(word, rest, 0, 2);
      chains.zero(name ?? null, number === undefined ? null : readNumber(number));
      return nothing;
    }
    case "-N":
      return chains.create(readNames(word, rest, 1, 1)[0] ?? "");
    case "-X":
      return removeChains(chains, readNames(word, rest, 0, 1)[0] ?? null);
    case "-E": {
      const [from = "", to = ""] = readNames(word, rest, 2, 2);
      return chains.rename(from, to);
    }
    case "-P": {
      const [name = "", policy = ""] = readNames(word, rest, 2, 2);
      if (policy === "DROP" && chains.table === "nat") {
        refuse(policy, "the table nat does not filter");
      }
      return chains.setPolicy(name, readPolicy(policy));
    }
  }
}

/** @throws {ParseError} if `word` is not ACCEPT or DROP. */
export function readPolicy(word: string): Policy {
  if (word === "ACCEPT" || word === "DROP") return word;
  return refuse(word, `a policy is ACCEPT or DROP, not "${word}"`);
}

/** @throws {ParseError} if the words are not two numbers below 2^53. */
export function readCounters(packets: string, octets: string): Counters {
  return { packets: readCount(packets), octets: readCount(octets) };
}

/**
 * Read "[12:3456]".
 * @returns `null` if they are not kept, whatever their size.
 * @throws {ParseError} if `word` is no such counters.
 */
export function readBrackets(word: string, { isKept }: { isKept: boolean }): Counters | null {
  const [, packets = "", octets = ""] = /^\[(\d+):(\d+)\]$/.exec(word) ?? [];
  if (packets === "") refuse(word, `expected counters such as [12:3456], got "${word}"`);
  return isKept ? readCounters(packets, octets) : null;
}

function readCount(word: string): number {
  const count = /^\d+$/.test(word) ? Number(word) : Number.NaN;
  return Number.isSafeInteger(count)
    ? count
    : refuse(word, `"${word}" counts no packets or octets, or 2^53 and more`);
}

/** Commands whose words go on with a rule; `-s` and `-d` may list addresses, and so make many. */
function changeRules(
  chains: ChainSet,
  letter: "-A" | "-I" | "-R" | "-D" | "-C",
  [chain = "", ...words]: readonly string[],
  { counters = null, skipsIpv6 = false }: CommandContext,
): Undo {
  const [next = ""] = words;
  const isNumbered = !"-A-C".includes(letter) && next !== "" && !/^[-!]/.test(next);
  const number = isNumbered ? readNumber(next) : null;
  const { rules, counters: own } = readRule(isNumbered ? words.slice(1) : words);
  if (own !== null && counters !== null) refuse("-c", "the rule has counters already");
  const begin = own === null ? counters : readCounters(...own);
  if (begin !== null && "-D-C".includes(letter)) refuse("-c", `${letter} has no use for counters`);
  const [rule, second] = rules;
  if (rule === undefined) return skipsIpv6 ? nothing : refuse("-6", "-6 is for ip6tables");
  if (letter === "-R") {
    if (number === null) refuse(letter, "-R needs the number of a rule");
    if (second !== undefined) refuse(letter, "-R makes one rule");
    return chains.replace(chain, number, rule, begin);
  }
  if (letter === "-D" && number !== null) {
    if (words.length > 1) refuse(words[1] ?? "", "-D takes a number or a rule, not both");
    return chains.delete(chain, number);
  }
  return inOrder(
    rules.map((one) => () => {
      if (letter === "-D") return chains.delete(chain, one);
      if (letter === "-C") return chains.check(chain, one);
      return chains.insert(chain, letter === "-A" ? null : (number ?? 1), one, begin);
    }),
  );
}

/** `-X` without a name removes every chain that is not built in. */
function removeChains(chains: ChainSet, name: string | null): Undo {
  if (name !== null) return chains.remove(name);
  const own = [...chains].filter((chain) => chain.hook === null);
  return inOrder(own.map((chain) => () => chains.remove(chain.name)));
}

/** Make changes one after the other; if one fails, those before it are taken back. */
function inOrder(changes: readonly (() => Undo)[]): Undo {
  const undos: Undo[] = [];
  const undo = (): void => {
    for (const one of undos.splice(0).toReversed()) one();
  };
  try {
    for (const change of changes) undos.push(change());
  } catch (error) {
    undo();
    throw error;
  }
  return undo;
}

/**
 * The words of a command that takes so many.
 * @throws {ParseError} with the first word too many, or the command if there are too few.
 */
export function readNames(
  command: string,
  words: readonly string[],
  least: number,
  most: number,
): readonly string[] {
  const extra = words[most];
  if (extra !== undefined) refuse(extra, `${command} has no use for "${extra}"`);
  if (words.length < least) refuse(command, `${command} needs ${least} words after it`);
  return words;
}

/** The number of a rule, from 1. @throws {ParseError} if `word` is none. */
export function readNumber(word: string): number {
  const number = findNumber(word);
  if (number === null || number < 1) refuse(word, `rules are counted from 1, not "${word}"`);
  return number;
}
