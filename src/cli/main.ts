#!/usr/bin/env node
/** The command `dom0`: from the words of the command line to an exit code. @module */
import { systemCode } from "../backend/system-error.ts";
import { EmulatorError } from "../base/errors.ts";
import { ExitCode } from "./failure.ts";
import { Output } from "./output.ts";
import { runProgram } from "./program.ts";
import { Interrupts } from "./surface.ts";

const TOO_MANY_FILES = new Set(["EMFILE", "ENFILE"]);
const out = new Output(process.stdout, process.env);
const err = new Output(process.stderr, process.env);
const interrupts = new Interrupts();

// What nobody waits for: things are put in order by those who wait for the exit.
process.on("uncaughtException", (error) => process.exit(report(error)));
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
  if (TOO_MANY_FILES.has(systemCode(error))) {
    err.line("dom0: too many open files; see ulimit -n");
    return ExitCode.Usage;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  err.line(`dom0: this is a mistake in dom0, not in your input: ${stack}`);
  return ExitCode.Internal;
}
