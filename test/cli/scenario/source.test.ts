import { describe, expect, it } from "vitest";
import { InputError } from "../../../src/cli/failure.ts";
import { SourceText } from "../../../src/cli/scenario/source.ts";

const YAML = `
hosts:
  - name: host-a
    domains:
      - &first
        mac: 12:31:39:00:A5:11
  - domains: [*first]
seed: 7
`;

describe("the lines of a text", () => {
  const source = new SourceText("a.yaml", YAML);

  it.each([
    [[], 2],
    [["hosts"], 3],
    [["hosts", 0, "name"], 3],
    [["hosts", 0, "domains", 0, "mac"], 6],
    [["hosts", 1], 7],
    [["seed"], 8],
  ])("are known of the values at %j", (path, line) => {
    expect(source.lineOf(path)).toBe(line);
  });

  it("are those of the value that an alias stands for", () => {
    expect(source.lineOf(["hosts", 1, "domains", 0, "mac"])).toBe(6);
    expect(source.at(["hosts", 1, "domains", 0, "mac"])).toBe("12:31:39:00:A5:11");
  });

  it("are those of what is around, where there is nothing", () => {
    expect(source.lineOf(["hosts", 0, "privateAddress"])).toBe(3);
    expect(source.lineOf(["hosts", 9, "name"])).toBe(3);
    expect(source.at(["hosts", 9, "name"])).toBeUndefined();
  });

  it("are known inside a text that stands there as it is", () => {
    const text = "a: |\n  one\n\n  three\nb: >\n  one\n  two\nc: &c |2-\n   one\nd: *c\ne: 5\n";
    const inside = new SourceText("b.yaml", text);
    expect([1, 3].map((line) => inside.lineInside(["a"], line))).toEqual([2, 4]);
    expect(inside.lineInside(["b"], 1)).toBeNull();
    expect(inside.lineInside(["c"], 1)).toBe(9);
    expect(inside.lineInside(["d"], 1)).toBe(9);
    expect(inside.lineInside(["e"], 1)).toBeNull();
    expect(inside.lineInside(["nothing"], 1)).toBeNull();
  });

  it("are known of keys too, whatever their values are", () => {
    expect(source.lineOfKey(["hosts", 0, "domains"])).toBe(4);
    expect(new SourceText("a", "\n? a\n: 1").lineOfKey(["a"])).toBe(2);
  });

  it("are those of JSON as well", () => {
    const json = new SourceText("a.json", '{\n  "seed": 7,\n  "hosts": [\n    {"name": 1}]}');
    expect(json.value).toEqual({ seed: 7, hosts: [{ name: 1 }] });
    expect(json.lineOf(["hosts", 0, "name"])).toBe(4);
  });
});

describe("what is no YAML", () => {
  it.each([
    ["hosts: [\n", "a.yaml:2: is not YAML: flow sequence in block collection"],
    ['a: "x\n', "a.yaml:2: is not YAML: missing closing"],
    ["\ta: 1", "a.yaml:1: is not YAML: tabs are not allowed as indentation"],
    ["seed: 1\nprofile: linux\nseed: 2", "a.yaml:3: key seed is given twice"],
    ["--- a\n--- b", "a.yaml:2: holds more than one document, expected one"],
    ["a: !secret x", "a.yaml:1: is not YAML: unresolved tag: !secret"],
    ["a: *nobody", "a.yaml:1: unresolved alias"],
  ])("is one sentence with its line: %j", (text, message) => {
    const read = (): SourceText => new SourceText("a.yaml", text);
    expect(read).toThrow(InputError);
    expect(read).toThrow(message);
    expect(() => read()).toThrow(/^[^\n]+$/);
  });

  it("may not multiply itself beyond measure", () => {
    const levels = Array.from({ length: 9 }, (_, level) => {
      const below = level === 0 ? "x" : `*a${level - 1}`;
      return `a${level}: &a${level} [${Array.from({ length: 9 }, () => below).join(", ")}]`;
    });
    expect(() => new SourceText("a.yaml", levels.join("\n"))).toThrow(
      /^a\.yaml:1: its aliases multiply without end$/,
    );
  });
});
