/** Rules as people write them: every family, its aliases, its forms of numbers, in any order. */
import fc from "fast-check";
import { TABLE_HOOKS, type TableName } from "../../src/filter/placement.ts";
import { CONNECTION, CONNLIMIT, HASHLIMIT, RECENT } from "./state-texts.ts";
import {
  address,
  any,
  decimal,
  maybe,
  not,
  number,
  one,
  ports,
  rising,
  state,
  type Text,
  u32,
  words,
} from "./texts.ts";
import { HOOK_NAMES } from "../../src/l3/hooks.ts";
import { formatMac, macOf } from "../../src/wire/addr.ts";

const masked = fc
  .tuple(
    address,
    any(
      fc.nat(32).map((length) => `/${length}`),
      one("", "/255.255.0.0", "/255.0.255.0"),
    ),
  )
  .map((parts) => parts.join(""));
const port = number(0, 65_535);

const source = words(not, one("--sport", "--source-port"), ports);
const destination = words(not, one("--dport", "--destination-port", "--destination-por"), ports);
const flags = fc
  .subarray(["SYN", "ACK", "FIN", "RST", "URG", "PSH"], { minLength: 1 })
  .map((names) => names.join(","));

const addressType = fc
  .subarray(["LOCAL", "UNICAST", "BROADCAST", "MULTICAST", "local", "PROHIBIT", "UNREACH", "NAT"], {
    minLength: 1,
  })
  .map((names) => names.join(","));
const comment = fc
  .array(fc.constantFrom("a", "b", "-", "_", "/", ":", " ", '"', "'", "\\", "$", "#", "!"), {
    maxLength: 20,
  })
  .map((characters) => characters.join(""))
  .map((text) => `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`);
const ethernet = fc.nat({ max: 2 ** 48 - 1 }).map((value) => formatMac(macOf(value)));
const device = one("vif1.0", "eth0", "vif+", "a23456789012345", "peth0");

/** Matches that may stand in every chain of every table. */
const MATCHES: readonly Text[] = [
  words("-m state", not, "--state", state),
  words("-m conntrack", not, "--ctstate", state),
  CONNECTION,
  CONNLIMIT,
  RECENT,
  HASHLIMIT,
  words(
    "-m connmark",
    not,
    "--mark",
    any(
      u32,
      u32.chain((value) => u32.map((mask) => `${value}/${mask}`)),
    ),
  ),
  words(
    "-m mark",
    not,
    "--mark",
    any(
      u32,
      words(u32).chain((value) => u32.map((mask) => `${value}/${mask}`)),
    ),
  ),
  words(
    "-m pkttype",
    not,
    "--pkt-type",
    one("unicast", "host", "broadcast", "bcast", "multicast", "mcast", "otherhost"),
  ),
  words("-m length", not, "--length", any(port, rising(0, 65_535, ":"), one("100:", ":200"))),
  words(
    "-m ttl",
    any(
      words(not, one("--ttl-eq", "--ttl"), number(0, 255)),
      words(one("--ttl-lt", "--ttl-gt"), number(0, 255)),
    ),
  ),
  words(
    "-m dscp",
    not,
    any(
      words("--dscp", number(0, 63)),
      words("--dscp-class", one("EF", "BE", "cs3", "AF41", "af13")),
    ),
  ),
  words(
    "-m tos",
    not,
    "--tos",
    any(number(0, 255), one("Minimize-Delay", "normal-service", "0x10/0x3f", "16/255")),
  ),
  words(
    "-m iprange",
    not,
    "--src-range",
    one("1.1.1.1-2.2.2.2", "10.0.0.5"),
    maybe(words(not, "--dst-range", one("3.3.3.3-4.0.0.0"))),
  ),
  words(
    "-m addrtype",
    any(words(not, "--src-type", addressType), words(not, "--dst-type", addressType)),
  ),
  words(
    "-m limit",
    maybe(
      words(
        "--limit",
        fc.integer({ min: 4, max: 10_000 }).map(String),
        one("/s", "/sec", "/minute", "/MIN", "/hour", ""),
      ).map((text) => text.replace(" /", "/")),
    ),
    maybe(words("--limit-burst", number(1, 20))),
  ),
  words(
    "-m statistic --mode random",
    not,
    "--probability",
    one("0", "1", "0.5", "0.3333", ".1", "1e-3", "0.123456789"),
  ),
  fc
    .tuple(fc.integer({ min: 1, max: 100 }), fc.nat(99), not)
    .map(([every, packet, inverted]) =>
      `-m statistic --mode nth ${inverted} --every ${every} --packet ${packet % every}`.replace(
        "  ",
        " ",
      ),
    ),
  words("-m comment --comment", comment),
  words(
    "-m physdev",
    any(
      words(not, "--physdev-in", device),
      words(not, "--physdev-is-in"),
      words(not, "--physdev-is-bridged"),
    ),
  ),
];

