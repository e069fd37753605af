/** What can be wrong with rules: their words, or where they should go. @module */
import { EmulatorError, ParseError } from "../base/errors.ts";

/** Why a chain or a rule cannot be changed so; `iptables` refuses the same. */
export type RuleFault =
  | "table"
  | "chain-name"
  | "chain-unknown"
  | "chain-exists"
  | "chain-built-in"
  | "chain-in-use"
  | "chain-not-empty"
  | "policy"
  | "rule-number"
  | "rule-unknown"
  | "rule-place"
  | "rule-service"
  | "rule-value"
  | "loop";

/** A change of a table that cannot be made; the table is as it was. */
export class RuleError extends EmulatorError {
  constructor(code: RuleFault, value: unknown, message: string) {
    super(code, value, message);
  }
}

/** @throws {ParseError} always: `word` of a rule is not what a rule can say. */
export function refuse(word: string, message: string): never {
  throw new ParseError("rule", word, message);
}

/** Run `work` on one line of a text: what it refuses names the line, from 1. */
export function onLine<T>(line: number, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof EmulatorError)) throw error;
    throw new ParseError(error.code, error.value, error.message, line);
  }
}
