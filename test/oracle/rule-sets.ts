/** Random rule sets: every table, chains of the user's, every target. @module */
import fc from "fast-check";
import { TABLE_HOOKS, type TableName } from "../../src/filter/placement.ts";
import { HOOK_NAMES } from "../../src/l3/hooks.ts";
import { protocol, TCP, tests, UDP } from "./rule-matches.ts";
import {
  addressRange,
  any,
  type AnyWords,
  fixed,
  host,
  integer,
  maybe,
  one,
  port,
  row,
  smallBlock,
  some,
  type Words,
} from "./rule-words.ts";

/** Chains of the user's: rules of the first may lead to the second, nothing leads back. */
const OWN_CHAINS = ["own", "last"] as const;
const REJECT_WITH = [
  "icmp-net-unreachable",
  "icmp-host-unreachable",
  "icmp-proto-unreachable",
  "icmp-port-unreachable",
  "icmp-net-prohibited",
  "icmp-host-prohibited",
  "icmp-admin-prohibited",
];

const MARK = row(
  "-j MARK",
  any(
    row("--set-xmark", one("0x1/0xffffffff", "0x2/0x3", "0x3/0x1")),
    row(one("--and-mark", "--or-mark", "--xor-mark"), one("0x1", "0x2", "0xfffffffe")),
  ),
);
const LOG = row(
  "-j LOG",
  maybe(row("--log-prefix", one('"seen "'))),
  maybe(one("--log-ip-options")),
);
const NFLOG = row(
  "-j NFLOG",
  maybe(row("--nflog-group", integer(0, 9))),
  maybe(one('--nflog-prefix "copy "')),
  maybe(one("--nflog-size 20", "--nflog-threshold 2")),
);
const masks = any(
  row("--mask", one("0xff", "0x3")),
  row(one("--nfmask 0xf", "--nfmask 0x33"), maybe(row("--ctmask", one("0xff", "0xf0")))),
);
const CONNMARK = row(
  "-j CONNMARK",
  any(
    row(one("--set-xmark", "--set-mark"), one("0x1/0xffffffff", "0x2/0x3", "0x30/0xf0")),
    row(one("--and-mark", "--or-mark", "--xor-mark"), one("0x1", "0x2", "0xfffffffe")),
    row("--save-mark", maybe(masks)),
    row("--restore-mark", maybe(masks)),
  ),
  maybe(row(one("--left-shift-mark", "--right-shift-mark"), integer(1, 4)), 4),
);
const COMMON: readonly (readonly [number, AnyWords])[] = [
  [3, row(protocol, "-j ACCEPT")],
  [1, row(protocol, "-j RETURN")],
  [2, row(protocol, MARK)],
  [1, row(protocol, LOG)],
  [1, row(protocol, NFLOG)],
  [2, row(protocol, CONNMARK)],
  [1, protocol],
];
const UNTRACK = one("-j NOTRACK", "-j CT --notrack", "-j TRACE");
const DROP = row(protocol, "-j DROP");
const FILTER = [
  [2, DROP],
  [4, row(protocol, "-j REJECT", maybe(row("--reject-with", one(...REJECT_WITH))))],
  [2, row(TCP, "-j REJECT --reject-with tcp-reset")],
] as const;

const setTos = any(
  row("--set-tos", one("0x10/0xff", "0x04/0x1c")),
  row(one("--and-tos", "--or-tos", "--xor-tos"), one("0x08", "0xfc", "0x03")),
);
const TTL_CHANGE = some(
  [3, one("--ttl-set 64", "--ttl-set 1", "--ttl-dec 1", "--ttl-inc 3")],
  [1, one("--ttl-set 0", "--ttl-set 255", "--ttl-dec 200", "--ttl-inc 200")],
);
const MANGLE = [
  [1, DROP],
  [3, row(protocol, "-j TTL", TTL_CHANGE)],
  [2, row(protocol, "-j TOS", setTos)],
  [2, row(protocol, "-j DSCP", any(row("--set-dscp", integer(0, 63)), one("--set-dscp-class EF")))],
  [
    3,
    row(
      "-p tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss",
      one("536", "1300", "1460", "0", "65515"),
    ),
  ],
] as const;
const CLAMP = one("-p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu");

const toPorts = some([2, port], [2, one("20000-20009", "4000-4001")]);
const withPorts = any(TCP, UDP, one("-p icmp"));
const flags = (...names: readonly string[]): AnyWords =>
  some([5, one("")], [1, fixed(fc.subarray([...names]).map((all) => all.join(" ")))]);
const anyAddresses = any(host, host, addressRange);

