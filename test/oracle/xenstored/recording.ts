/** Scripts with what the real xenstored sent, as lines of JSON. @module */
import type { Received, Step, Who } from "./script.ts";

/** A script and its answers. */
export interface Recording {
  /** What xenstored does there. */
  readonly what: string;
  readonly seed: number;
  readonly steps: readonly Step[];
  readonly received: readonly Received[];
}

/** A line for test/regressions/xenstore.jsonl. */
export function toLine({ what, seed, steps, received }: Recording): string {
  const lists = received.map((one) => [...one]);
  return `${JSON.stringify({ what, seed, steps, received: lists })}\n`;
}

/** The scripts in a file of such lines. */
export function fromLines(text: string): Recording[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const parsed = JSON.parse(line) as Omit<Recording, "received"> & {
        readonly received: readonly (readonly [Who, string][])[];
      };
      return { ...parsed, received: parsed.received.map((one) => new Map(one)) };
    });
}
