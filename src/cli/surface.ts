/** What a command stands on: where it speaks, and what may stop it. @module */
import { ExitCode } from "./failure.ts";
import type { Output } from "./output.ts";

/** The same for all commands. */
export interface Surface {
  readonly out: Output;
  readonly err: Output;
  readonly interrupts: Interrupts;
}

/** What a shell reports of a program that a signal ended: 128 and the signal's number. */
const CODES = new Map<NodeJS.Signals, number>([
  ["SIGINT", ExitCode.Interrupted],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
]);

/** Signals that end a run, once somebody listens; until then they end the program as ever. */
export class Interrupts {
  /** What the program ends with; `null` if no signal came. */
  code: number | null = null;
  readonly #controller = new AbortController();
  #isListening = false;

  /**
   * The first signal aborts what this returns, so that things can be put in order; the second ends
   * the program at once.
   * @param isEnd a signal is how the command ends, and no reason for an exit code of its own.
   */
  listen({ isEnd = false }: { readonly isEnd?: boolean } = {}): AbortSignal {
    const { signal: aborted } = this.#controller;
    if (this.#isListening) return aborted;
    this.#isListening = true;
    for (const [signal, code] of CODES) {
      process.on(signal, () => {
        if (aborted.aborted) process.exit(code);
        if (!isEnd) this.code = code;
        this.#controller.abort();
      });
    }
    return aborted;
  }
}
