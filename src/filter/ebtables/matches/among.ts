/**
 * `--among-src`, `--among-dst`: one of a list of stations, each with an IPv4 address if the list
 * says so. As `ebtables-nft` makes it of sets: a list with an IPv4 address is about IPv4 alone.
 * @module
 */
import { formatIpv4, type Ipv4Addr, type Mac, parseIpv4 } from "../../../wire/addr.ts";
import type { Packet } from "../../../wire/packet.ts";
import { ETHERNET, EtherType } from "../../../l2/ethernet.ts";
import { IPV4 } from "../../../l3/ipv4.ts";
import { refuse } from "../../errors.ts";
import { option } from "../../options.ts";
import { parseLooseMac } from "../addresses.ts";
import { type Asked, ask, print } from "../asked.ts";
import { payloadAt, payloadType } from "../frame.ts";
import type { FrameMatcher, FrameMatchKind } from "../frame-match.ts";

/** A station; any address of IPv4 if `ip` is `null`. */
interface Pair {
  readonly mac: Mac;
  readonly ip: Ipv4Addr | null;
}

const HIGH = 2 ** 32;

/** Looks up pairs by the lower 32 bits of the station's address. */
class PairSet {
  readonly hasIp: boolean;
  readonly #isInverted: boolean;
  readonly #pairs = new Map<number, Pair[]>();

  constructor({ value, isInverted }: Asked<readonly Pair[]>) {
    this.#isInverted = isInverted;
    this.hasIp = value.some(({ ip }) => ip !== null);
    for (const pair of value) {
      const low = (pair.mac % HIGH) | 0;
      this.#pairs.set(low, [...(this.#pairs.get(low) ?? []), pair]);
    }
  }

  /**
   * @param at of the station's address; @param ipAt of its IPv4 address, if one is asked for.
   * @returns false as well, inverted or not, if the frame ends before that.
   */
  matches(view: DataView, at: number, ipAt: number, end: number): boolean {
    if (this.hasIp && end - ipAt < IPV4.src.span) return false;
    return this.#includes(view, at, ipAt) !== this.#isInverted;
  }

  #includes(view: DataView, at: number, ipAt: number): boolean {
    const pairs = this.#pairs.get(view.getInt32(at + 2));
    if (pairs === undefined) return false;
    for (const { mac, ip } of pairs) {
      const isStation = Math.floor(mac / HIGH) === view.getUint16(at);
      if (isStation && (ip === null || view.getUint32(ipAt) === ip)) return true;
    }
    return false;
  }
}

class AmongMatcher implements FrameMatcher {
  readonly #source: PairSet | null;
  readonly #destination: PairSet | null;
  readonly #hasIp: boolean;

  constructor(source: Asked<readonly Pair[]> | null, destination: Asked<readonly Pair[]> | null) {
    this.#source = source === null ? null : new PairSet(source);
    this.#destination = destination === null ? null : new PairSet(destination);
    this.#hasIp = this.#source?.hasIp === true || this.#destination?.hasIp === true;
  }

  matches(packet: Packet): boolean {
    const { view } = packet.pool;
    const { frame, end } = packet;
    const at = payloadAt(packet);
    if (this.#hasIp && payloadType(packet) !== EtherType.Ipv4) return false;
    const source = frame + ETHERNET.src.offset;
    const destination = frame + ETHERNET.dst.offset;
    return (
      (this.#source === null || this.#source.matches(view, source, at + IPV4.src.offset, end)) &&
      (this.#destination === null ||
        this.#destination.matches(view, destination, at + IPV4.dst.offset, end))
    );
  }
}

/** Lists in files are not read. */
export const among: FrameMatchKind = {
  name: "among",
  options: [
    option("among-src", { isInvertible: true }),
    option("among-dst", { isInvertible: true }),
  ],
  parse(given) {
    const source = ask(given, "among-src", parsePairs);
    const destination = ask(given, "among-dst", parsePairs);
    const matcher = new AmongMatcher(source, destination);
    const text =
      print("among-src", source, formatPairs) + print("among-dst", destination, formatPairs);
    return { kind: "match", name: "among", text, bind: () => matcher };
  },
};

/** Read "2:0:0:0:0:1=10.0.0.1,2:0:0:0:0:2". @returns the pairs in the order of their numbers. */
function parsePairs(word: string): readonly Pair[] {
  const pairs = word
    .replace(/,$/, "")
    .split(",")
    .map((text): Pair => {
      const [mac = "", ip] = text.split(/=(.*)/s, 2);
      return { mac: parseLooseMac(mac), ip: ip === undefined ? null : parseIpv4(ip) };
    })
    .toSorted((left, right) => left.mac - right.mac || (left.ip ?? 0) - (right.ip ?? 0));
  const twice = pairs.find(
    ({ mac, ip }, index) => pairs[index - 1]?.mac === mac && pairs[index - 1]?.ip === ip,
  );
  return twice === undefined ? pairs : refuse(word, `${formatPair(twice)} stands there twice`);
}

const formatPairs = (pairs: readonly Pair[]): string => pairs.map(formatPair).join(",");

/** As `ether_ntoa` does: without leading zeros. */
function formatPair({ mac, ip }: Pair): string {
  const octets = mac.toString(16).padStart(12, "0").match(/../g) ?? [];
  const text = octets.map((octet) => octet.replace(/^0/, "")).join(":");
  return ip === null ? text : `${text}=${formatIpv4(ip)}`;
}
