import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { compare } from "./flow-compare.ts";
import { TRANSLATIONS } from "./flow-translations.ts";
import type { FlowStep } from "./kernel-flows.ts";

/** A packet and what a Linux 6.18 kernel did with it, of a case of the oracle. */
interface RecordedStep {
  readonly from: string;
  readonly octets: string;
  /** Microseconds after the first packet. */
  readonly at: number;
  /** When the entries were read. */
  readonly listed: number;
  readonly sent: FlowStep["received"];
  /** Absent if they are as before. */
  readonly entries?: readonly string[];
}

interface RecordedCase {
  readonly translation: string;
  readonly steps: readonly RecordedStep[];
}

/** A kernel whose ticks begin with the first packet, in the wheel's hours before it wraps. */
const CLOCK = { start: 0, jiffies: { number: 1_000_000, began: 0, hz: 250 } };
const cases = readFileSync(join(import.meta.dirname, "recorded-flows.jsonl"), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as RecordedCase);

describe("what a kernel did once", () => {
  it.each(TRANSLATIONS)("is what we do: $name", (translation) => {
    const recorded = cases.filter(({ translation: name }) => name === translation.name);
    expect(recorded.length).toBeGreaterThan(0);
    for (const { steps } of recorded) {
      let entries: readonly string[] = [];
      const played = steps.map((step): FlowStep => {
        entries = step.entries ?? entries;
        return { sent: step.at, received: step.sent, entries, listed: step.listed };
      });
      const packets = steps.map(({ from, octets }) => ({ wait: 0, interface: from, octets }));
      const { ours, kernels } = compare(translation, packets, played, CLOCK);
      expect(ours).toEqual(kernels);
    }
  });
});
