#!/usr/bin/env node
/** The command `dom0`: from the words of the command line to an exit code. @module */
import { EmulatorError } from "../base/errors.ts";
import { ExitCode } from "./failure.ts";
import { Output } from "./output.ts";
import { runProgram } from "./program.ts";
import { Interrupts } from "./surface.ts";

const out = new Output(process.stdout, process.env);
const err = new Output(process.stderr, process.env);
const interrupts = new Interrupts();

try {
  const code = await runProgram(process.argv.slice(2), { out, err, interrupts });
  process.exitCode = interrupts.code ?? code;
} catch (error) {
  process.exitCode = report(error);
}

/** Tell what went wrong: a sentence for the user's mistakes, everything for our own. */
function report(error: unknown): number {
  if (error instanceof EmulatorError) {
    err.line(error.message);
    return ExitCode.Usage;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  err.line(`dom0: this is a mistake in dom0, not in your input: ${stack}`);
  return ExitCode.Internal;
}
