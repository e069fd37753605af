/** Measures nanoseconds and octets allocated an operation; the best of several rounds counts. @module */

export interface Case {
  readonly name: string;
  /** Does `count` operations. */
  readonly run: (count: number) => void;
  /** Makes room for `count` operations, which is not measured. */
  readonly prepare?: (count: number) => void;
}

export interface Figure {
  readonly name: string;
  readonly nanoseconds: number;
  /** Octets of heap that grew an operation, over a run after warm-up. */
  readonly octets: number;
}

const ROUNDS = 120;
/** Shorter than the turn that another process gets on a busy machine. */
const ROUND_NANOSECONDS = 4_000_000;
/** How long each case runs before it is measured, and its operations at a time. */
const WARM_NANOSECONDS = 1_000_000_000;
const WARM_COUNT = 1024;
/** A run that tells what is allocated is longer: the runtime allocates in blocks. */
const ALLOCATION_ROUNDS = 15;

/** Measure the cases in turn, round by round, so that a slow moment of the machine meets all. */
export function measure(cases: readonly Case[]): Figure[] {
  const counts = cases.map(calibrate);
  // As after any longer life: what lives on is among the old.
  globalThis.gc?.();
  const best = cases.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < ROUNDS; round += 1) {
    cases.forEach(({ run, prepare }, index) => {
      const count = counts[index] ?? 1;
      prepare?.(count);
      const spent = time(() => run(count)) / count;
      best[index] = Math.min(best[index] ?? spent, spent);
    });
  }
  return cases.map((one, index) => ({
    name: one.name,
    nanoseconds: best[index] ?? 0,
    octets: allocated(one, ALLOCATION_ROUNDS * (counts[index] ?? 1)),
  }));
}

/** The better one of each figure of the same cases. */
export function betterFigures(one: readonly Figure[], other: readonly Figure[]): Figure[] {
  return one.map((figure, index) => ({
    name: figure.name,
    nanoseconds: Math.min(figure.nanoseconds, other[index]?.nanoseconds ?? Infinity),
    octets: Math.min(figure.octets, other[index]?.octets ?? Infinity),
  }));
}

/** Warm up, and find how many operations fill a round. */
function calibrate({ run, prepare }: Case): number {
  // What is done once for many operations is slow to be compiled.
  for (let warm = 0; warm < WARM_NANOSECONDS;) {
    prepare?.(WARM_COUNT);
    warm += time(() => run(WARM_COUNT));
  }
  let count = 16;
  for (;;) {
    prepare?.(count);
    const spent = time(() => run(count));
    if (spent > ROUND_NANOSECONDS / 2) {
      return Math.max(1, Math.round((count * ROUND_NANOSECONDS) / spent));
    }
    count *= 2;
  }
}

function time(work: () => void): number {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start);
}

/** The smallest growth of three runs: what the runtime does beside us is not ours. */
function allocated({ run, prepare }: Case, count: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 3; attempt += 1) {
    prepare?.(count);
    globalThis.gc?.();
    const before = process.memoryUsage().heapUsed;
    run(count);
    least = Math.min(least, process.memoryUsage().heapUsed - before);
  }
  return Math.max(0, least) / count;
}

/** The figures as a table, each beside the first one as a ratio. */
export function table(figures: readonly Figure[]): string {
  const ceiling = figures[0]?.nanoseconds ?? 1;
  const rows = figures.map(({ name, nanoseconds, octets }) => [
    name,
    nanoseconds.toFixed(nanoseconds < 100 ? 1 : 0),
    (nanoseconds / ceiling).toFixed(1),
    octets < 0.01 ? "0" : octets.toFixed(octets < 10 ? 2 : 0),
  ]);
  const head = ["what", "ns", "of the ceiling", "octets allocated"];
  const lines = [head, head.map(() => "---"), ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
