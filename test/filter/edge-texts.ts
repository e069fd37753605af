/**
 * Rules at the edges of what `iptables` takes: values at the ends of their ranges and past them,
 * options twice, together, without their word, cut short, in chains where they may not stand.
 */
import fc from "fast-check";
import { TABLE_HOOKS, TABLE_NAMES, type TableName } from "../../src/filter/placement.ts";
import { HOOK_NAMES } from "../../src/l3/hooks.ts";
import { maybe, not, one, type Text, words } from "./texts.ts";

/** Numbers around the ends of what fits `bits`, in the forms that numbers have. */
const numbers = (bits: number, ...more: readonly string[]): readonly string[] => [
  ...["0", "1", "2", "5", "7", "0x10", "010", "-1", "x", "1.5", "5x"],
  ...[-1, -1, 0].map((off) => `${2 ** bits + off}`),
  ...more,
];
const OCTET = numbers(8);
const SHORT = numbers(16);
const LONG = numbers(32);
const RANGES = ["5", "1:5", "5:1", "5:5", ":5", "5:", ":", "1:65535", "65535", "1-5", "5:1:2"];
/** Some ports, but not all: nothing is outside of those. */
const PORTS = [...RANGES.filter((range) => range !== ":"), "7", "7:9", "1,2"];
const RISING = PORTS.filter((range) => range !== "5:1");
const TCP_PORTS = [...PORTS, "65536", "1:65536", "99999"];
const MASKED = ["1", "0", "0x1/0xff", "1/0", "0xff/0x0f", "1/2/3", "1/", "/1", "4294967295"];
const MARKED = [...MASKED, "4294967296", "-1", "x"];
const NAME = ["a", "A-b_c.d", "a/b", ".", "..", "x".repeat(198), "y".repeat(300)];
const ADDRESSES = ["1.2.3.4", "1.2.3.4/24", "1.2.3.4/0", "1.2.3.4/32", "1.2.3.256", "9.9.9.9"];
const SPANS = ["1.1.1.1-2.2.2.2", "2.2.2.2-1.1.1.1", "1.1.1.1", "1.1.1.1-", "1.1.1.1/8"];
const LETTERS = [
  "x",
  "a b",
  `it's`,
  'q"q',
  String.raw`b\b`,
  `x${"é".repeat(130)}`,
  "z".repeat(270),
];
const STATES = ["NEW", "NEW,RELATED", "UNTRACKED", "SNAT,DNAT", "new", "N", "NEW,", "", "ALL"];
const TYPES = ["LOCAL", "local,UNICAST", "BROAD", "U", "UN", "NAT", "LOCAL,", "FOO", "UNSPEC"];
const NONE = null;

/** The words that may follow an option; `null` if none does. */
type Values = readonly string[] | null;
/** What loads a family, and its options. */
type Family = readonly [loads: string, options: Readonly<Record<string, Values>>];

