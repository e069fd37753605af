/** The commands of `ebtables` that change chains, in words (`do_commandeb`). @module */
import { readCounters, readNames, readNumber } from "../commands.ts";
import { refuse } from "../errors.ts";
import type { Counters } from "../step.ts";
import type { FramePolicy } from "./frame-chain.ts";
import type { FrameTable } from "./frame-table.ts";
import { findVerdict, FrameVerdict } from "./frame-target.ts";
import { readFrameRule } from "./rule-text.ts";

/** Commands by the letter and the long name that they have. */
const COMMANDS = [
  ["-A", "--append"],
  ["-I", "--insert"],
  ["-D", "--delete"],
  ["-F", "--flush"],
  ["-Z", "--zero"],
  ["-N", "--new-chain"],
  ["-X", "--delete-chain"],
  ["-E", "--rename-chain"],
  ["-P", "--policy"],
] as const;

/**
 * Do what `words` say, such as `-A FORWARD -i vif3.0 -j DROP`; the command comes first.
 * @param counters what a new rule begins with, unless it says so itself; `null` for zero.
 * @throws {ParseError} with the word that is wrong; {@link RuleError} if it cannot be done.
 */
export function runFrameCommand(
  table: FrameTable,
  words: readonly string[],
  counters: Counters | null = null,
): void {
  const [word = "", ...rest] = words;
  const [letter] = COMMANDS.find((names) => names.some((name) => name === word)) ?? [];
  switch (letter) {
    case undefined:
      refuse(word, `a line begins with a command such as -A, not with "${word}"`);
      break;
    case "-A":
    case "-I":
      addRule(table, letter, rest, counters);
      break;
    case "-D":
      deleteRule(table, rest);
      break;
    case "-F":
      table.flush(readNames(word, rest, 0, 1)[0] ?? null);
      break;
    case "-Z":
      table.zero(readNames(word, rest, 0, 1)[0] ?? null);
      break;
    case "-N":
      createChain(table, rest);
      break;
    case "-X":
      table.remove(readNames(word, rest, 0, 1)[0] ?? null);
      break;
    case "-E": {
      const [from = "", to = ""] = readNames(word, rest, 2, 2);
      table.rename(from, to);
      break;
    }
    case "-P": {
      const [name = "", policy = ""] = readNames(word, rest, 2, 2);
      table.setPolicy(name, readFramePolicy(policy));
    }
  }
}

/** @throws {ParseError} if `word` is not ACCEPT, DROP or RETURN. */
export function readFramePolicy(word: string): FramePolicy {
  const verdict = findVerdict(word);
  return verdict === null || verdict === FrameVerdict.Continue
    ? refuse(word, `a policy is ACCEPT, DROP or RETURN, not "${word}"`)
    : verdict;
}

function addRule(
  table: FrameTable,
  letter: "-A" | "-I",
  [chain = "", ...words]: readonly string[],
  counters: Counters | null,
): void {
  const [next = ""] = words;
  const isNumbered = letter === "-I" && next !== "" && !/^[-!]/.test(next);
  const number = isNumbered ? readNumber(next) : 1;
  const { rule, counters: own } = readFrameRule(isNumbered ? words.slice(1) : words);
  const begin = own === null ? counters : readCounters(...own);
  table.insert(chain, letter === "-A" ? null : number, rule, begin);
}

/** A number, "2:4" or "2:", or the words of a rule. */
function deleteRule(table: FrameTable, [chain = "", ...words]: readonly string[]): void {
  const [, first, colon, last] = /^(\d+)(:?)(\d*)$/.exec(words[0] ?? "") ?? [];
  if (first === undefined) {
    table.delete(chain, readFrameRule(words).rule);
    return;
  }
  if (words[1] !== undefined) refuse(words[1], "-D takes a number or a rule, not both");
  const number = readNumber(first);
  const end = last === undefined || last === "" ? table.get(chain).steps.length : readNumber(last);
  table.delete(chain, number, colon === "" ? number : end);
}

/** `-N NAME -P POLICY` is two commands in one. */
function createChain(table: FrameTable, words: readonly string[]): void {
  const [name = "", letter, policy] = readNames("-N", words, 1, 3);
  if (letter !== undefined && letter !== "-P") refuse(letter, `-N has no use for "${letter}"`);
  const read = letter === undefined ? null : readFramePolicy(policy ?? "");
  table.create(name);
  if (read !== null) table.setPolicy(name, read);
}
