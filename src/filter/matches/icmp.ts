/** `-m icmp`: type and code (Linux `icmp_match` of `net/netfilter/xt_tcpudp.c`). @module */
import type { Packet } from "../../wire/packet.ts";
import { ICMP, ICMP_LENGTH } from "../../l3/icmp.ts";
import { IPV4, Protocol } from "../../l3/ipv4.ts";
import { refuse } from "../errors.ts";
import { judge, type Matcher, type MatchKind, MatchResult, newMatch } from "../match.ts";
import { option, printOption } from "../options.ts";
import { ANYWHERE } from "../placement.ts";
import { parseNumber } from "../values.ts";

/** The type that stands for all. */
const ANY_TYPE = 255;

/** What a rule asks; `null` is any code. */
export interface IcmpTest {
  readonly type: number;
  readonly code: number | null;
}

const test = (type: number, code: number | null = null): IcmpTest => ({ type, code });

/** Names that ICMP messages have in rules. */
export const ICMP_NAMES: readonly (readonly [string, IcmpTest])[] = [
  ["any", test(ANY_TYPE)],
  ["echo-reply", test(0)],
  ["pong", test(0)],
  ["destination-unreachable", test(3)],
  ["network-unreachable", test(3, 0)],
  ["host-unreachable", test(3, 1)],
  ["protocol-unreachable", test(3, 2)],
  ["port-unreachable", test(3, 3)],
  ["fragmentation-needed", test(3, 4)],
  ["source-route-failed", test(3, 5)],
  ["network-unknown", test(3, 6)],
  ["host-unknown", test(3, 7)],
  ["network-prohibited", test(3, 9)],
  ["host-prohibited", test(3, 10)],
  ["tos-network-unreachable", test(3, 11)],
  ["tos-host-unreachable", test(3, 12)],
  ["communication-prohibited", test(3, 13)],
  ["host-precedence-violation", test(3, 14)],
  ["precedence-cutoff", test(3, 15)],
  ["source-quench", test(4)],
  ["redirect", test(5)],
  ["network-redirect", test(5, 0)],
  ["host-redirect", test(5, 1)],
  ["tos-network-redirect", test(5, 2)],
  ["tos-host-redirect", test(5, 3)],
  ["echo-request", test(8)],
  ["ping", test(8)],
  ["router-advertisement", test(9)],
  ["router-solicitation", test(10)],
  ["time-exceeded", test(11)],
  ["ttl-exceeded", test(11)],
  ["ttl-zero-during-transit", test(11, 0)],
  ["ttl-zero-during-reassembly", test(11, 1)],
  ["parameter-problem", test(12)],
  ["ip-header-bad", test(12, 0)],
  ["required-option-missing", test(12, 1)],
  ["timestamp-request", test(13)],
  ["timestamp-reply", test(14)],
  ["address-mask-request", test(17)],
  ["address-mask-reply", test(18)],
];

class IcmpMatcher implements Matcher {
  readonly #type: number;
  readonly #lowerCode: number;
  readonly #upperCode: number;
  readonly #isInverted: boolean;

  constructor({ type, code }: IcmpTest, isInverted: boolean) {
    this.#type = type;
    this.#lowerCode = code ?? 0;
    this.#upperCode = code ?? 255;
    this.#isInverted = isInverted;
  }

  matches(packet: Packet): MatchResult {
    const { view } = packet.pool;
    if (IPV4.fragmentOffset.get(view, packet.network) !== 0) return MatchResult.No;
    if (packet.end - packet.transport < ICMP_LENGTH) return MatchResult.Malformed;
    const code = ICMP.code.get(view, packet.transport);
    const isMatch =
      this.#type === ANY_TYPE ||
      (ICMP.type.get(view, packet.transport) === this.#type &&
        code >= this.#lowerCode &&
        code <= this.#upperCode);
    return judge(isMatch, this.#isInverted);
  }
}

/** Loaded by `-p icmp` too. */
export const icmp: MatchKind = {
  name: "icmp",
  protocol: Protocol.Icmp,
  options: [option("icmp-type", { isInvertible: true })],
  parse(given) {
    const { word, isInverted } = given.get("icmp-type");
    const asked = parseTest(word);
    const matcher = new IcmpMatcher(asked, isInverted);
    return newMatch({
      name: "icmp",
      text: printOption("icmp-type", formatTest(asked), isInverted),
      placement: { ...ANYWHERE, protocols: [Protocol.Icmp] },
      bind: () => matcher,
    });
  },
};

/** A name, which may be cut short where it stays the only one, or numbers. */
function parseTest(word: string): IcmpTest {
  const named = ICMP_NAMES.filter(([name]) => name.startsWith(word.toLowerCase()));
  const [first, second] = named;
  if (first !== undefined && second === undefined) return first[1];
  if (first !== undefined) refuse(word, `may be ${named.map(([name]) => name).join(", ")}`);
  const [type = "", code, ...rest] = word.split("/");
  if (rest.length > 0) refuse(word, `expected an ICMP type with a code, got "${word}"`);
  const number = parseNumber(type, 0, ANY_TYPE, "an ICMP type");
  const asked = code === undefined ? null : parseNumber(code, 0, 255, "an ICMP code");
  return test(number, number === ANY_TYPE ? null : asked);
}

function formatTest({ type, code }: IcmpTest): string {
  if (type === ANY_TYPE) return "any";
  return code === null ? `${type}` : `${type}/${code}`;
}