/** Rates and bursts whose credits fit, whatever the length of the kernel's ticks. */
const MATCHES: readonly Family[] = [
  ["-m conntrack", { ctstate: STATES, ctproto: [...OCTET, "tcp", "all"], ctexpire: RANGES }],
  ["-m conntrack", { ctorigsrc: ADDRESSES, ctrepldst: ADDRESSES, ctdir: ["REPLY", "orig", "x"] }],
  ["-m conntrack", { ctorigsrcport: PORTS, ctrepldstport: PORTS, ctstatus: ["NONE", "as", "Z"] }],
  ["-m state", { state: STATES }],
  ["-m recent", { set: NONE, name: NAME, rdest: NONE, mask: ["255.0.0.0", "0.0.0.0", "x"] }],
  ["-m recent", { rcheck: NONE, seconds: SHORT, reap: NONE, hitcount: SHORT, rttl: NONE }],
  ["-m recent", { update: NONE, remove: NONE, seconds: SHORT, hitcount: OCTET, rsource: NONE }],
  [
    "-m hashlimit --hashlimit-name h",
    {
      "hashlimit-upto": ["5/s", "10001/s", "1000001/s", "5/x", "5", "9/minute", "5/", "512kb/s"],
      "hashlimit-above": ["1mb/sec", "16b/s", "30/minute"],
      "hashlimit-burst": [...LONG, "1000001", "5kb", "1mb", "1k"],
      "hashlimit-mode": ["srcip", "dstip,srcport", "srcip,srcip", "SRCIP", "dstport"],
      "hashlimit-srcmask": ["0", "24", "32", "33"],
      "hashlimit-htable-size": LONG,
      "hashlimit-htable-expire": LONG,
      "hashlimit-rate-match": NONE,
    },
  ],
  [
    "-m statistic",
    {
      mode: ["random", "nth", "other"],
      probability: ["0", "1", "0.5", "1.0001", "-1", ".00000000001", "1e-3", "x"],
      every: LONG,
      packet: LONG,
    },
  ],
  ["-m mac", { "mac-source": ["0:1:2:3:4:5", "00:11:22:33:44:55", "0:1:2:3:4", "001122334455"] }],
  ["-m limit", { limit: ["5/s", "10001/s", "7/hour", "5/x", "0/s"], "limit-burst": SHORT }],
  [
    "-m connlimit",
    {
      "connlimit-upto": LONG,
      "connlimit-above": LONG,
      "connlimit-mask": ["0", "8", "32", "255.0.0.0"],
      "connlimit-saddr": NONE,
      "connlimit-daddr": NONE,
    },
  ],
  ["-m iprange", { "src-range": SPANS, "dst-range": SPANS }],
  ["-m mark", { mark: MARKED }],
  ["-m connmark", { mark: MARKED }],
  ["-m pkttype", { "pkt-type": ["unicast", "host", "mcast", "uni", "x"] }],
  ["-m length", { length: RANGES }],
  ["-m ttl", { "ttl-eq": OCTET, "ttl-lt": OCTET, "ttl-gt": OCTET, ttl: OCTET }],
  ["-m dscp", { dscp: numbers(6), "dscp-class": ["EF", "af11", "CS8", "AF"] }],
  ["-m tos", { tos: [...OCTET, "0x10/0x3f", "Minimize-Delay", "min", "1/256"] }],
  [
    "-m addrtype",
    { "src-type": TYPES, "dst-type": TYPES, "limit-iface-in": NONE, "limit-iface-out": NONE },
  ],
  [
    "-m physdev",
    {
      "physdev-in": ["eth0", "eth+", "+", "a".repeat(15), "a".repeat(16)],
      "physdev-out": ["eth0", "+"],
      "physdev-is-in": NONE,
      "physdev-is-out": NONE,
      "physdev-is-bridged": NONE,
    },
  ],
  ["-m comment", { comment: LETTERS }],
  [
    "-p tcp -m tcp",
    {
      sport: TCP_PORTS,
      dport: TCP_PORTS,
      syn: NONE,
      "tcp-flags": ["SYN,ACK SYN", "ALL NONE", "NONE NONE", "SYN", "SYN,ECE SYN", "syn syn"],
      "tcp-option": OCTET,
    },
  ],
  ["-p udp -m udp", { sport: RISING, dport: RISING }],
  ["-p icmp", { "icmp-type": [...OCTET, "any", "8/0", "3/256", "8/", "echo", "ping", "3/any"] }],
  ...["-p tcp", "-p udp", "-p icmp", "! -p tcp", ""].map((protocol): Family => [
    `${protocol} -m multiport`,
    {
      sports: [...TCP_PORTS, ports(15, 1), ports(16, 1)],
      dports: [...PORTS, ports(7, 2), ports(8, 2), "1,,2"],
      ports: PORTS,
    },
  ]),
];

/** `count` entries of a list of ports, each a port or a range. */
function ports(count: number, width: 1 | 2): string {
  const first = Array.from({ length: count }, (_, index) => 10 * (index + 1));
  return first.map((port) => (width === 1 ? `${port}` : `${port}:${port + 1}`)).join(",");
}

