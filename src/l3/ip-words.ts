/**
 * Addresses and routes in the words of iproute2: what stands after `ip addr add` and `ip route add`
 * (iproute2, ip/ipaddress.c and ip/iproute.c).
 * @module
 */
import { ParseError } from "../base/errors.ts";
import {
  type Ipv4Addr,
  ipv4Of,
  maskOf,
  parseInterfaceAddress,
  parseIpv4,
  parsePrefix,
} from "../wire/addr.ts";
import type { InterfaceAddress } from "./interface.ts";
import { type Route, RouteKind, type RouteScope } from "./route-table.ts";

/** A route as words give it: its device by name, and whatever they leave out absent. */
export interface RouteWords extends Partial<Pick<Route, "scope" | "origin">> {
  readonly kind: RouteKind;
  readonly prefix: Route["prefix"];
  /** `null` if the words name none. */
  readonly dev: string | null;
  readonly gateway: Ipv4Addr | null;
  readonly source: Ipv4Addr | null;
  readonly metric: number;
  readonly mtu: number | null;
  readonly isMtuLocked: boolean;
  readonly isOnLink: boolean;
}

const KINDS: ReadonlyMap<string, RouteKind> = new Map([
  ["unicast", RouteKind.Unicast],
  ["unreachable", RouteKind.Unreachable],
  ["prohibit", RouteKind.Prohibit],
  ["blackhole", RouteKind.Blackhole],
]);
const SCOPES: readonly RouteScope[] = ["global", "link", "host"];
const ORIGINS: readonly Route["origin"][] = ["kernel", "boot", "static"];
const MOST = 2 ** 32 - 1;

/**
 * Read "10.1.0.1/24 brd +" or "10.1.0.1/24 brd 10.1.0.255": without `brd`, no broadcast address.
 * @throws {ParseError} with the word that is wrong or not known here.
 */
export function parseAddressWords(words: string): InterfaceAddress {
  const line = new Line(words);
  const { address, length } = parseInterfaceAddress(line.take("an address"));
  let broadcast: Ipv4Addr | null = null;
  for (let key = line.next(); key !== null; key = line.next()) {
    if (key === "brd" || key === "broadcast") {
      broadcast = broadcastOf(line.take("a broadcast address"), address, length);
    } else if (key !== "scope" || line.take("a scope") !== "global") {
      refuse(line.last, `expected "brd" after an address, got "${line.last}"`);
    }
  }
  return { address, length, broadcast };
}

/** `+` stands for a network's last address, `-` for its first. */
function broadcastOf(word: string, address: Ipv4Addr, length: number): Ipv4Addr {
  if (word === "+") return ipv4Of(address | ~maskOf(length));
  return word === "-" ? ipv4Of(address & maskOf(length)) : parseIpv4(word);
}

/**
 * Read "192.0.2.0/24 via 10.1.0.2 dev e0 src 10.1.0.1 metric 5", "unreachable 10.0.0.0/8".
 * @throws {ParseError} with the word that is wrong or not known here.
 */
export function parseRouteWords(words: string): RouteWords {
  const route = parseRouteChoice(words);
  checkHop(route, words);
  return route;
}

/**
 * What stands after `ip route del`: as {@link parseRouteWords}, but gateway and device may be left
 * out.
 * @throws {ParseError} with the word that is wrong or not known here.
 */
export function parseRouteChoice(words: string): RouteWords {
  const line = new Line(words);
  const first = line.take("a route");
  const kind = KINDS.get(first);
  const destination = kind === undefined ? first : line.take("a prefix");
  const route: Writable<RouteWords> = {
    kind: kind ?? RouteKind.Unicast,
    prefix: parsePrefix(destination === "default" ? "0.0.0.0/0" : destination),
    dev: null,
    gateway: null,
    source: null,
    metric: 0,
    mtu: null,
    isMtuLocked: false,
    isOnLink: false,
  };
  for (let key = line.next(); key !== null; key = line.next()) readOption(route, key, line);
  return route;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

function readOption(route: Writable<RouteWords>, key: string, line: Line): void {
  switch (key) {
    case "via":
      route.gateway = parseIpv4(line.take("a gateway"));
      break;
    case "dev":
      route.dev = line.take("a device");
      break;
    case "src":
      route.source = parseIpv4(line.take("a source address"));
      break;
    case "metric":
    case "preference":
    case "priority":
      route.metric = line.takeNumber(0, MOST);
      break;
    case "mtu":
      route.isMtuLocked = line.takeIf("lock");
      route.mtu = line.takeNumber(1, MOST);
      break;
    case "scope":
      route.scope = line.takeOneOf(SCOPES);
      break;
    case "proto":
    case "protocol":
      route.origin = line.takeOneOf(ORIGINS);
      break;
    case "onlink":
      route.isOnLink = true;
      break;
    default:
      refuse(key, `"${key}" of a route is not known; expected ${OPTIONS.join(", ")}`);
  }
}

const OPTIONS = ["via", "dev", "src", "metric", "mtu", "scope", "proto", "onlink"];

/** What the kernel refuses whatever the other routes are (`fib_create_info`). */
function checkHop({ kind, dev, gateway, scope, isOnLink }: RouteWords, words: string): void {
  const hasHop = dev !== null || gateway !== null;
  if (kind !== RouteKind.Unicast) {
    if (hasHop) refuse(words, "a route that sends nothing has no gateway and no device");
  } else if (!hasHop) refuse(words, "a route needs a gateway (via) or a device (dev)");
  const isDirect = gateway === null && scope !== "host";
  if (isOnLink && (dev === null || isDirect)) {
    refuse("onlink", "onlink goes with a gateway (via) and a device (dev)");
  }
}

/** Words, one after the other. */
class Line {
  /** The word that was taken last. */
  last = "";
  readonly #words: string[];

  constructor(text: string) {
    this.#words = text.split(/\s+/).filter((word) => word !== "");
  }

  next(): string | null {
    const word = this.#words.shift() ?? null;
    if (word !== null) this.last = word;
    return word;
  }

  take(what: string): string {
    const before = this.last === "" ? "" : ` after "${this.last}"`;
    return this.next() ?? refuse(this.last, `expected ${what}${before}`);
  }

  takeIf(word: string): boolean {
    if (this.#words[0] !== word) return false;
    this.next();
    return true;
  }

  takeNumber(least: number, most: number): number {
    const word = this.take("a number");
    const value = /^\d+$/.test(word) ? Number(word) : Number.NaN;
    if (value >= least && value <= most) return value;
    return refuse(word, `expected a number from ${least} to ${most}, got "${word}"`);
  }

  takeOneOf<T extends string>(known: readonly T[]): T {
    const word = this.take(`one of ${known.join(", ")}`);
    const found = known.find((one) => one === word);
    return found ?? refuse(word, `expected one of ${known.join(", ")}, got "${word}"`);
  }
}

function refuse(word: string, message: string): never {
  throw new ParseError("ip-words", word, message);
}
