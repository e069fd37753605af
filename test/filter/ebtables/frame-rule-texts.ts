/**
 * Rules about frames as people write them: every family, its aliases and forms, in any order; from
 * values few enough for frames to meet them.
 */
import fc from "fast-check";

type Text = fc.Arbitrary<string>;

/** Addresses: the bridge's own, two stations', a stranger's, groups. */
export const FRAME_MACS = [
  "fe:ff:ff:ff:ff:ff",
  "02:00:00:00:00:0a",
  "02:00:00:00:00:0b",
  "12:31:39:00:a5:11",
  "ff:ff:ff:ff:ff:ff",
  "01:00:5e:00:00:01",
  "01:80:c2:00:00:00",
] as const;
/** What rules and frames say of IPv4. */
export const FRAME_IPS = ["10.0.0.1", "10.0.0.2", "10.0.1.1", "192.168.0.1"] as const;
/** Ports and TCP's, UDP's, ICMP's first octets. */
export const FRAME_PORTS = [53, 67, 68, 80, 2048, 771] as const;

const words = (...parts: readonly (string | Text)[]): Text =>
  fc
    .tuple(...parts.map((part) => (typeof part === "string" ? fc.constant(part) : part)))
    .map((all) => all.filter((part) => part !== "").join(" "));
const one = (...texts: readonly (string | number)[]): Text => fc.constantFrom(...texts.map(String));
const any = (...texts: readonly Text[]): Text => fc.oneof(...texts);
const maybe = (text: Text): Text => fc.oneof(fc.constant(""), text);

/** `!` before the option or before its value, or not at all. */
const asks = (names: Text, value: Text): Text =>
  any(words(names, value), words(names, value), words(names, "!", value), words("!", names, value));

/** Some of the parts, at least one, in any order. */
const some = (...parts: readonly Text[]): Text =>
  fc
    .shuffledSubarray([...parts], { minLength: 1, maxLength: Math.min(parts.length, 3) })
    .chain((chosen) => words(...chosen));

const mac = one(...FRAME_MACS, "2:0:0:0:0:A");
const maskedMac = any(
  mac,
  one("Unicast", "multicast", "Broadcast", "BGA", "02:00:00:00:00:00/ff:ff:ff:ff:ff:f0"),
  one("1:2:3:4:5:6/01:00:00:00:00:00", "fe:ff:0:0:0:1/ff:ff:00:00:00:01"),
);
const ip = any(one(...FRAME_IPS), one("10.0.0.0/24", "10.0.0.1/255.0.0.255", "0.0.0.0/0", "10/8"));
const ports = any(one(...FRAME_PORTS), one("53:67", ":67", "68:", "0:65535"));

const withPorts = words(
  one("--ip-proto", "--ip-protocol"),
  one("tcp", "udp", 6, 17, "sctp"),
  some(
    asks(one("--ip-sport", "--ip-source-port"), ports),
    asks(one("--ip-dport", "--ip-destination-port"), ports),
  ),
);
const icmpType = one("echo-request", "8/0", "3:8", "any", "host-unre", "3/3", "8:11/0:4", 8, 42);
const ipv4 = words(
  one("-p", "--protocol", "--proto"),
  one("IPv4", "ip", "0x800", "0800"),
  any(
    some(
      asks(one("--ip-src", "--ip-source"), ip),
      asks(one("--ip-dst", "--ip-destination"), ip),
      asks(one("--ip-tos"), one("0x10", 0, 184)),
      asks(one("--ip-proto"), one("tcp", "udp", "icmp", "igmp", 253, "ip")),
    ),
    withPorts,
    words("--ip-proto icmp", asks(one("--ip-icmp-type"), icmpType)),
    words("--ip-proto igmp", asks(one("--ip-igmp-type"), one("membership-query", 17, 18))),
  ),
);
const arp = words(
  "-p",
  one("ARP", "RARP", "0806"),
  some(
    asks(one("--arp-op", "--arp-opcode"), one("Request", "reply", 3, 9, 10, 65_535)),
    asks(one("--arp-htype"), one("Ethernet", 1, 6)),
    asks(one("--arp-ptype"), one("0x800", "IPv4", "0806")),
    asks(one("--arp-ip-src"), ip),
    asks(one("--arp-ip-dst"), ip),
    asks(one("--arp-mac-src"), maskedMac),
    asks(one("--arp-mac-dst"), maskedMac),
    one("--arp-gratuitous", "! --arp-gratuitous"),
  ),
);
const vlan = words(
  "-p 802_1Q",
  some(
    asks(one("--vlan-id"), one(0, 1, 5, "05", "010", 4094)),
    asks(one("--vlan-prio"), one(0, 3, 7)),
    asks(one("--vlan-encap"), one("ARP", "0800", "0x806")),
  ),
);
const protocol = any(
  ipv4,
  ipv4,
  arp,
  vlan,
  asks(one("-p"), one("IPv4", "ARP", "Length", "IPv6", "0x1234", "802_1Q", "IPX", "RARP")),
  one(""),
);
const type = one("host", "broadcast", "Multicast", "otherhost", "outgoing", 5, 9);
const mark = words(one("--mark"), one("5", "0x1", "/0x5", "0x1/0x3", "0", "0/0xffffffff"));
const limit = words(
  "--limit",
  one("3/s", "10/minute", "5", "7/day", "4/h"),
  "--limit-burst",
  one(1, 7),
);
const log = words(
  maybe(one("--log")),
  one("--log-level debug", "--log-level 3", "--log-ip", "--log-arp"),
  maybe(words("--log-prefix", one('"a b"', "frame:"))),
);

