/** Packets of a few connections in any order, and rules that ask about them. */
import fc from "fast-check";
import { sealHeader } from "../../src/l3/ipv4.ts";
import { viewOf } from "../../src/wire/field.ts";
import { type Ends, query, tcp, turned, udp } from "../nat/packets.ts";
import { any, maybe, not, one, type Text, words } from "./texts.ts";

/** A packet, where it comes in, and how long after the one before it, in microseconds. */
export interface Step {
  readonly from: string;
  readonly packet: Uint8Array;
  readonly wait: number;
}

/** A connection: what its first sender sends, and what comes back. */
interface Flow {
  readonly protocol: "tcp" | "udp" | "icmp";
  readonly from: "in0" | "out0";
  readonly ends: Ends;
  /** Of the answers, as they reach the router. */
  readonly back: Ends;
}

const ends = (src: string, srcPort: number, dst: string, dstPort: number): Ends => ({
  ...{ src, srcPort, dst, dstPort },
});
const mapped = (way: Ends): Ends => ({ ...turned(way), dst: "192.0.2.100" });

const FIRST = ends("10.0.0.1", 4000, "8.8.8.8", 53);
const SECOND = ends("10.0.0.2", 4000, "8.8.8.8", 53);
const THIRD = ends("10.0.0.1", 4001, "8.8.8.8", 80);
const FOURTH = ends("10.0.0.2", 4001, "9.9.9.9", 80);
const PING = ends("10.0.0.1", 7, "9.9.9.9", 0);
/** To the router itself, and to all: no host answers. */
const OWN = ends("8.8.8.8", 5003, "192.0.2.254", 9);
const ALL = ends("10.0.0.1", 5004, "10.0.0.255", 9);
const OTHER = ends("10.0.0.2", 5005, "192.0.2.254", 9);
const INWARD = ends("8.8.8.8", 5000, "192.0.2.100", 7000);
const LOGIN = ends("9.9.9.9", 5001, "10.0.0.2", 22);
const FLOWS: readonly Flow[] = [
  { protocol: "udp", from: "in0", ends: FIRST, back: mapped(FIRST) },
  { protocol: "udp", from: "in0", ends: SECOND, back: turned(SECOND) },
  { protocol: "tcp", from: "in0", ends: THIRD, back: mapped(THIRD) },
  { protocol: "tcp", from: "in0", ends: FOURTH, back: turned(FOURTH) },
  { protocol: "icmp", from: "in0", ends: PING, back: { ...mapped(PING), srcPort: 7 } },
  { protocol: "udp", from: "out0", ends: INWARD, back: ends("10.0.0.2", 53, "8.8.8.8", 5000) },
  { protocol: "tcp", from: "out0", ends: LOGIN, back: turned(LOGIN) },
  { protocol: "udp", from: "out0", ends: OWN, back: OWN },
  { protocol: "udp", from: "in0", ends: ALL, back: ALL },
  { protocol: "udp", from: "in0", ends: OTHER, back: OTHER },
];

/** Turns of a TCP connection: whose, and what. */
const TURNS = [
  [false, { flags: "S", seq: 1000 }],
  [true, { flags: "SA", seq: 5000, ack: 1001 }],
  [false, { flags: "A", seq: 1001, ack: 5001 }],
  [false, { flags: "FA", seq: 1001, ack: 5001 }],
  [true, { flags: "FA", seq: 5001, ack: 1002 }],
  [false, { flags: "A", seq: 1002, ack: 5002 }],
  [true, { flags: "R", seq: 5001 }],
] as const;

function packetOf(flow: Flow, turn: (typeof TURNS)[number], size: number): [boolean, Uint8Array] {
  const [isBack, segment] = turn;
  const way = isBack ? flow.back : flow.ends;
  const data = new Uint8Array(size);
  if (flow.protocol === "tcp") return [isBack, tcp(way, segment)];
  if (flow.protocol === "udp") return [isBack, udp(way, data)];
  return [isBack, query(way, isBack ? 0 : 8, data)];
}

/** Most come at once; a few after more than the time that rules speak of. */
const wait = fc.oneof(
  { weight: 30, arbitrary: fc.constantFrom(0, 0, 0, 0, 8_000, 20_000, 60_000, 130_000) },
  { weight: 3, arbitrary: fc.constant(300_000) },
  { weight: 1, arbitrary: fc.constant(1_050_000) },
);