const MARK_CHANGES = {
  "set-mark": MARKED,
  "set-xmark": MARKED,
  "and-mark": LONG,
  "or-mark": LONG,
  "xor-mark": LONG,
};
const CONNMARK = { nfmask: LONG, ctmask: LONG, "left-shift-mark": ["0", "1", "31", "32"] };
const TARGET_ADDRESSES = [
  ...["1.2.3.4", "1.2.3.4-1.2.3.9", "1.2.3.4:80", "1.2.3.4:80-90", ":80", "1.2.3.4:90-80"],
  ...["1.2.3.4:65536", "1.2.3.4:", "1.2.3.4:1:2", "1.2.3", "1.2.3.4/24", "1.2.3.4-1.2.3.4"],
];
const TO_PORTS = ["80", "80-90", "90-80", "0", "65535", "65536", "80:90", ""];
const NAT_FLAGS = { random: NONE, "random-fully": NONE, persistent: NONE };
const TARGETS: readonly Family[] = [
  [
    "-j REJECT",
    {
      "reject-with": [
        ...["icmp-net-unreachable", "icmp-host-prohibited", "proto-unreach", "tcp-reset"],
        ...["tcp-rst", "icmp", "icmp-p", "echo-reply", "admin-prohib", "x"],
      ],
    },
  ],
  [
    "-j LOG",
    {
      "log-level": ["0", "7", "8", "warning", "WARNING", "err", "error", "panic", "0x4"],
      "log-prefix": [...LETTERS, "y".repeat(28), "y".repeat(29), "y".repeat(30)],
      "log-uid": NONE,
      "log-tcp-options": NONE,
    },
  ],
  [
    "-j NFLOG",
    {
      "nflog-group": SHORT,
      "nflog-prefix": [...LETTERS, "y".repeat(63), "y".repeat(64)],
      "nflog-size": LONG,
      "nflog-threshold": SHORT,
    },
  ],
  ["-j MARK", MARK_CHANGES],
  ["-j CONNMARK", MARK_CHANGES],
  ["-j CONNMARK --save-mark", CONNMARK],
  ["-j CONNMARK --restore-mark", { mask: LONG, "right-shift-mark": OCTET }],
  ...["-p tcp -j", "-j", "-p icmp -j", "-p gre -j"].flatMap((loads): Family[] => [
    [`${loads} SNAT`, { "to-source": TARGET_ADDRESSES, ...NAT_FLAGS }],
    [`${loads} DNAT`, { "to-destination": TARGET_ADDRESSES, ...NAT_FLAGS }],
    [`${loads} MASQUERADE`, { "to-ports": TO_PORTS, ...NAT_FLAGS }],
    [`${loads} REDIRECT`, { "to-ports": TO_PORTS, ...NAT_FLAGS }],
  ]),
  ["-j NETMAP", { to: ["10.0.0.0/24", "10.0.0.5/24", "10.0.0.1", "10.0.0.0/0", "x"] }],
  ["-j CT", { notrack: NONE }],
  ["-j NOTRACK", {}],
  ["-j TRACE", {}],
  ...["-p tcp --syn -j", "-p tcp -j", "-p tcp ! --syn -j"].map((loads): Family => [
    `${loads} TCPMSS`,
    { "set-mss": [...SHORT, "65515", "65516"] },
  ]),
  ["-p tcp --syn -j TCPMSS", { "clamp-mss-to-pmtu": NONE }],
  ["-j TTL", { "ttl-set": OCTET, "ttl-dec": OCTET, "ttl-inc": OCTET }],
  ["-j DSCP", { "set-dscp": numbers(6), "set-dscp-class": ["EF", "be", "AF9"] }],
  ["-j TOS", { "set-tos": [...OCTET, "1/3", "Maximize-Throughput"], "and-tos": OCTET }],
  ["-j TOS", { "or-tos": OCTET, "xor-tos": OCTET }],
];