const pairs = any(
  one("2:0:0:0:0:a", "2:0:0:0:0:a=10.0.0.1,12:31:39:0:a5:11", "ff:ff:ff:ff:ff:ff,2:0:0:0:0:b"),
  one("2:0:0:0:0:b=10.0.0.2,2:0:0:0:0:b=10.0.0.1,2:0:0:0:0:a=10.0.0.2"),
);
const among = some(asks(one("--among-src"), pairs), asks(one("--among-dst"), pairs));

/** What a rule asks beyond its protocol: one match, so that the command prints all of them. */
const extra = any(one(""), one(""), asks(one("--pkttype-type"), type), mark, among);

/** Verdicts that may stand anywhere, and what writes marks. */
const verdict = one("ACCEPT", "DROP", "CONTINUE", "RETURN");
const often = one("CONTINUE", "CONTINUE", "ACCEPT", "DROP", "RETURN");
const setMark = words(
  "mark",
  any(
    words(one("--mark-set", "--set-mark"), one(1, "0x5", 0)),
    words(one("--mark-or", "--mark-and", "--mark-xor"), one(1, "0x7", "0xfffffffe")),
  ),
  "--mark-target CONTINUE",
);

const arpreply = words("arpreply --arpreply-mac", mac, maybe(words("--arpreply-target", often)));
const dnat = words(
  "dnat",
  one("--to-destination", "--to-dst"),
  mac,
  maybe(words("--dnat-target", often)),
);
const redirect = words("redirect", maybe(words("--redirect-target", often)));
const snat = words(
  "snat",
  one("--to-source", "--to-src"),
  one("02:00:00:00:00:0c", "2:0:0:0:0:d"),
  maybe(one("--snat-arp")),
  maybe(words("--snat-target", often)),
);

/** Targets of a chain; what answers ARP needs a protocol of its own. */
function target(chain: string): Text {
  const plain = any(one("CONTINUE", "CONTINUE"), verdict, setMark);
  if (chain === "PREROUTING") return any(plain, plain, dnat, redirect);
  if (chain === "nat OUTPUT") return any(plain, plain, dnat);
  return chain === "POSTROUTING" ? any(plain, snat, snat) : plain;
}

function devices(chain: string): Text {
  const input = asks(one("-i", "--in-interface", "--in-if"), one("p0", "p1", "p+", "q+"));
  const output = asks(one("-o", "--out-interface", "--out-if"), one("p0", "p1", "p+", "q+"));
  const hasInput = ["PREROUTING", "INPUT", "FORWARD"].includes(chain);
  const hasOutput = ["FORWARD", "POSTROUTING"].includes(chain) || chain.endsWith("OUTPUT");
  return some(
    one(""),
    one(""),
    hasInput || chain === "own" ? input : one(""),
    hasOutput || chain === "own" ? output : one(""),
  );
}

/** One rule of a chain; what has state or writes is only for text. */
function ruleText(chain: string, isForText: boolean): Text {
  const hardware = some(
    one(""),
    asks(one("-s", "--source", "--src"), maskedMac),
    asks(one("-d", "--destination", "--dst"), maskedMac),
  );
  const more = isForText ? any(extra, limit, log) : extra;
  const jump = chain === "own" ? target(chain) : any(target(chain), target(chain), one("own"));
  const tests = fc
    .shuffledSubarray([hardware, devices(chain), protocol], { minLength: 1, maxLength: 2 })
    .chain((parts) => words(...parts, more));
  const rule = words(tests, maybe(words(one("-j", "--jump"), jump)));
  const answers = words("-p ARP", devices(chain), "-j", arpreply);
  return chain === "PREROUTING" ? any(rule, rule, rule, rule, answers) : rule;
}

const BUILT_IN = {
  filter: ["INPUT", "FORWARD", "OUTPUT"],
  nat: ["PREROUTING", "OUTPUT", "POSTROUTING"],
} as const;

function tableText(table: "filter" | "nat", isForText: boolean): Text {
  const policy = one("ACCEPT", "ACCEPT", "ACCEPT", "DROP");
  const own = one("ACCEPT", "RETURN", "RETURN", "DROP");
  const chains = BUILT_IN[table];
  const line = fc.constantFrom(...chains, "own").chain((chain) => {
    const place = table === "nat" && chain === "OUTPUT" ? "nat OUTPUT" : chain;
    return words("-A", fc.constant(chain), ruleText(place, isForText));
  });
  return fc
    .tuple(fc.tuple(...chains.map(() => policy)), own, fc.array(line, { maxLength: 9 }))
    .map(([policies, ownPolicy, lines]) =>
      [
        `*${table}`,
        ...chains.map((chain, index) => `:${chain} ${policies[index] ?? ""}`),
        `:own ${ownPolicy}`,
        ...lines,
        "",
      ].join("\n"),
    );
}

/** Both tables: for frames, or, with what has state or writes, for the text alone. */
export const tablesText = (isForText: boolean): Text =>
  fc
    .tuple(tableText("filter", isForText), tableText("nat", isForText))
    .map((tables) => tables.join(""));
