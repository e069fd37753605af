import { describe, expect, it } from "vitest";
import { RuleError } from "../../src/filter/errors.ts";
import { formatRule } from "../../src/filter/rule.ts";
import { parseRule } from "../../src/filter/rule-text.ts";
import type { Table } from "../../src/filter/table.ts";
import { newRuleSet } from "./stand.ts";

const filter = (text = ""): Table => {
  const { rules } = newRuleSet();
  if (text !== "") rules.restore(`*filter\n${text}\nCOMMIT\n`);
  return rules.table("filter");
};

const texts = (table: Table, chain: string): string[] =>
  table.list(chain).map(({ rule }) => formatRule(rule));

const drop = parseRule("-j DROP");
const accept = parseRule("-j ACCEPT");
const fromOne = parseRule("-s 1.1.1.1 -j ACCEPT");

describe("A table", () => {
  it("appends, inserts, replaces and deletes rules by number and by what they say", () => {
    const table = filter();
    table.append("FORWARD", drop);
    table.insert("FORWARD", accept);
    table.insert("FORWARD", fromOne, 2);
    expect(texts(table, "FORWARD")).toEqual(["-j ACCEPT", "-s 1.1.1.1/32 -j ACCEPT", "-j DROP"]);
    table.replace("FORWARD", 1, drop);
    expect(texts(table, "FORWARD")).toEqual(["-j DROP", "-s 1.1.1.1/32 -j ACCEPT", "-j DROP"]);
    table.delete("FORWARD", parseRule("--source 1.1.1.1/255.255.255.255 --jump ACCEPT"));
    table.delete("FORWARD", drop);
    expect(texts(table, "FORWARD")).toEqual(["-j DROP"]);
    table.delete("FORWARD", 1);
    expect(texts(table, "FORWARD")).toEqual([]);
  });

  it("keeps counters where it is told to begin, until they are set to zero", () => {
    const table = filter();
    table.append("INPUT", drop, { packets: 5, octets: 60 });
    table.insert("INPUT", accept, 1, { packets: 1, octets: 2 });
    expect(table.list("INPUT")).toMatchObject([
      { number: 1, packets: 1, octets: 2 },
      { number: 2, packets: 5, octets: 60 },
    ]);
    table.zero("INPUT", 2);
    expect(table.list("INPUT")).toMatchObject([{ packets: 1 }, { packets: 0, octets: 0 }]);
    table.zero();
    expect(table.list("INPUT")).toMatchObject([{ packets: 0 }, { packets: 0 }]);
  });

  it("makes, renames and removes chains, and rules that lead to them follow", () => {
    const table = filter();
    table.newChain("web");
    table.append("INPUT", parseRule("-j web"));
    table.append("FORWARD", parseRule("-g web"));
    table.renameChain("web", "http");
    expect(texts(table, "INPUT")).toEqual(["-j http"]);
    expect(texts(table, "FORWARD")).toEqual(["-g http"]);
    table.delete("INPUT", parseRule("-j http"));
    table.flush();
    table.deleteChain("http");
    expect(table.chains.map(({ name }) => name)).toEqual(["INPUT", "FORWARD", "OUTPUT"]);
  });

  it("lists built-in chains in the order of their hooks, then the others by name", () => {
    const table = filter(":b - [0:0]\n:a - [0:0]\n:Z - [0:0]");
    expect(table.chains.map(({ name }) => name)).toEqual([
      ...["INPUT", "FORWARD", "OUTPUT"],
      ...["Z", "a", "b"],
    ]);
  });

  it("takes policies of built-in chains only", () => {
    const table = filter(":own - [0:0]");
    table.setPolicy("INPUT", "DROP");
    expect(table.chains.map(({ policy }) => policy)).toEqual(["DROP", "ACCEPT", "ACCEPT", null]);
    expect(() => table.setPolicy("own", "DROP")).toThrow("not built in");
  });

  it.each<[string, (table: Table) => void, string]>([
    ["chain-unknown", (table) => table.append("nosuch", drop), "there is no chain nosuch"],
    [
      "chain-unknown",
      (table) => table.append("INPUT", parseRule("-j LGO")),
      "LGO is no chain here",
    ],
    ["chain-built-in", (table) => table.append("INPUT", parseRule("-j OUTPUT")), "built-in chain"],
    ["chain-exists", (table) => table.newChain("own"), "there is a chain own already"],
    ["chain-exists", (table) => table.newChain("INPUT"), "there is a chain INPUT already"],
    ["chain-name", (table) => table.newChain("DROP"), 'no chain can be called "DROP"'],
    ["chain-name", (table) => table.newChain("LOG"), 'no chain can be called "LOG"'],
    ["chain-name", (table) => table.newChain("-a"), 'no chain can be called "-a"'],
    ["chain-name", (table) => table.newChain("a".repeat(29)), "no chain can be called"],
    ["chain-in-use", (table) => table.deleteChain("empty"), "rules lead to chain empty"],
    ["chain-not-empty", (table) => table.deleteChain("own"), "chain own has rules"],
    ["chain-built-in", (table) => table.deleteChain("INPUT"), "chain INPUT is built in"],
    ["chain-built-in", (table) => table.renameChain("INPUT", "a"), "chain INPUT is built in"],
    ["chain-exists", (table) => table.renameChain("own", "empty"), "there is a chain empty"],
    ["rule-number", (table) => table.insert("own", drop, 3), "chain own has 1 rules, not 3"],
    ["rule-number", (table) => table.insert("own", drop, 0), "chain own has 1 rules, not 0"],
    ["rule-number", (table) => table.replace("own", 2, drop), "chain own has 1 rules, not 2"],
    ["rule-number", (table) => table.delete("own", 2), "chain own has 1 rules, not 2"],
    ["rule-number", (table) => table.zero("own", 2), "chain own has 1 rules, not 2"],
    ["rule-unknown", (table) => table.delete("own", drop), 'chain own has no rule "-j DROP"'],
    ["loop", (table) => table.append("empty", parseRule("-j own")), "leads back to itself"],
    ["loop", (table) => table.insert("own", parseRule("-g own")), "leads back to itself"],
    ["rule-place", (table) => table.append("INPUT", parseRule("-o eth0")), "-o cannot be asked"],
    ["rule-place", (table) => table.append("INPUT", parseRule("-j MASQUERADE")), "table nat"],
    [
      "rule-place",
      (table) => table.append("OUTPUT", parseRule("-j own")),
      "mac cannot stand where",
    ],
    [
      "rule-place",
      (table) =>
        table.append(
          "own",
          parseRule("-m physdev --physdev-out a -m addrtype --src-type LOCAL --limit-iface-out"),
        ),
      "addrtype cannot stand where INPUT leads",
    ],
  ])("is as it was after a change that cannot be made: %s", (code, change, message) => {
    const mac = "-m mac --mac-source 00:00:00:00:00:01";
    const table = filter(`:own - [0:0]\n:empty - [0:0]\n-A own ${mac} -j empty\n-A INPUT -j own`);
    const before = table.chains.map(({ name }) => [name, texts(table, name)]);
    expect(() => change(table)).toThrow(message);
    expect(() => change(table)).toThrow(expect.objectContaining({ code }));
    expect(() => change(table)).toThrow(RuleError);
    expect(table.chains.map(({ name }) => [name, texts(table, name)])).toEqual(before);
  });

  it("refuses loops only where packets come, as Linux does", () => {
    const table = filter(":a - [0:0]\n:b - [0:0]\n-A a -j b\n-A b -j a");
    expect(() => table.append("INPUT", parseRule("-j a"))).toThrow("leads back to itself");
    table.insert("a", parseRule("-j RETURN"));
    table.append("INPUT", parseRule("-j a"));
    expect(() => table.delete("a", 1)).toThrow("leads back to itself");
    expect(() => table.replace("a", 1, parseRule("-s 1.1.1.1 -j RETURN"))).toThrow("itself");
    expect(texts(table, "a")).toEqual(["-j RETURN", "-j b"]);
  });

  it("takes back all rules of a command of which one cannot be made", () => {
    const { rules } = newRuleSet();
    rules.command("-A INPUT -s 1.1.1.1 -j ACCEPT");
    expect(() => rules.command("-D INPUT -s 1.1.1.1,2.2.2.2 -j ACCEPT")).toThrow("has no rule");
    rules.command("-I INPUT 1 -s 3.3.3.3,4.4.4.4 -j ACCEPT");
    expect(texts(rules.table("filter"), "INPUT")).toEqual([
      "-s 4.4.4.4/32 -j ACCEPT",
      "-s 3.3.3.3/32 -j ACCEPT",
      "-s 1.1.1.1/32 -j ACCEPT",
    ]);
  });

  it("is changed by the command lines of scripts", () => {
    const { rules } = newRuleSet();
    rules.command("-t nat -A POSTROUTING -o peth0 -j MASQUERADE");
    rules.command("--table mangle -P FORWARD DROP");
    rules.command("-N own");
    rules.command("-A own -j DROP");
    rules.command("-F own");
    rules.command("-Z");
    rules.command("-X");
    expect(rules.save()).toContain("-A POSTROUTING -o peth0 -j MASQUERADE");
    expect(rules.save()).toContain(":FORWARD DROP [0:0]");
    expect(rules.table("filter").chains).toHaveLength(3);
    expect(() => rules.command("-t nosuch -F")).toThrow('there is no table "nosuch"');
    expect(() => rules.command("-X own nosuch")).toThrow('-X has no use for "nosuch"');
    expect(() => rules.command("-N")).toThrow("-N needs 1 words after it");
    expect(() => rules.command("-I INPUT 0 -j DROP")).toThrow("rules are counted from 1");
    expect(() => rules.command("-R INPUT -j DROP")).toThrow("-R needs the number of a rule");
    expect(() => rules.command("")).toThrow("a line begins with a command");
  });

  it.each([
    ["-m addrtype --src-type LOCAL", "nobody here knows types of addresses"],
    ["-m statistic --mode random --probability 1", "no chance here"],
    ["-j REJECT", "nobody rejects here"],
  ])("refuses rules whose service was not handed in: %s", (text, message) => {
    const { rules } = newRuleSet({ addressTypes: null, chance: null, rejecter: null });
    expect(() => rules.table("filter").append("INPUT", parseRule(text))).toThrow(message);
  });
});