const FREE: Readonly<Record<string, Values>> = {
  source: [...ADDRESSES, "10/8", "0/0", "1.1.1.1,2.2.2.2", "1.1.1.1,", "", "1.2.3.4/255.0.255.0"],
  destination: ADDRESSES,
  "in-interface": ["eth0", "eth+", "a".repeat(15), "a".repeat(16), ""],
  "out-interface": ["eth0", "e+"],
  protocol: [...OCTET, "tcp", "TCP", "all", "icmpv6", "tc"],
  fragment: NONE,
  ipv4: NONE,
};

const quoted = (word: string): string =>
  /^[\w:.,/+-]+(?: [\w:.,/+-]+)?$/.test(word)
    ? word
    : `"${word.replaceAll(/["\\]/g, String.raw`\$&`)}"`;

/** One option as a rule gives it, now and then cut short. */
function given(options: Readonly<Record<string, Values>>): Text {
  const entries = Object.entries(options);
  if (entries.length === 0) return fc.constant("");
  return fc
    .constantFrom(...entries)
    .chain(([name, values]) =>
      fc
        .tuple(
          fc.oneof({ arbitrary: fc.constant(""), weight: 4 }, not),
          fc.oneof(
            { arbitrary: fc.constant(name.length), weight: 9 },
            fc.integer({ min: 1, max: name.length }),
          ),
          fc.constantFrom(...(values ?? [""]).map(quoted)),
        )
        .map(([sign, length, value]) => `${sign} --${name.slice(0, length)} ${value}`.trim()),
    );
}

/** What loads a family, and one to three of its options. */
function family(families: readonly Family[]): Text {
  return fc.constantFrom(...families).chain(([loads, options]) => {
    const more = fc.oneof({ arbitrary: fc.constant(1), weight: 2 }, fc.integer({ min: 2, max: 3 }));
    return more
      .chain((count) => fc.array(given(options), { minLength: count, maxLength: count }))
      .map((all) => [loads, ...all].join(" "));
  });
}

/** One rule, after "-A CHAIN": matches that may stand anywhere, targets of the table mostly. */
function rule(table: TableName): Text {
  const matches = family(MATCHES);
  const own = family(TARGETS.filter((target) => HOMES[targetOf(target)] === table));
  const any = family(TARGETS);
  const targets = fc.oneof({ arbitrary: own, weight: 3 }, any);
  return fc.oneof(
    { arbitrary: words(matches, maybe(one("-j ACCEPT", "-g own"))), weight: 5 },
    { arbitrary: targets, weight: 4 },
    words(matches, targets),
    words(given(FREE), given(FREE), one("", "-j DROP", "-j RETURN")),
    words(targets, given(FREE)),
  );
}

/** Targets that belong into one table. */
const HOMES: Readonly<Record<string, TableName>> = {
  REJECT: "filter",
  SNAT: "nat",
  DNAT: "nat",
  MASQUERADE: "nat",
  REDIRECT: "nat",
  NETMAP: "nat",
  CT: "raw",
  NOTRACK: "raw",
  TRACE: "raw",
  TTL: "mangle",
  DSCP: "mangle",
  TOS: "mangle",
};
const targetOf = ([loads]: Family): string => /-j (\S+)/.exec(loads)?.[1] ?? "";

/** A rule, and where it stands. */
export interface EdgeRule {
  readonly table: TableName;
  /** What `iptables-restore` reads: chains, and one rule. */
  readonly text: string;
}

/** One rule at the edge of what is taken, in any chain. */
export const edgeRule: fc.Arbitrary<EdgeRule> = fc.constantFrom(...TABLE_NAMES).chain((table) =>
  fc
    .tuple(
      fc.constantFrom(...TABLE_HOOKS[table].map((hook) => HOOK_NAMES[hook]), "own"),
      rule(table),
    )
    .map(([chain, text]) => ({
      table,
      text: `*${table}\n:own - [0:0]\n-A ${chain} ${text}\nCOMMIT\n`,
    })),
);
