import { describe, expect, it } from "vitest";
import { missingForKernel } from "./kernel.ts";
import { runOracle } from "./oracle-run.ts";

const CASES = Number(process.env["ORACLE_WORLDS"] ?? 300);
const SEED = Number(process.env["ORACLE_SEED"] ?? 2010);
/** A slow machine must not fail: a world takes some tens of milliseconds. */
const TIMEOUT_MS = 120_000 + CASES * 1000;

const missing = missingForKernel();
const skipped = missing === null ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== null)(`worlds with rules and talk${skipped}`, () => {
  it(
    "end as in the kernel: frames, counters, connections, neighbors",
    async () => {
      const options = { cases: CASES, seed: SEED, steps: 60, kernels: 2, folder: null };
      const { census, differences, unstable, torn } = await runOracle(options);
      expect(differences).toEqual([]);
      expect(census.get("worlds")).toBe(CASES);
      expect(unstable + torn).toBeLessThanOrEqual(CASES / 100);
    },
    TIMEOUT_MS,
  );
});
