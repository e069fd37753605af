import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TABLE_NAMES } from "../../src/filter/placement.ts";
import { KernelRules, missingForRules, workingIptables } from "./kernel-rules.ts";
import { builtInChains, tableText } from "./rule-texts.ts";
import { newRuleSet } from "./stand.ts";

const missing = missingForRules();
const here = missing ?? `iptables that work: ${workingIptables().join(", ")}; asked: legacy`;

describe.skipIf(missing !== null)(`Rules as iptables-save prints them (${here})`, () => {
  let kernel: KernelRules;

  beforeAll(() => {
    kernel = new KernelRules({ name: "vif1.0", mac: "02:00:00:00:00:01" });
  });

  afterAll(() => kernel.close());

  it.each(TABLE_NAMES)("read alike in table %s", { timeout: 60_000 }, async (table) => {
    await fc.assert(
      fc.asyncProperty(tableText(table, 50), async (text) => {
        const { rules } = newRuleSet();
        rules.restore(text);
        const chains = builtInChains(table);
        const { saved } = await kernel.judge({ table, text, chains, frames: [], logPrefix: "" });
        expect(rules.save()).toBe(saved);
      }),
      { numRuns: 15 },
    );
  });
});
