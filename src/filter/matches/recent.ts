/**
 * `-m recent`: addresses that were seen lately (Linux `recent_mt` of net/netfilter/xt_recent.c, as
 * of 3.19: a list keeps as many times as its rules ask for).
 * @module
 */
import type { Jiffies } from "../../base/jiffies.ts";
import { formatIpv4, ipv4Of, parseIpv4 } from "../../wire/addr.ts";
import type { Packet } from "../../wire/packet.ts";
import type { HookContext } from "../../l3/hooks.ts";
import { IPV4 } from "../../l3/ipv4.ts";
import { refuse } from "../errors.ts";
import { judge, type Matcher, type MatchKind, type MatchResult, newMatch } from "../match.ts";
import { option, type Options, printOption } from "../options.ts";
import { RecentList, type RecentEntry } from "../recent-list.ts";
import { MAX_UINT, parseListName, parseNumber } from "../values.ts";

const OPERATIONS = ["set", "rcheck", "update", "remove"] as const;
const SIDES = ["rsource", "rdest"] as const;
const DEFAULT_NAME = "DEFAULT";
/** Characters of a name that the kernel keeps. */
const MAX_NAME = 199;
/** Times that an address keeps if no rule counts hits. */
const DEFAULT_DEPTH = 32;
const MAX_HITS = 65_535;
/** `iptables-save` prints more as if it were negative. */
const MAX_SECONDS = 0x7fff_ffff;

/** What a rule asks, or does. */
interface RecentTest {
  readonly operation: (typeof OPERATIONS)[number];
  readonly isInverted: boolean;
  readonly name: string;
  readonly mask: number;
  readonly isDestination: boolean;
  /** 0 for any time. */
  readonly seconds: number;
  /** 0 is like 1. */
  readonly hits: number;
  readonly asksTtl: boolean;
  readonly reaps: boolean;
}

class RecentMatcher implements Matcher {
  readonly #list: RecentList;
  readonly #jiffies: Jiffies;
  readonly #test: RecentTest;
  /** How long ago a packet may have come, in ticks of 32 bits. */
  readonly #span: number;

  constructor(list: RecentList, jiffies: Jiffies, test: RecentTest) {
    this.#list = list;
    this.#jiffies = jiffies;
    this.#test = test;
    this.#span = Math.imul(test.seconds, jiffies.hz) >>> 0;
  }

  matches(packet: Packet, { output, now }: HookContext): MatchResult {
    const { operation, isInverted, asksTtl, isDestination } = this.#test;
    const { view } = packet.pool;
    const list = this.#list;
    const field = isDestination ? IPV4.dst : IPV4.src;
    const address = field.get(view, packet.network) & list.mask;
    // The TTL as it came in: forwarding has taken one from it.
    const isForwarded = output !== null && packet.input !== null;
    const ttl = (IPV4.ttl.get(view, packet.network) + (isForwarded ? 1 : 0)) & 255;
    const tick = this.#jiffies.ticks(now);
    const entry = list.find(address, asksTtl ? ttl : 0);
    if (entry === null) {
      if (operation === "set") list.add(address, ttl, tick);
      return judge(operation === "set", isInverted);
    }
    if (operation === "set") list.touch(entry, ttl, tick);
    else if (operation === "remove") list.remove(entry);
    else return this.#check(entry, ttl, tick);
    return judge(true, isInverted);
  }

  /** `rcheck` and `update`; what updates is the answer, the `!` before it included. */
  #check(entry: RecentEntry, ttl: number, tick: number): MatchResult {
    const { operation, isInverted, reaps } = this.#test;
    const isYes = this.#hasHits(entry, tick) !== isInverted;
    const isUpdated = operation === "update" && isYes;
    if (reaps) this.#list.reap(tick - this.#span, isUpdated ? entry : null);
    if (isUpdated) this.#list.touch(entry, ttl, tick);
    return judge(isYes, false);
  }

  #hasHits({ stamps }: RecentEntry, tick: number): boolean {
    const { seconds, hits } = this.#test;
    let counted = 0;
    for (const stamp of stamps) {
      if (seconds !== 0 && tick - this.#span > stamp) continue;
      counted += 1;
      if (counted >= hits) return true;
    }
    return false;
  }
}

/** One list for all rules that name it; the first of them gives its mask. */
export const recent: MatchKind = {
  name: "recent",
  protocol: null,
  options: [
    ...OPERATIONS.map((name) => option(name, { operands: 0, isInvertible: true })),
    option("seconds"),
    option("reap", { operands: 0 }),
    option("hitcount"),
    option("rttl", { operands: 0 }),
    option("name"),
    ...SIDES.map((name) => option(name, { operands: 0 })),
    option("mask"),
  ],
  parse(given) {
    const test = readTest(given);
    const listName = `recent/${test.name}`;
    return newMatch({
      name: "recent",
      text: printTest(test),
      listName,
      bind({ lists: { recents }, jiffies }) {
        const depth = test.hits === 0 ? DEFAULT_DEPTH : 2 ** Math.ceil(Math.log2(test.hits));
        const list = recents.get(listName, () => new RecentList(test.mask, depth));
        list.deepen(depth);
        return new RecentMatcher(list, jiffies, test);
      },
    });
  },
};

function readTest(given: Options): RecentTest {
  const [operation, { isInverted }] = given.only(OPERATIONS);
  if (operation === "set" || operation === "remove") {
    const extra = ["seconds", "reap", "hitcount", "rttl"].find((name) => given.has(name));
    if (extra !== undefined) refuse(`--${extra}`, `recent: --${operation} knows no --${extra}`);
  }
  if (given.has("reap") && !given.has("seconds")) refuse("--reap", "--reap needs --seconds");
  const isSided = SIDES.some((name) => given.has(name));
  const seconds = given.find("seconds");
  const mask = given.find("mask");
  return {
    operation,
    isInverted,
    name: parseListName(given.find("name")?.word ?? DEFAULT_NAME, MAX_NAME),
    mask: mask === null ? MAX_UINT : parseIpv4(mask.word),
    isDestination: isSided && given.only(SIDES)[0] === "rdest",
    seconds: seconds === null ? 0 : parseNumber(seconds.word, 1, MAX_SECONDS, "seconds"),
    hits: parseNumber(given.find("hitcount")?.word ?? "0", 0, MAX_HITS, "a number of hits"),
    asksTtl: given.has("rttl"),
    reaps: given.has("reap"),
  };
}

function printTest(test: RecentTest): string {
  const { operation, isInverted, seconds, hits, reaps, asksTtl, name, mask, isDestination } = test;
  return [
    `${isInverted ? " !" : ""} --${operation}`,
    seconds === 0 ? "" : printOption("seconds", seconds),
    reaps ? " --reap" : "",
    hits === 0 ? "" : printOption("hitcount", hits),
    asksTtl ? " --rttl" : "",
    printOption("name", name),
    printOption("mask", formatIpv4(ipv4Of(mask))),
    isDestination ? " --rdest" : " --rsource",
  ].join("");
}