const DESTINATION = [
  [4, row(protocol, "-j DNAT --to-destination", host, flags("--random", "--persistent"))],
  [1, row(protocol, "-j DNAT --to-destination", addressRange, flags("--persistent"))],
  [
    4,
    fc
      .tuple(withPorts, any(host, host, one("")), toPorts, flags("--random"))
      .map((parts): Words => (site) => {
        const [asked, to, wanted, flag] = parts.map((part) => part(site));
        return `${asked} -j DNAT --to-destination ${to}:${wanted} ${flag}`.trimEnd();
      }),
  ],
  [2, row(protocol, "-j REDIRECT")],
  [2, row(any(TCP, UDP), "-j REDIRECT --to-ports", toPorts, flags("--random"))],
  [1, row(protocol, "-j NETMAP --to", smallBlock)],
] as const;
const SOURCE = [
  [
    4,
    row(
      protocol,
      "-j SNAT --to-source",
      anyAddresses,
      flags("--random", "--random-fully", "--persistent"),
    ),
  ],
  [
    3,
    fc
      .tuple(withPorts, any(anyAddresses, one("")), toPorts, flags("--random"))
      .map((parts): Words => (site) => {
        const [asked, to, wanted, flag] = parts.map((part) => part(site));
        return `${asked} -j SNAT --to-source ${to}:${wanted} ${flag}`.trimEnd();
      }),
  ],
] as const;
const NETWORK = [1, row(protocol, "-j NETMAP --to", smallBlock)] as const;
const LEAVING = [
  [5, row(protocol, "-j MASQUERADE", flags("--random", "--random-fully"))],
  [2, row(withPorts, "-j MASQUERADE --to-ports", toPorts, flags("--random"))],
  NETWORK,
] as const;

/** What rules of a chain may end with; `chain` is `null` for a chain of the user's. */
function ends(table: TableName, chain: string | null): AnyWords {
  const jumps: AnyWords = chain === "last" ? one("") : row(protocol, one("-j last", "-g last"));
  const leads: (readonly [number, AnyWords])[] = chain === "last" ? [] : [[1, jumps]];
  if (chain !== "own" && chain !== "last") leads.push([2, row(protocol, one("-j own", "-g own"))]);
  switch (table) {
    case "raw":
      return some(...COMMON, ...leads, [1, DROP], [2, row(protocol, UNTRACK)]);
    case "mangle": {
      const isLate = chain === "FORWARD" || chain === "OUTPUT" || chain === "POSTROUTING";
      return some(...COMMON, ...leads, ...MANGLE, ...(isLate ? [[2, CLAMP] as const] : []));
    }
    case "filter":
      return some(...COMMON, ...leads, ...FILTER);
    case "nat":
      if (chain === "PREROUTING" || chain === "OUTPUT") return some(...leads, ...DESTINATION);
      if (chain === "INPUT") return some(...leads, ...SOURCE, NETWORK);
      if (chain === "POSTROUTING") return some(...leads, ...SOURCE, ...LEAVING);
      return some(...COMMON, ...leads);
  }
}

interface RuleSpec {
  readonly chain: string;
  readonly words: Words;
}

const builtIn = (table: TableName): string[] => TABLE_HOOKS[table].map((hook) => HOOK_NAMES[hook]);

/** Chains as often as packets of the oracle meet them. */
const WEIGHTS: Readonly<Record<string, number>> = {
  PREROUTING: 5,
  INPUT: 3,
  FORWARD: 7,
  OUTPUT: 2,
  POSTROUTING: 5,
  own: 2,
  last: 1,
};

function ruleOf(table: TableName): fc.Arbitrary<RuleSpec> {
  const rules = [...builtIn(table), ...OWN_CHAINS].map((chain) => {
    const isOwn = chain === "own" || chain === "last";
    const words = row(tests({ chain: isOwn ? null : chain }), ends(table, chain));
    return {
      weight: WEIGHTS[chain] ?? 1,
      arbitrary: words.map((made): RuleSpec => ({ chain, words: made })),
    };
  });
  return fc.oneof(...rules);
}

/**
 * The order in which the kernel meets the rules of a table: the first of those that share a list
 * says what it is.
 */
const orderOf = (chains: readonly string[], { chain }: RuleSpec): number =>
  [...chains, ...OWN_CHAINS.toSorted()].indexOf(chain);

/** One table as `iptables-restore` reads it. */
function tableOf(table: TableName, most: number): AnyWords {
  const chains = builtIn(table);
  const policy = fc.oneof(
    { arbitrary: fc.constant("ACCEPT"), weight: 30 },
    { arbitrary: fc.constant(table === "nat" ? "ACCEPT" : "DROP"), weight: 1 },
  );
  return fc
    .tuple(
      fc.tuple(...chains.map(() => policy)),
      fc.array(ruleOf(table), { maxLength: most, size: "max" }),
    )
    .map(([policies, rules]) => (site) => {
      const lines = [
        `*${table}`,
        ...chains.map((chain, at) => `:${chain} ${policies[at] ?? ""} [0:0]`),
        ...OWN_CHAINS.map((chain) => `:${chain} - [0:0]`),
        ...rules
          .toSorted((left, right) => orderOf(chains, left) - orderOf(chains, right))
          .map(({ chain, words }) => `-A ${chain} ${words(site)}`.trimEnd()),
        "COMMIT",
        "",
      ];
      return lines.join("\n");
    });
}

const absent = fc.constant<Words>(() => "");
const tableText = (table: TableName, weight: number, few: number, many: number): AnyWords =>
  fc.oneof(
    { arbitrary: absent, weight: 10 - weight },
    { arbitrary: tableOf(table, few), weight: weight - 1 },
    { arbitrary: tableOf(table, many), weight: 1 },
  );

/** No rules, or up to 50 in some of the tables. */
export const anyRuleSet: AnyWords = fc
  .tuple(
    tableText("raw", 4, 3, 5),
    tableText("mangle", 5, 4, 12),
    tableText("nat", 8, 6, 13),
    tableText("filter", 8, 8, 20),
  )
  .map((tables) => (site) => tables.map((table) => table(site)).join(""));
