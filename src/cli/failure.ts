/**
 * What goes wrong by the user's hand, and how the command says so: exit code 2, one sentence.
 * @module
 */
import { EmulatorError } from "../base/errors.ts";

/** How the command ends. */
export const ExitCode = {
  Done: 0,
  /** An expectation of the run failed. */
  Failed: 1,
  /** Wrong usage, or an input that cannot be used. */
  Usage: 2,
  /** A mistake of the program's own (`EX_SOFTWARE`). */
  Internal: 70,
  /** Ctrl-C: 128 and SIGINT's number. */
  Interrupted: 130,
} as const;
/** One of {@link ExitCode}. */
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Where in an input something is wrong. */
export interface InputPlace {
  /** As the user named it; "-" is standard input. */
  readonly file: string;
  /** From 1; 0 if the trouble is the file itself. */
  readonly line: number;
}

/** Faults of one input, each a line that begins with `file:line:`. */
export class InputError extends EmulatorError {
  constructor(faults: readonly string[]) {
    super("input", faults, faults.join("\n"));
  }
}

/** "scenario.yaml:14: hosts[0].mac: expected ..., got ..."; `key` may be empty. One line always. */
export function faultAt({ file, line }: InputPlace, key: string, message: string): string {
  const place = line > 0 ? `${file}:${line}` : file;
  const text = message.replaceAll(/\p{Cc}/gu, (control) => JSON.stringify(control).slice(1, -1));
  return key === "" ? `${place}: ${text}` : `${place}: ${key}: ${text}`;
}
