import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DEMO_SCENARIO } from "../../../src/cli/demo-scenario.ts";
import { PUBLISHED_WORLD } from "../../../src/cli/router/schema.ts";
import { readScenario } from "../../../src/cli/scenario/read.ts";
import { PUBLISHED_SCENARIO } from "../../../src/cli/scenario/schema.ts";

const SCHEMAS = [
  ["scenario", PUBLISHED_SCENARIO, ["Duration", "Ipv4Address", "MacAddress", "Permission", "Step"]],
  ["world", PUBLISHED_WORLD, ["AddressWords", "Interface", "MacAddress", "RouteWords"]],
] as const;

describe.each(SCHEMAS)("the published JSON Schema of a %s", (kind, schema, parts) => {
  it(`is what \`dom0 schema ${kind} > schema/${kind}.json\` makes`, () => {
    const published: unknown = JSON.parse(readFileSync(`schema/${kind}.json`, "utf8"));
    expect(published).toEqual(JSON.parse(schema.text));
  });

  it("describes every part, so that an editor has something to show", () => {
    const published = JSON.parse(schema.text) as { $defs: Record<string, object> };
    expect(Object.keys(published.$defs)).toEqual(expect.arrayContaining([...parts]));
    const undescribed = Object.entries(published.$defs).filter(
      ([name, definition]) => name !== "Expectation" && !("description" in definition),
    );
    expect(undescribed).toEqual([]);
  });
});

describe("a published schema", () => {
  const knownKeys = PUBLISHED_SCENARIO.knownKeys.bind(PUBLISHED_SCENARIO);

  it("knows the keys at every place", () => {
    expect(knownKeys([])).toEqual(expect.arrayContaining(["seed", "hosts", "steps"]));
    expect(knownKeys(["hosts", 3, "domains", 1])).toEqual(
      expect.arrayContaining(["name", "domid", "mac", "guest"]),
    );
    expect(knownKeys(["securityGroups", "web", 0, "source"])).toEqual(["group"]);
    expect(knownKeys(["steps", 0, "ping"])).toEqual(["from", "to", "count", "size", "interval"]);
    expect(knownKeys(["nothing", 0])).toEqual([]);
  });
});

describe("the examples", () => {
  const files = readdirSync("examples").filter((file) => file.endsWith(".yaml"));

  it.each(files)("are sound scenarios: %s", (file) => {
    const plan = readScenario(file, readFileSync(`examples/${file}`, "utf8"));
    expect(plan.steps.length).toBeGreaterThan(0);
  });

  it("hold the demo's scenario", () => {
    expect(readFileSync("examples/seed-host.yaml", "utf8")).toBe(DEMO_SCENARIO);
  });
});
