/** Random tests of rules: every match that there is, on what packets of the oracle have. @module */
import fc from "fast-check";
import { STATEFUL } from "./rule-states.ts";
import {
  address,
  addressRange,
  any,
  type AnyWords,
  block,
  device,
  fixed,
  integer,
  list,
  MAC_NEIGHBOR,
  maybe,
  not,
  one,
  port,
  portList,
  ports,
  row,
  some,
} from "./rule-words.ts";

const states = list(["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"], 3);
const FLAGS = ["SYN", "ACK", "FIN", "RST", "URG", "PSH"];
const TYPES = ["LOCAL", "UNICAST", "BROADCAST", "MULTICAST", "PROHIBIT", "UNREACHABLE"];

/** A number and perhaps a second one behind `separator`, not below the first. */
const span = (max: number, separator: string): AnyWords =>
  fixed(
    fc
      .tuple(fc.nat({ max }), fc.nat({ max }), fc.boolean())
      .map(([left, right, isRange]) =>
        isRange ? [left, right].toSorted((a, b) => a - b).join(separator) : `${left}`,
      ),
  );

const limit = row(
  "-m limit --limit",
  one("1/hour", "10/sec", "100/sec", "1000/sec", "3/minute"),
  maybe(row("--limit-burst", integer(1, 9))),
);
const nth = fixed(
  fc
    .tuple(fc.integer({ min: 1, max: 5 }), fc.nat({ max: 99 }), fc.constantFrom("", "", " !"))
    .map(
      ([every, packet, sign]) =>
        `-m statistic --mode nth${sign} --every ${every} --packet ${packet % every}`,
    ),
);
const ttl = row(
  "-m ttl",
  any(row(not, "--ttl-eq", one("1", "2", "63", "64")), row(one("--ttl-lt", "--ttl-gt"), "64")),
);
const marked = row("-m mark", not, "--mark", one("0", "1", "0x2/0x3", "3", "0x0/0x1"));
const addressType = row(
  "-m addrtype",
  any(row(not, "--src-type", list(TYPES, 2)), row(not, "--dst-type", list(TYPES, 2))),
);
const limitedType = (side: "in" | "out"): AnyWords => row(addressType, `--limit-iface-${side}`);
const range = row(
  "-m iprange",
  any(
    row(not, "--src-range", addressRange),
    row(not, "--dst-range", addressRange),
    row("--src-range", addressRange, not, "--dst-range", addressRange),
    row(not, "--dst-range", one("10.9.0.0-10.1.0.0", "255.255.255.255-0.0.0.0")),
  ),
);
const state = any(
  row("-m state", not, "--state", states),
  row("-m conntrack", not, "--ctstate", states),
);
const physical = row(
  "-m physdev",
  not,
  one("--physdev-is-bridged", "--physdev-is-in", "--physdev-in e0", "--physdev-in e+"),
);
const leavingPhysical = row("-m physdev", not, one("--physdev-is-out", "--physdev-out e1"));

/** Tests that may stand in every chain. */
const EVERYWHERE = some(
  [6, state],
  [2, marked],
  [1, row("-m pkttype", not, "--pkt-type", one("unicast", "broadcast", "multicast", "otherhost"))],
  [
    2,
    row(
      "-m length",
      not,
      "--length",
      some([3, span(1600, ":")], [1, one("0:100", "100:", "100:60")]),
    ),
  ],
  [2, ttl],
  [1, row("-m dscp", not, any(row("--dscp", integer(0, 63)), row("--dscp-class", one("BE"))))],
  [1, row("-m tos", not, "--tos", one("0", "0x10", "0x08/0x1c", "Minimize-Cost"))],
  [2, range],
  [2, addressType],
  [2, limit],
  [1, nth],
  [1, row("-m statistic --mode random", not, "--probability", one("0", "1"))],
  [1, one('-m comment --comment "a comment"')],
  [1, physical],
);

const icmpType = one(
  ...["3/0", "3/1", "3/3", "5", "5/1", "11/0", "11/1", "12", "14", "17", "8/0", "8/1"],
  "8",
  "0",
  "3",
  "3/4",
  "11",
  "13",
  "echo-request",
  "destination-unreachable",
  "255",
);
const flags = row(not, "--tcp-flags", list(FLAGS), any(list(FLAGS, 2), one("NONE")));

/** What `-p` says, with the tests of that protocol. */
export const TCP: AnyWords = row(
  "-p tcp",
  maybe(row("-m tcp", any(row(not, "--dport", ports), row(not, "--sport", ports)))),
  maybe(any(row("-m tcp", not, "--syn"), row("-m tcp", flags)), 3),
  maybe(row("-m tcp", not, "--tcp-option", one("2", "3", "4", "8")), 9),
);
export const UDP: AnyWords = row(
  "-p udp",
  maybe(row("-m udp", any(row(not, "--dport", ports), row(not, "--sport", ports)))),
);
const ICMP: AnyWords = row("-p icmp", maybe(row("-m icmp", not, "--icmp-type", icmpType)));
const MULTIPORT: AnyWords = row(
  one("-p tcp", "-p tcp", "-p udp", "-p udp", "-p udplite", "-p sctp"),
  "-m multiport",
  not,
  one("--sports", "--dports", "--ports"),
  portList,
);
const OTHER: AnyWords = any(
  row(not, "-p", one("253", "esp", "igmp", "gre", "udplite", "sctp", "tcp", "udp", "icmp")),
  row("-p", one("tcp", "udp"), "--dport", port),
);
export const protocol: AnyWords = some(
  [6, one("")],
  [3, TCP],
  [3, UDP],
  [3, ICMP],
  [2, MULTIPORT],
  [1, OTHER],
);

/** Where rules of a chain may come to stand, which some tests ask. */
export interface Place {
  /** The built-in chain's name; `null` for a chain of the user's. */
  readonly chain: string | null;
}

/** Everything of a rule but its target and what the target asks of the protocol. */
export function tests({ chain }: Place): AnyWords {
  const isIncoming = chain === "PREROUTING" || chain === "INPUT";
  const isOutgoing = chain === "OUTPUT" || chain === "POSTROUTING";
  const knowsSender = isIncoming || chain === "FORWARD";
  return row(
    maybe(row(not, "-s", some([3, block], [1, address])), 2),
    maybe(row(not, "-d", some([3, block], [1, address])), 2),
    isOutgoing ? "" : maybe(row(not, "-i", device), 3),
    isIncoming ? "" : maybe(row(not, "-o", device), 3),
    maybe(row(not, "-f"), 19),
    maybe(EVERYWHERE),
    maybe(EVERYWHERE, 5),
    isOutgoing || chain === null ? "" : maybe(limitedType("in"), 19),
    isIncoming || chain === null ? "" : maybe(limitedType("out"), 19),
    chain === "FORWARD" || chain === "POSTROUTING" ? maybe(leavingPhysical, 19) : "",
    maybe(STATEFUL, 3),
    knowsSender ? maybe(row("-m mac", not, "--mac-source", MAC_NEIGHBOR), 19) : "",
  );
}
