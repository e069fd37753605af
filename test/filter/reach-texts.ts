/** Tables whose chains lead to rules that may not stand everywhere. */
import fc from "fast-check";
import { TABLE_NAMES, type TableName } from "../../src/filter/placement.ts";
import type { EdgeRule } from "./edge-texts.ts";
import { builtInChains } from "./rule-texts.ts";
import { one, type Text, words } from "./texts.ts";

const OWN = ["c0", "c1", "c2", "c3"];
const SENDER = "-m mac --mac-source 1:2:3:4:5:6";
const COMING = "-m addrtype --dst-type LOCAL --limit-iface-in";
const LEAVING = "-m addrtype --src-type LOCAL --limit-iface-out";
const CLAMP = "-p tcp --syn -j TCPMSS --clamp-mss-to-pmtu";
/** What may stand in some chains of a table only. */
const LIMITED: Readonly<Record<TableName, readonly string[]>> = {
  raw: ["-j CT --notrack", "-j TRACE", SENDER, COMING, LEAVING],
  mangle: ["-j TTL --ttl-set 5", CLAMP, SENDER, COMING, "-m physdev --physdev-is-out"],
  nat: [
    ...["-j SNAT --to-source 1.2.3.4", "-j DNAT --to-destination 1.2.3.4", "-j MASQUERADE"],
    ...["-j REDIRECT", "-j NETMAP --to 1.2.3.0/24", SENDER, LEAVING],
  ],
  filter: ["-j REJECT", CLAMP, SENDER, COMING, LEAVING, "-m physdev --physdev-is-out", "-i eth0"],
};

const rule = (table: TableName): Text => {
  const chains = [...builtInChains(table), ...OWN, ...OWN];
  const what = fc.oneof(
    words(one("-j", "-j", "-g"), one(...OWN), one("", "-s 9.9.9.9")),
    one(...LIMITED[table], "-s 1.1.1.1"),
  );
  return words("-A", one(...chains), what);
};

/** True for rules that lead to a later chain, so that none leads back. */
const isForward = (text: string): boolean => {
  const [, from = "", to = ""] = /^-A (c\d) -[jg] (c\d)/.exec(text) ?? [];
  return from === "" || from < to;
};

/** A table of a few rules or some twenty, whose chains mostly do not lead back to themselves. */
export const reachTable: fc.Arbitrary<EdgeRule> = fc.constantFrom(...TABLE_NAMES).chain((table) =>
  fc
    .tuple(
      fc.oneof(
        fc.array(rule(table), { minLength: 2, maxLength: 9, size: "max" }),
        fc.array(rule(table), { minLength: 17, maxLength: 25, size: "max" }),
      ),
      fc.constantFrom(true, true, false),
    )
    .map(([rules, isOrdered]) => ({
      table,
      text: [
        `*${table}`,
        ...OWN.map((name) => `:${name} - [0:0]`),
        ...rules.filter((text) => !isOrdered || isForward(text)),
        "COMMIT",
        "",
      ].join("\n"),
    })),
);
