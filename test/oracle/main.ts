/**
 * The oracle as a command: `npm run oracle -- --cases N --seed S`. Exit 1 if a case differs.
 * @module
 */
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { missingForKernel } from "./kernel.ts";
import { BATCH, type OracleReport, runOracle } from "./oracle-run.ts";

const USAGE = `npm run oracle -- [--cases N] [--seed S] [--steps N] [--kernels N] [--out FOLDER]

Plays random worlds with rules and talk to this computer's kernel and to the emulated router, and
compares frames, counters, connections and neighbors. Every ${BATCH} cases have a seed of their own,
from S on. A case that differs is shrunk and written into a folder by its seed: a world and the
frames that went in and came out, for \`dom0 router\`.
`;

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "500" },
    seed: { type: "string", default: "1" },
    steps: { type: "string", default: "60" },
    kernels: { type: "string", default: "2" },
    out: { type: "string", default: "build/oracle-out" },
    help: { type: "boolean", default: false },
  },
});

const began = performance.now();

function show({ census, differences, unstable, torn }: OracleReport): void {
  const seconds = Math.round((performance.now() - began) / 1000);
  const worlds = census.get("worlds");
  const frames = census.get("frames in");
  const line = `${worlds} worlds, ${frames} frames in, ${differences.length} differ`;
  const end = process.stderr.isTTY ? "\r" : "\n";
  process.stderr.write(`${line}, ${unstable} unstable, ${torn} torn, ${seconds} s${end}`);
}

async function main(): Promise<number> {
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const numbers = [values.cases, values.seed, values.steps, values.kernels].map(Number);
  const [cases = 0, seed = 0, steps = 0, kernels = 0] = numbers;
  if (!numbers.every((number) => Number.isSafeInteger(number) && number > 0)) {
    process.stderr.write(USAGE);
    return 2;
  }
  const missing = missingForKernel();
  if (missing !== null) {
    process.stderr.write(`there is no oracle here: ${missing}\n`);
    return 2;
  }
  const folder = resolve(values.out);
  const report = await runOracle({ cases, seed, steps, kernels, folder, onProgress: show });
  process.stdout.write(`${report.census.lines.join("\n")}\n`);
  const last = seed + Math.ceil(cases / BATCH) - 1;
  const { differences, unstable, torn } = report;
  process.stdout.write(
    `seeds ${seed} to ${last}: ${differences.length} differ, ${unstable} unstable, ${torn} torn\n`,
  );
  for (const { seed: one, text } of differences) {
    process.stdout.write(`\nseed ${one}, in ${folder}/${one}\n${text}`);
  }
  return differences.length === 0 ? 0 : 1;
}

process.exitCode = await main();
