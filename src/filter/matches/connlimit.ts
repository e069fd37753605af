/**
 * `-m connlimit`: how many connections an address or a network has (Linux
 * `net/netfilter/xt_connlimit.c`, `nf_conncount.c`).
 * @module
 */
import type { Jiffies } from "../../base/jiffies.ts";
import type { Instant } from "../../base/time.ts";
import type { Packet } from "../../wire/packet.ts";
import { ConnectionFacts, type Connections } from "../../l3/connections.ts";
import type { HookContext } from "../../l3/hooks.ts";
import { IPV4 } from "../../l3/ipv4.ts";
import { maskOf } from "../../wire/addr.ts";
import { RuleError } from "../errors.ts";
import { judge, type Matcher, type MatchKind, MatchResult, newMatch } from "../match.ts";
import { option, type Options, printOption } from "../options.ts";
import { MAX_UINT, parseNumber, parsePrefixLength } from "../values.ts";
import { ConnectionList } from "./connection-list.ts";

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
  /** Lists, and connections in all of them. */
  #count = 0;
  /** The count at which all are looked at; twice what was left, so that it is seldom. */
  #bound: number;

  constructor(connections: Connections, jiffies: Jiffies, test: LimitTest) {
    this.#connections = connections;
    this.#jiffies = jiffies;
    this.#test = test;
    this.#mask = maskOf(test.prefixLength);
    this.#bound = 2 * connections.limit;
  }

  matches(packet: Packet, { now }: HookContext): MatchResult {
    if (!this.#connections.identify(packet, now, this.#facts)) return MatchResult.Malformed;
    const { view } = packet.pool;
    const field = this.#test.isDestination ? IPV4.dst : IPV4.src;
    const connections = this.#meet(field.get(view, packet.network) & this.#mask, now);
    if (this.#count > this.#bound) this.#sweep(now);
    // Linux 6.18: that there are none looks like a lack of memory.
    if (connections === 0) return MatchResult.Malformed;
    return judge(connections > this.#test.limit, this.#test.isInverted);
  }

  /** A packet of the address or network `key` is here. @returns how many connections that has. */
  #meet(key: number, now: Instant): number {
    const tick = this.#jiffies.ticks(now);
    const list = this.#lists.get(key);
    if (list === undefined) {
      this.#lists.set(key, new ConnectionList(this.#facts, tick));
      this.#count += 2;
      return 1;
    }
    const before = list.count;
    list.meet(this.#facts, this.#connections, tick, now);
    this.#count += list.count - before;
    return list.count;
  }

  /** What is listed of addresses that nobody uses any more goes: open connections always fit. */
  #sweep(now: Instant): void {
    this.#count = 0;
    for (const [key, list] of this.#lists) {
      list.sweep(this.#connections, this.#jiffies.ticks(now), now);
      if (list.count === 0) this.#lists.delete(key);
      else this.#count += 1 + list.count;
    }
    this.#bound = 2 * Math.max(this.#connections.limit, this.#count);
  }
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