/** A packet of `flow` in its turn. */
function stepOf(flow: Flow, turn: (typeof TURNS)[number], size: number, ttl: number) {
  const [isBack, packet] = packetOf(flow, turn, size);
  packet[8] = ttl;
  sealHeader(viewOf(packet), 0);
  const away = flow.from === "in0" ? "out0" : "in0";
  return { from: isBack ? away : flow.from, packet };
}

const step: fc.Arbitrary<Step> = fc
  .record({
    flow: fc.constantFrom(...FLOWS),
    turn: fc.constantFrom(...TURNS),
    size: fc.constantFrom(0, 8, 400),
    ttl: fc.constantFrom(64, 64, 64, 60),
    wait,
  })
  .map(({ flow, turn, size, ttl, wait: pause }) => ({
    ...stepOf(flow, turn, size, ttl),
    wait: pause,
  }));

/** Packets in a row. */
export const steps = fc.array(step, { minLength: 5, maxLength: 25, size: "max" });

/** TCP connections from beginning to end, mixed, and datagrams among them. */
export const conversations = fc
  .array(
    fc.constantFrom(...FLOWS.filter(({ protocol }) => protocol === "tcp"), ...FLOWS.slice(0, 1)),
    {
      ...{ minLength: 10, maxLength: 25, size: "max" },
    },
  )
  .map((flows) =>
    flows.flatMap((flow, at): Step[] => {
      const before = flows.slice(0, at).filter((earlier) => earlier === flow).length;
      const turn = TURNS[before % TURNS.length];
      return turn === undefined ? [] : [{ ...stepOf(flow, turn, 0, 64), wait: 0 }];
    }),
  );

const address = one("10.0.0.1", "10.0.0.0/24", "8.8.8.8", "9.9.9.9", "192.0.2.100", "0.0.0.0/0");
const port = one("4000", "4001", "53", "80", "22", "7000", "4000:4001", "7", ":100", "2048");
const CONNECTION: Text = words(
  "-m conntrack",
  any(
    words(not, "--ctstate", one("NEW", "ESTABLISHED", "INVALID", "SNAT", "DNAT", "NEW,DNAT")),
    words(not, "--ctproto", one("tcp", "udp", "icmp", "0")),
    words(not, one("--ctorigsrc", "--ctorigdst", "--ctreplsrc", "--ctrepldst"), address),
    words(
      not,
      one("--ctorigsrcport", "--ctorigdstport", "--ctreplsrcport", "--ctrepldstport"),
      port,
    ),
    words(not, "--ctstatus", one("NONE", "SEEN_REPLY", "ASSURED", "CONFIRMED", "EXPECTED")),
    words(not, "--ctexpire", one("0", "1:30", "31:120", "121:", "118:119", "10", "29:30")),
  ),
  maybe(words("--ctdir", one("ORIGINAL", "REPLY"))),
  maybe(words("--ctstate", one("NEW", "ESTABLISHED", "INVALID,NEW"))),
).filter((text) => text.split("--ctstate").length < 3);
export const CONNLIMIT: Text = words(
  "-m connlimit",
  one("--connlimit-upto", "--connlimit-above"),
  one("0", "1", "2", "3"),
  maybe(words("--connlimit-mask", one("0", "24", "32"))),
  one("", "--connlimit-daddr"),
);
/** `-m recent`: two lists. The first rule that names one says its mask. */
export const RECENT: Text = words(
  "-m recent",
  any(
    words(not, one("--set", "--remove")),
    words(
      not,
      one("--rcheck", "--update"),
      maybe(words("--seconds 1", one("", "--reap"))),
      maybe(words("--hitcount", one("1", "2", "3", "5"))),
      one("", "--rttl"),
    ),
  ),
  "--name",
  one("a", "b"),
  one("", "--rdest", "--mask 255.255.255.0"),
);
const modes = maybe(words("--hashlimit-mode", one("srcip", "dstip,dstport", "srcip,srcport")));
const side = one("--hashlimit-upto", "--hashlimit-above");
const rest = words(
  modes,
  maybe(words("--hashlimit-srcmask 24")),
  "--hashlimit-htable-expire 600000",
);
/** `-m hashlimit`: tables whose names are alike count alike; the first rule says how. */
export const HASHLIMIT: Text = any(
  words(
    words("-m hashlimit", side, one("10/s", "5/s", "100/min")),
    words("--hashlimit-name", one("p", "q"), "--hashlimit-burst", one("1", "2", "4")),
    rest,
  ),
  words(
    words("-m hashlimit", side, one("160b/s", "1000b/s", "3kb/s --hashlimit-burst 6kb")),
    words("--hashlimit-name", one("o", "r")),
    rest,
  ),
  words(
    words("-m hashlimit --hashlimit-rate-match", side),
    any(
      words(one("2/s", "120/m --hashlimit-rate-interval 1"), "--hashlimit-burst 1"),
      one("64b/s", "200b/s").map((rate) => `${rate} --hashlimit-burst 1kb`),
    ).chain((text) =>
      one(/b\/s/.test(text) ? "y" : "x").map((name) => `${text} --hashlimit-name ${name}`),
    ),
    rest,
  ),
);
/** Rules in FORWARD know both devices, those before it the first. */
const ADDRESS_TYPE: Text = words(
  "-m addrtype",
  any(
    words(not, "--dst-type", one("LOCAL", "UNICAST", "BROADCAST,LOCAL", "MULTICAST")),
    words(not, "--src-type", one("LOCAL", "UNICAST", "UNREACHABLE")),
  ),
  one("", "", "--limit-iface-in"),
);
const MATCH: Text = any(
  ADDRESS_TYPE,
  CONNECTION,
  CONNECTION,
  CONNLIMIT,
  RECENT,
  RECENT,
  HASHLIMIT,
  HASHLIMIT,
  words("-m limit --limit", one("10/s", "5/s", "1/s"), "--limit-burst", one("1", "2", "3")),
  words("-m connmark", not, "--mark", one("0", "1", "0x1/0xf", "0x30/0xf0")),
  words("-m mark", not, "--mark", one("0", "1", "0x1/0xf")),
  one("-p udp", "-p tcp --syn", "-s 10.0.0.1", "-i in0"),
);
const CHANGE: Text = any(
  words("-j CONNMARK", one("--set-mark 1", "--set-xmark 0x30/0xf0", "--or-mark 2", "--xor-mark 3")),
  words(
    "-j CONNMARK",
    one("--save-mark", "--restore-mark", "--save-mark --nfmask 0xf --ctmask 0xff"),
    one("", "--left-shift-mark 1", "--right-shift-mark 2"),
  ),
  words("-j MARK", one("--set-mark 1", "--or-mark 0x10", "--set-mark 0x22")),
);
const VERDICT = one("", "", "", "", "-j RETURN", "-j ACCEPT", "-j DROP");