const TCP: Text = words(
  one("-p tcp", "-p 6", "--protocol TCP"),
  maybe(fc.constant("-m tcp")),
  maybe(any(source, destination, words(source, destination))),
  maybe(
    any(
      words(not, "--syn"),
      words(not, "--tcp-flags", any(flags, fc.constant("ALL")), any(flags, fc.constant("NONE"))),
    ),
  ),
  maybe(words(not, "--tcp-option", number(1, 255))),
);
const UDP: Text = words(
  one("-p udp", "-p 17"),
  maybe(fc.constant("-m udp")),
  maybe(source),
  maybe(destination),
);
const ICMP: Text = words(
  "-p icmp",
  not,
  "--icmp-type",
  any(
    one("any", "ping", "echo-reply", "frag", "host-redirect", "TTL-exceeded"),
    number(0, 18),
    one("3/1", "11/0", "255"),
  ),
);
const MULTIPORT: Text = words(
  one("-p tcp", "-p udp", "-p sctp", "-p dccp", "-p udplite"),
  "-m multiport",
  not,
  one("--sports", "--dports", "--ports", "--source-ports", "--dport"),
  fc
    .array(any(port, rising(0, 65_535, ":")), { minLength: 1, maxLength: 7 })
    .map((list) => list.join(",")),
);
const OTHER_PROTOCOL: Text = words(
  not,
  "-p",
  one("gre", "esp", "47", "ospf", "ipv6-icmp", "255", "4", "tcp", "udp"),
);

/** Each asks for a protocol; at most one stands in a rule. */
const PROTOCOL: Text = any(TCP, UDP, ICMP, MULTIPORT, OTHER_PROTOCOL, fc.constant(""));

const REJECT: Text = words(
  "-j REJECT",
  maybe(
    words(
      "--reject-with",
      one(
        "icmp-net-unreachable",
        "icmp-host-unreachable",
        "proto-unreach",
        "icmp-port-unreachable",
        "icmp-net-prohibited",
        "host-prohib",
        "ICMP-ADMIN-PROHIBITED",
      ),
    ),
  ),
);
const LOG: Text = words(
  "-j LOG",
  maybe(words("--log-level", one("0", "warning", "debug", "4", "error", "panic"))),
  maybe(
    words(
      "--log-prefix",
      comment.filter((text) => text !== '""'),
    ),
  ),
  fc
    .subarray([
      "--log-tcp-sequence",
      "--log-tcp-options",
      "--log-ip-options",
      "--log-uid",
      "--log-macdecode",
    ])
    .map((all) => all.join(" ")),
);
const MARK: Text = words(
  "-j MARK",
  any(
    words(one("--set-mark", "--set-xmark"), any(u32, one("0x1/0xf", "7/0"))),
    words(one("--and-mark", "--or-mark", "--xor-mark"), u32),
  ),
);
const NFLOG: Text = words(
  "-j NFLOG",
  maybe(words("--nflog-group", number(0, 65_535))),
  maybe(
    words(
      "--nflog-prefix",
      comment.filter((text) => text !== '""'),
    ),
  ),
  maybe(words("--nflog-size", u32)),
  maybe(words("--nflog-threshold", number(0, 65_535))),
);
const CONNMARK: Text = words(
  "-j CONNMARK",
  any(
    words(one("--set-mark", "--set-xmark"), any(u32, one("0x1/0xf", "7/0"))),
    words(one("--and-mark", "--or-mark", "--xor-mark"), u32),
    words(
      one("--save-mark", "--restore-mark"),
      any(
        words("--mask", u32),
        words(maybe(words("--nfmask", u32)), maybe(words("--ctmask", u32))),
      ),
    ),
  ),
  maybe(words(one("--left-shift-mark", "--right-shift-mark"), number(0, 31))),
);
/** Targets that may stand in every chain of every table. */
const ANYWHERE: Text = any(LOG, MARK, NFLOG, CONNMARK);
const STANDARD: Text = one("-j ACCEPT", "-j RETURN", "-j own", "-g own", "--jump ACCEPT", "");

const natPorts = any(decimal, rising(0, 65_535, "-"));
const natAddresses = one("1.2.3.4", "1.2.3.4-1.2.3.9");
const natFlags = (...names: readonly string[]): Text =>
  fc.subarray([...names]).map((all) => all.join(" "));

