/** Runs the oracle: many random cases on several kernels at once. @module */
import { join } from "node:path";
import fc from "fast-check";
import { Census } from "./census.ts";
import { writeCounterexample } from "./counterexample.ts";
import { Kernel } from "./kernel.ts";
import { reduce } from "./reduce.ts";
import { differencesOf, recordTalk, type TalkCase, talkCase } from "./talk-case.ts";

export interface OracleOptions {
  /** Cases in all. */
  readonly cases: number;
  /** Batch n of {@link BATCH} cases has the seed `seed` + n. */
  readonly seed: number;
  /** Steps of talk in each case; a step is one frame, or the fragments of one datagram. */
  readonly steps: number;
  /** Kernels that play at the same time. */
  readonly kernels: number;
  /** Where counterexamples go, each into a folder by its seed; `null` for nowhere. */
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
  readonly #options: OracleOptions;

  constructor(options: OracleOptions) {
    this.#options = options;
  }

  async batch(kernel: Kernel, seed: number, numRuns: number): Promise<void> {
    const { steps, folder } = this.#options;
    const property = fc.asyncProperty(talkCase(steps), (one) => this.#agrees(kernel, one));
    const { failed, counterexample, error } = await runDetailsOf(property, seed, numRuns);
    if (!failed) return;
    if (counterexample === null) throw new Error(`seed ${seed}`, { cause: error });
    const smallest = await reduce(kernel, await recordTalk(kernel, counterexample[0]));
    const text = `${differencesOf(smallest).join("\n")}\n`;
    this.differences.push({ seed, text });
    if (folder !== null) writeCounterexample(join(folder, String(seed)), smallest, text);
  }

  /** A difference counts if it comes twice. */
  async #agrees(kernel: Kernel, one: TalkCase): Promise<boolean> {
    const recording = await recordTalk(kernel, one);
    this.census.add(recording);
    if (differencesOf(recording).length === 0) return true;
    if (differencesOf(await recordTalk(kernel, one)).length > 0) return false;
    this.unstable += 1;
    return true;
  }
}

async function runDetailsOf(
  property: fc.IAsyncProperty<[TalkCase]>,
  seed: number,
  numRuns: number,
): Promise<{
  readonly failed: boolean;
  readonly counterexample: [TalkCase] | null;
  readonly error: unknown;
}> {
  // Shrinking is left to `reduce`: it needs a hundred plays where fast-check needs thousands.
  const details = await fc.check(property, { seed, numRuns, endOnFailure: true });
  return { ...details, error: details.errorInstance };
}