const rule = (chain: string, match: Text, deed: Text): Text =>
  words("-A", chain, match, maybe(match), deed).filter(
    // Options of one match that is loaded twice in a row would be given to the last.
    (text) => !/-m (\S+) .*-m \1 /.test(text) && !/( -[pis] ).*\1/.test(text),
  );
const UNTRACKED = any(RECENT, HASHLIMIT, one("-p udp", "-s 10.0.0.2", "-i out0"));
const CHAINS = ["PREROUTING", "FORWARD", "POSTROUTING"];
const chainOf = (line: string): number => CHAINS.indexOf(line.split(" ")[1] ?? "");
/** In the order of the chains: the first rule says what a list is that many name. */
const table = (name: string, ...rules: readonly Text[]): Text =>
  fc.array(any(...rules), { maxLength: 7, size: "max" }).map((lines) => {
    const sorted = lines.toSorted((left, right) => chainOf(left) - chainOf(right));
    return [`*${name}`, ...sorted, "COMMIT", ""].join("\n");
  });

/** Rules of all tables but nat; some drop, some do not track. The router itself answers nothing. */
export const ruleTables: Text = fc
  .tuple(
    table("raw", rule("PREROUTING", UNTRACKED, one("", "", "", "-j NOTRACK", "-j CT --notrack"))),
    table(
      "mangle",
      rule("PREROUTING", MATCH, any(CHANGE, VERDICT)),
      rule("FORWARD", MATCH, any(CHANGE, VERDICT)),
      rule(
        "POSTROUTING",
        MATCH.filter((text) => !/-i |-in/.test(text)),
        CHANGE,
      ),
    ),
    table("filter", rule("FORWARD", MATCH, any(CHANGE, VERDICT, VERDICT))),
  )
  .map((all) => all.join("").replace("*filter\n", "*filter\n-A INPUT -j DROP\n"));

/** Rules that count connections, whoever else looks at them. */
export const limitTables: Text = table(
  "mangle",
  rule("PREROUTING", CONNLIMIT, one("", "", "-j DROP", "-j MARK --set-mark 1")),
  rule("FORWARD", any(CONNLIMIT, words("-m mark --mark 0", CONNLIMIT)), VERDICT),
  rule("POSTROUTING", words(one("-p tcp", "-p udp", ""), CONNLIMIT), one("")),
).map((text) => `*raw\nCOMMIT\n${text}*filter\n-A INPUT -j DROP\nCOMMIT\n`);
