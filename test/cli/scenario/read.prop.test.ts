import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEMO_SCENARIO } from "../../../src/cli/demo-scenario.ts";
import { InputError } from "../../../src/cli/failure.ts";
import { readScenario } from "../../../src/cli/scenario/read.ts";
import { SourceText } from "../../../src/cli/scenario/source.ts";

/** Every fault in one line that begins with the file and a line of the text. */
function expectFaults(text: string): void {
  try {
    readScenario("s.yaml", text);
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    if (!(error instanceof InputError)) return;
    const lines = text.split("\n").length;
    for (const fault of error.message.split("\n")) {
      const [, line = "0"] = /^s\.yaml:(\d+): \S/.exec(fault) ?? [];
      expect(Number(line), fault).toBeGreaterThanOrEqual(1);
      expect(Number(line), fault).toBeLessThanOrEqual(lines);
    }
  }
}

const demo = new SourceText("demo", DEMO_SCENARIO).value;

/** All paths to values inside `value`. */
function pathsOf(value: unknown): (string | number)[][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, below]) => {
    const own = Array.isArray(value) ? Number(key) : key;
    return [[own], ...pathsOf(below).map((path) => [own, ...path])];
  });
}

/** A copy of `value` with `replacement` at `path`. */
function replaced(
  value: unknown,
  path: readonly (string | number)[],
  replacement: unknown,
): unknown {
  const [key, ...rest] = path;
  if (key === undefined || typeof value !== "object" || value === null) return replacement;
  const copy: unknown = structuredClone(value);
  Reflect.set(copy as object, key, replaced(Reflect.get(value, key), rest, replacement));
  return copy;
}

describe("reading a scenario", () => {
  it("tells faults of any values with a line, and never fails otherwise", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => expectFaults(JSON.stringify(value, null, 1))),
      { numRuns: 50 },
    );
  });

  it("tells faults of any text with a line, and never fails otherwise", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (left, right) => {
        expectFaults(`hosts: [{}]\n${left}: ${right}`);
      }),
      { numRuns: 50 },
    );
  });

  it("tells faults of a sound scenario in which any value was replaced by any other", () => {
    const path = fc.constantFrom(...pathsOf(demo));
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 1 }),
      fc.constantFrom("host-a", "dom_1", "10.254.170.222", "5s", -1, 0, "0", "10.0.0.0/8"),
    );
    fc.assert(
      fc.property(path, value, (at, other) => {
        expectFaults(JSON.stringify(replaced(demo, at, other), null, 1));
      }),
      { numRuns: 100 },
    );
  });
});
