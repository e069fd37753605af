/**
 * The xenstored oracle as a command: `npm run oracle:xenstore -- --cases N --seed S`. Exit 1 if a
 * script differs.
 * @module
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { OurXenstored } from "./our-xenstored.ts";
import { missingForXenstored, RealXenstored } from "./real-xenstored.ts";
import { toLine } from "./recording.ts";
import { runStoreOracle, type StoreDifference, type StoreReport } from "./store-run.ts";

const USAGE = `npm run oracle:xenstore --
    [--cases N] [--seed S] [--steps N] [--limit N] [--out FOLDER]

Plays random scripts of several clients and guests to Debian's xenstored 4.17 and to ours and
compares what each client receives, step by step and octet for octet. The n-th script has the seed
S + n. A script that differs is shrunk and written into a folder by its seed.
`;

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "2000" },
    seed: { type: "string", default: "1" },
    steps: { type: "string", default: "40" },
    limit: { type: "string", default: "10" },
    out: { type: "string", default: "build/oracle-xenstore-out" },
    help: { type: "boolean", default: false },
  },
});

const began = performance.now();

function show({ played, steps, deaths, differences }: StoreReport): void {
  const seconds = Math.round((performance.now() - began) / 1000);
  const end = process.stderr.isTTY ? "\r" : "\n";
  const line = `${played} scripts, ${steps} steps, ${differences.length} differ`;
  process.stderr.write(`${line}, ${deaths} deaths of xenstored, ${seconds} s${end}`);
}

function keep(difference: StoreDifference): void {
  const folder = join(resolve(values.out), String(difference.seed));
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "recording.jsonl"), toLine({ what: "", ...difference }));
  writeFileSync(join(folder, "difference.txt"), difference.text);
  process.stdout.write(`\nseed ${difference.seed}, in ${folder}\n${difference.text}`);
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const numbers = [values.cases, values.seed, values.steps, values.limit].map(Number);
  const [cases = 0, seed = 0, length = 0, limit = 0] = numbers;
  if (!numbers.every((number) => Number.isSafeInteger(number) && number > 0)) {
    process.stderr.write(USAGE);
    return 2;
  }
  const missing = missingForXenstored();
  if (missing !== null) {
    process.stderr.write(`there is no oracle here: ${missing}\n`);
    return 2;
  }
  const real = await RealXenstored.open();
  try {
    const ours = new OurXenstored();
    const report = await runStoreOracle({
      real,
      ours,
      cases,
      seed,
      length,
      limit,
      onProgress: show,
      onDifference: keep,
    });
    show(report);
    process.stdout.write(`${report.census.join("\n")}\n`);
    const last = seed + report.played - 1;
    process.stdout.write(`seeds ${seed} to ${last}: ${report.differences.length} differ\n`);
    return report.differences.length === 0 ? 0 : 1;
  } finally {
    real.close();
  }
}

process.exitCode = await main();