/** What a rule ends with, by the chain that it stands in; some ask for a protocol. */
const TARGETS: Readonly<Record<string, readonly Text[]>> = {
  filter: [
    words(PROTOCOL, any(STANDARD, ANYWHERE, REJECT, fc.constant("-j DROP"))),
    words("-p tcp -j REJECT --reject-with", one("tcp-reset", "tcp-rst")),
  ],
  raw: [
    words(PROTOCOL, any(STANDARD, ANYWHERE, fc.constant("-j DROP"))),
    words(PROTOCOL, one("-j TRACE", "-j NOTRACK", "-j CT --notrack")),
  ],
  mangle: [
    words(PROTOCOL, any(STANDARD, ANYWHERE, fc.constant("-j DROP"))),
    words("-j TTL", one("--ttl-set 64", "--ttl-dec 1", "--ttl-inc 0x10")),
    words(
      "-j DSCP",
      any(words("--set-dscp", number(0, 63)), words("--set-dscp-class", one("EF", "cs1"))),
    ),
    words(
      "-j TOS",
      any(
        words("--set-tos", one("0x10", "Minimize-Cost", "4/0xc")),
        words(one("--and-tos", "--or-tos", "--xor-tos"), number(0, 255)),
      ),
    ),
    words("-p tcp --syn -j TCPMSS --set-mss", number(0, 65_515)),
  ],
  "mangle FORWARD": [fc.constant("-p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu")],
  nat: [words(PROTOCOL, any(STANDARD, ANYWHERE))],
  "nat PREROUTING": [
    words("-j DNAT --to-destination", natAddresses, natFlags("--random", "--persistent")),
    fc
      .tuple(one("1.2.3.4:", "1.2.3.4-1.2.3.9:", ":"), natPorts)
      .map(([to, list]) => `-p tcp -j DNAT --to-destination ${to}${list}`),
    words("-p udp -j REDIRECT", maybe(words("--to-ports", natPorts)), natFlags("--random")),
    words("-j NETMAP --to", one("10.0.0.0/24", "10.1.2.3", "10.0.0.1/255.255.0.0")),
  ],
  "nat POSTROUTING": [
    words(
      "-j SNAT --to-source",
      natAddresses,
      natFlags("--persistent", "--random", "--random-fully"),
    ),
    fc
      .tuple(one("1.2.3.4:", "1.2.3.4-1.2.3.9:", ":"), natPorts)
      .map(([to, list]) => `-p icmp -j SNAT --to-source ${to}${list}`),
    words(
      "-p tcp -j MASQUERADE",
      maybe(words("--to-ports", natPorts)),
      natFlags("--random", "--random-fully"),
    ),
  ],
};

/** A rule of `chain`, after `-A CHAIN`. */
export function ruleText(table: TableName, chain: string): Text {
  const isIncoming = chain === "PREROUTING" || chain === "INPUT";
  const isOutgoing = chain === "OUTPUT" || chain === "POSTROUTING";
  const tests = [
    maybe(words(not, one("-s", "--source", "--src"), masked)),
    maybe(words(not, one("-d", "--destination", "--dst"), masked)),
    isOutgoing ? fc.constant("") : maybe(words(not, one("-i", "--in-interface"), device)),
    isIncoming ? fc.constant("") : maybe(words(not, one("-o", "--out-interface"), device)),
    maybe(words(not, one("-f", "--fragment"))),
    fc.array(any(...MATCHES), { maxLength: 2 }).map((all) => all.join(" ")),
    isOutgoing || chain === "own"
      ? fc.constant("")
      : maybe(words("-m mac", not, "--mac-source", ethernet)),
  ];
  const ends = [...(TARGETS[table] ?? []), ...(TARGETS[`${table} ${chain}`] ?? [])];
  return fc.tuple(fc.tuple(...tests), any(...ends), fc.boolean()).map(([all, end, isEndFirst]) => {
    const asked = all.filter((text) => text !== "");
    return (isEndFirst ? [end, ...asked] : [...asked, end]).filter((text) => text !== "").join(" ");
  });
}

/** The built-in chains of a table. */
export const builtInChains = (table: TableName): string[] =>
  TABLE_HOOKS[table].map((hook) => HOOK_NAMES[hook]);

/** What `iptables-restore` reads about one table; rules may lead to the chain `own`. */
export function tableText(table: TableName, mostRules = 8): Text {
  const chains = builtInChains(table);
  const policy = table === "nat" ? one("ACCEPT") : one("ACCEPT", "DROP");
  const lines = fc.array(
    fc.constantFrom(...chains, "own").chain((chain) => {
      const rule = ruleText(table, chain).filter(
        (text) => chain !== "own" || !/[jg] own/.test(text),
      );
      return words("-A", fc.constant(chain), rule);
    }),
    { minLength: 1, maxLength: mostRules, size: "max" },
  );
  return fc
    .tuple(fc.tuple(...chains.map(() => policy)), lines)
    .map(([policies, rules]) =>
      [
        `*${table}`,
        ...chains.map((chain, index) => `:${chain} ${policies[index] ?? ""} [0:0]`),
        ":own - [0:0]",
        ...rules,
        "COMMIT",
        "",
      ].join("\n"),
    );
}
