/** Runs the oracle: many random cases on several kernels at once. @module */
import { join } from "node:path";
import fc from "fast-check";
import { Census } from "./census.ts";
import { writeCounterexample } from "./counterexample.ts";
import { Kernel } from "./kernel.ts";
import { reduce } from "./reduce.ts";
import {
  differencesOf,
  recordTalk,
  type TalkCase,
  talkCase,
  type TalkRecording,
} from "./talk-case.ts";

export interface OracleOptions {
  /** Cases in all. */
  readonly cases: number;
  /** Batch n of {@link BATCH} cases has the seed `seed` + n. */
  readonly seed: number;
  /** Steps of talk in each case; a step is one frame, or the fragments of one datagram. */
  readonly steps: number;
  /** Kernels that play at the same time. */
  readonly kernels: number;
  /** Where counterexamples and unstable cases go, in folders by their seeds; `null` for nowhere. */
  readonly folder: string | null;
  /** Told after each batch; not at all by default. */
  readonly onProgress?: (report: OracleReport) => void;
}

/** A case in which kernel and emulated router differ. */
export interface Difference {
  /** Of its batch. */
  readonly seed: number;
  /** What differs, after shrinking. */
  readonly text: string;
}

export interface OracleReport {
  readonly census: Census;
  readonly differences: readonly Difference[];
  /** Cases that differed once and not again: a tick or a preemption came between. */
  readonly unstable: number;
  /** Cases that differ, and that the kernel's clocks were never known of: not judged. */
  readonly torn: number;
}

/** Cases with one seed. */
export const BATCH = 50;

/** Play cases until there are enough of them; a difference ends its batch, not the run. */
export async function runOracle(options: OracleOptions): Promise<OracleReport> {
  const { cases, seed, kernels: count, onProgress } = options;
  const run = new OracleRun(options);
  // One after the other: each measures when the ticks are.
  const kernels: Kernel[] = [];
  while (kernels.length < count) kernels.push(await Kernel.open(kernels.length));
  let next = 0;
  const work = async (kernel: Kernel): Promise<void> => {
    for (let batch = next++; batch * BATCH < cases; batch = next++) {
      await run.batch(kernel, seed + batch, Math.min(BATCH, cases - batch * BATCH));
      onProgress?.(run);
    }
  };
  try {
    await Promise.all(kernels.map(work));
  } finally {
    for (const kernel of kernels) kernel.close();
  }
  return run;
}

class OracleRun implements OracleReport {
  readonly census = new Census();
  readonly differences: Difference[] = [];
  unstable = 0;
  torn = 0;
  readonly #options: OracleOptions;

  constructor(options: OracleOptions) {
    this.#options = options;
  }

  async batch(kernel: Kernel, seed: number, numRuns: number): Promise<void> {
    const { steps } = this.#options;
    let found: TalkRecording | null = null;
    const property = fc.asyncProperty(talkCase(steps), async (one) => {
      found = await this.#differing(kernel, one, seed);
      return found === null;
    });
    const { failed, error } = await runDetailsOf(property, seed, numRuns);
    if (!failed) return;
    if (found === null) throw new Error(`seed ${seed}`, { cause: error });
    const smallest = await reduce(kernel, found);
    this.differences.push({ seed, text: this.#keep(smallest, String(seed)) });
  }

  /** Write what differs where counterexamples go. @returns what differs, for people. */
  #keep(recording: TalkRecording, name: string): string {
    const { folder } = this.#options;
    const text = `${differencesOf(recording).join("\n")}\n`;
    if (folder !== null) writeCounterexample(join(folder, name), recording, text);
    return text;
  }

  /** A recording in which a case differs, if it does so twice; else `null`. */
  async #differing(kernel: Kernel, one: TalkCase, seed: number): Promise<TalkRecording | null> {
    const { recording, isExact } = await recordTalk(kernel, one);
    this.census.add(recording);
    if (differencesOf(recording).length === 0) return null;
    const again = await recordTalk(kernel, one);
    if (!isExact || !again.isExact) this.torn += 1;
    else if (differencesOf(again.recording).length > 0) return again.recording;
    else {
      this.unstable += 1;
      this.#keep(recording, `${seed}-unstable`);
    }
    return null;
  }
}

async function runDetailsOf(
  property: fc.IAsyncProperty<[TalkCase]>,
  seed: number,
  numRuns: number,
): Promise<{
  readonly failed: boolean;
  readonly error: unknown;
}> {
  // Shrinking is left to `reduce`: it needs a hundred plays where fast-check needs thousands.
  const details = await fc.check(property, { seed, numRuns, endOnFailure: true });
  return { ...details, error: details.errorInstance };
}
