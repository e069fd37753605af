/** `-m addrtype`: what addresses are to this host (Linux `net/netfilter/xt_addrtype.c`). @module */
import type { Device } from "../../wire/device.ts";
import type { Packet } from "../../wire/packet.ts";
import type { Ipv4Addr } from "../../wire/addr.ts";
import { PortBits } from "../../wire/path-notes.ts";
import { Hook, type HookContext } from "../../l3/hooks.ts";
import { IPV4 } from "../../l3/ipv4.ts";
import { refuse, RuleError } from "../errors.ts";
import { type Matcher, type MatchKind, MatchResult, newMatch } from "../match.ts";
import { option, type Options, printOption } from "../options.ts";
import { ALL_HOOKS, ANYWHERE, hookBits } from "../placement.ts";
import type { AddressClassifier } from "../services.ts";
import { formatNameBits, parseNameBits } from "../values.ts";

/** By number of `RTN_*`. */
const TYPES = [
  "UNSPEC",
  "UNICAST",
  "LOCAL",
  "BROADCAST",
  "ANYCAST",
  "MULTICAST",
  "BLACKHOLE",
  "UNREACHABLE",
  "PROHIBIT",
  "THROW",
  "NAT",
  "XRESOLVE",
] as const;

/** Types as bits by number; 0 asks nothing. */
interface TypeTest {
  readonly types: number;
  readonly isInverted: boolean;
}

/** Whose addresses and routes count. */
type Limit = "limit-iface-in" | "limit-iface-out" | null;

class AddressTypeMatcher implements Matcher {
  readonly #classifier: AddressClassifier;
  readonly #source: TypeTest;
  readonly #destination: TypeTest;
  readonly #limit: Limit;

  constructor(
    classifier: AddressClassifier,
    source: TypeTest,
    destination: TypeTest,
    limit: Limit,
  ) {
    this.#classifier = classifier;
    this.#source = source;
    this.#destination = destination;
    this.#limit = limit;
  }

  matches(packet: Packet, { input, output }: HookContext): MatchResult {
    const { view } = packet.pool;
    const limited = this.#limit === "limit-iface-out" ? output : null;
    const device = this.#limit === "limit-iface-in" ? input : limited;
    const isMatch =
      this.#passes(this.#source, IPV4.src.get(view, packet.network), device) &&
      this.#passes(this.#destination, IPV4.dst.get(view, packet.network), device);
    return isMatch ? MatchResult.Yes : MatchResult.No;
  }

  #passes({ types, isInverted }: TypeTest, address: Ipv4Addr, device: Device | null): boolean {
    if (types === 0) return true;
    const type = this.#classifier.typeOf(address, device);
    return ((types & (1 << type)) !== 0) !== isInverted;
  }
}

/** Needs an {@link AddressClassifier}. */
export const addrtype: MatchKind = {
  name: "addrtype",
  protocol: null,
  options: [
    option("src-type", { isInvertible: true }),
    option("dst-type", { isInvertible: true }),
    option("limit-iface-in", { operands: 0 }),
    option("limit-iface-out", { operands: 0 }),
  ],
  parse(given) {
    const source = readTypes(given, "src-type");
    const destination = readTypes(given, "dst-type");
    if (source.types === 0 && destination.types === 0) {
      refuse("addrtype", "addrtype needs --src-type or --dst-type");
    }
    const limit = readLimit(given);
    return newMatch({
      name: "addrtype",
      text: [
        printTypes("src-type", source),
        printTypes("dst-type", destination),
        limit === null ? "" : ` --${limit}`,
      ].join(""),
      placement: { ...ANYWHERE, hooks: hooksOf(limit) },
      isPure: true,
      askedPorts: PortBits.None,
      bind({ addressTypes }) {
        if (addressTypes === null) {
          throw new RuleError("rule-service", "addrtype", "nobody here knows types of addresses");
        }
        return new AddressTypeMatcher(addressTypes, source, destination, limit);
      },
    });
  },
};

function readTypes(given: Options, name: string): TypeTest {
  const found = given.find(name);
  if (found === null) return { types: 0, isInverted: false };
  const types = parseNameBits(found.word, TYPES, "a type of address");
  return { types, isInverted: found.isInverted };
}

function readLimit(given: Options): Limit {
  if (!given.has("limit-iface-in") && !given.has("limit-iface-out")) return null;
  return given.only(["limit-iface-in", "limit-iface-out"])[0];
}

/** A limit to a device that the hook does not know is refused. */
function hooksOf(limit: Limit): number {
  if (limit === "limit-iface-in") return hookBits(Hook.Prerouting, Hook.Input, Hook.Forward);
  return limit === null ? ALL_HOOKS : hookBits(Hook.Forward, Hook.Output, Hook.Postrouting);
}

function printTypes(name: string, { types, isInverted }: TypeTest): string {
  return types === 0 ? "" : printOption(name, formatNameBits(types, TYPES), isInverted);
}
