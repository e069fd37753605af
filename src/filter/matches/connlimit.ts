/**
 * `-m connlimit`: how many connections an address or a network has (Linux
 * `net/netfilter/xt_connlimit.c`, `nf_conncount.c`).
 * @module
 */
import type { Jiffies } from "../../base/jiffies.ts";
import type { Packet } from "../../wire/packet.ts";
import { ConnectionFacts, type Connections, ConnectionStatus } from "../../l3/connections.ts";
import type { HookContext } from "../../l3/hooks.ts";
import { ICMP_LENGTH } from "../../l3/icmp.ts";
import { IPV4, Protocol } from "../../l3/ipv4.ts";
import { maskOf } from "../../wire/addr.ts";
import { RuleError } from "../errors.ts";
import { judge, type Matcher, type MatchKind, MatchResult, newMatch } from "../match.ts";
import { option, type Options, printOption } from "../options.ts";
import { MAX_UINT, parseNumber, parsePrefixLength } from "../values.ts";
import { ConnectionList } from "./connection-list.ts";

/** Octets with the ports of TCP and UDP. */
const PORTS_LENGTH = 4;

/** What a rule asks. */
interface LimitTest {
  readonly limit: number;
  /** True for `--connlimit-upto`. */
  readonly isInverted: boolean;
  readonly prefixLength: number;
  readonly isDestination: boolean;
}

class ConnectionLimitMatcher implements Matcher {
  readonly #connections: Connections;
  readonly #jiffies: Jiffies;
  readonly #test: LimitTest;
  readonly #mask: number;
  readonly #facts = new ConnectionFacts();
  readonly #lists = new Map<number, ConnectionList>();
  /** Of all lists. */
  #count = 0;

  constructor(connections: Connections, jiffies: Jiffies, test: LimitTest) {
    this.#connections = connections;
    this.#jiffies = jiffies;
    this.#test = test;
    this.#mask = maskOf(test.prefixLength);
  }

  matches(packet: Packet, { now }: HookContext): MatchResult {
    const isKnown = this.#connections.read(packet, now, this.#facts);
    if (!isKnown && !hasTuple(packet)) return MatchResult.Malformed;
    const { view } = packet.pool;
    const field = this.#test.isDestination ? IPV4.dst : IPV4.src;
    const list = this.#listOf(field.get(view, packet.network) & this.#mask);
    const isConfirmed = isKnown && (this.#facts.status & ConnectionStatus.Confirmed) !== 0;
    const before = list.count;
    list.add(isKnown ? packet.flow : -1, isConfirmed, this.#connections, now);
    this.#count += list.count - before;
    if (this.#count > this.#connections.limit) this.#sweep(now);
    return judge(list.count > this.#test.limit, this.#test.isInverted);
  }

  #listOf(key: number): ConnectionList {
    const found = this.#lists.get(key);
    if (found !== undefined) return found;
    const list = new ConnectionList(this.#jiffies);
    this.#lists.set(key, list);
    return list;
  }

  /** What is listed for addresses that nobody uses any more goes: the open ones always fit. */
  #sweep(now: number): void {
    this.#count = 0;
    for (const [key, list] of this.#lists) {
      list.sweep(this.#connections, now);
      this.#count += list.count;
      if (list.count === 0) this.#lists.delete(key);
    }
  }
}

/** True if a packet of no connection has what would tell it from others. */
function hasTuple({ pool: { view }, network, transport, end }: Packet): boolean {
  if (IPV4.fragmentOffset.get(view, network) !== 0) return false;
  const protocol = IPV4.protocol.get(view, network);
  if (protocol === Protocol.Icmp) return end - transport >= ICMP_LENGTH;
  const hasPorts = protocol === Protocol.Tcp || protocol === Protocol.Udp;
  return !hasPorts || end - transport >= PORTS_LENGTH;
}

/**
 * Needs {@link Connections}. A rule counts the connections whose packets it has met; it goes on
 * counting while other rules change, where the kernel begins anew.
 */
export const connlimit: MatchKind = {
  name: "connlimit",
  protocol: null,
  options: [
    option("connlimit-upto", { isInvertible: true }),
    option("connlimit-above", { isInvertible: true }),
    option("connlimit-mask"),
    option("connlimit-saddr", { operands: 0 }),
    option("connlimit-daddr", { operands: 0 }),
  ],
  parse(given) {
    const test = readTest(given);
    return newMatch({
      name: "connlimit",
      text: [
        printOption(test.isInverted ? "connlimit-upto" : "connlimit-above", test.limit),
        printOption("connlimit-mask", test.prefixLength),
        test.isDestination ? " --connlimit-daddr" : " --connlimit-saddr",
      ].join(""),
      usesConntrack: true,
      bind({ connections, jiffies }) {
        if (connections !== null) return new ConnectionLimitMatcher(connections, jiffies, test);
        throw new RuleError("rule-service", "connlimit", "nobody here knows connections");
      },
    });
  },
};

function readTest(given: Options): LimitTest {
  const [name, { word, isInverted }] = given.only(["connlimit-upto", "connlimit-above"]);
  const side = ["connlimit-saddr", "connlimit-daddr"] as const;
  const isSided = side.some((one) => given.has(one));
  return {
    limit: parseNumber(word, 0, MAX_UINT, "a number of connections"),
    isInverted: (name === "connlimit-upto") !== isInverted,
    prefixLength: parsePrefixLength(given.find("connlimit-mask")?.word ?? "32"),
    isDestination: isSided && given.only(side)[0] === "connlimit-daddr",
  };
}
