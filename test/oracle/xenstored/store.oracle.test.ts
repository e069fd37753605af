import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { OurXenstored } from "./our-xenstored.ts";
import { missingForXenstored, RealXenstored } from "./real-xenstored.ts";
import { runStoreOracle } from "./store-run.ts";

const CASES = Number(process.env["ORACLE_STORE_CASES"] ?? 800);
const SEED = Number(process.env["ORACLE_SEED"] ?? 2010);
const STEPS = 40;
const TIMEOUT_MS = 60_000 + CASES * 200;

const missing = missingForXenstored();
const skipped = missing === null ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== null)(`the store beside xenstored${skipped}`, () => {
  let real: RealXenstored;
  beforeAll(async () => {
    real = await RealXenstored.open();
  });
  afterAll(() => real.close());

  it(
    "sends every client what xenstored sends it, octet for octet",
    async () => {
      const ours = new OurXenstored();
      const options = { real, ours, cases: CASES, seed: SEED, length: STEPS, limit: 3 };
      const { differences, played, steps, deaths } = await runStoreOracle(options);
      expect(differences.map(({ seed, text }) => `seed ${seed}\n${text}`)).toEqual([]);
      expect(played).toBe(CASES);
      // Scripts end where the real one dies; were that often, little would be compared.
      expect(steps).toBeGreaterThan(played * STEPS);
      expect(deaths).toBeLessThan(1 + played / 100);
    },
    TIMEOUT_MS,
  );

  it("differs from a store that forgets an event, and says so in few steps", async () => {
    const honest = new OurXenstored();
    const ours = {
      play: async (steps: Parameters<typeof honest.play>[0]) => {
        const received = await honest.play(steps);
        return received.map(
          (one) => new Map([...one].filter(([, octets]) => octets[0] !== "\u000f")),
        );
      },
    };
    const options = { real, ours, cases: 50, seed: SEED, length: STEPS, limit: 1 };
    const [difference] = (await runStoreOracle(options)).differences;
    expect(difference?.text).toContain("WATCH_EVENT");
    expect(difference?.steps.length).toBeLessThan(10);
  });
});
