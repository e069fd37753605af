/**
 * `-j MASQUERADE` and `-j REDIRECT`: translate to this host's own address (Linux
 * `net/netfilter/nf_nat_masquerade.c`, `nf_nat_redirect.c`).
 * @module
 */
import { type Ipv4Addr, ipv4Of } from "../../wire/addr.ts";
import type { Packet } from "../../wire/packet.ts";
import { Hook, type HookContext } from "../../l3/hooks.ts";
import type { NatRange } from "../../wire/nat-range.ts";
import { RuleError } from "../errors.ts";
import { option, type Options, printOption } from "../options.ts";
import { hookBits } from "../placement.ts";
import type { InterfaceAddresses, RuleServices } from "../services.ts";
import {
  type Bound,
  type Extension,
  type FilterReason,
  newExtension,
  type TargetKind,
  type Translator,
} from "../target.ts";
import { flagOptions, formatNatPorts, parseNatPorts, printFlags, readFlags } from "./nat-range.ts";

/** 127.0.0.1: where packets of this host are redirected to. */
const LOCALHOST = ipv4Of(0x7f00_0001);

/** Everything but the addresses. */
type Wanted = Omit<NatRange, "addresses">;

class Masquerade implements Translator {
  readonly #addresses: InterfaceAddresses;
  readonly #wanted: Wanted;

  constructor(addresses: InterfaceAddresses, wanted: Wanted) {
    this.#addresses = addresses;
    this.#wanted = wanted;
  }

  rangeFor({ nextHop }: Packet, { output }: HookContext): NatRange | FilterReason {
    if (output === null) return "filter/no-address";
    const range = rangeOf(this.#wanted, this.#addresses.select(output, nextHop));
    return range === "filter/no-address" ? range : { ...range, device: output };
  }
}

class Redirect implements Translator {
  readonly #addresses: InterfaceAddresses;
  readonly #wanted: Wanted;

  constructor(addresses: InterfaceAddresses, wanted: Wanted) {
    this.#addresses = addresses;
    this.#wanted = wanted;
  }

  rangeFor(_packet: Packet, { hook, input }: HookContext): NatRange | FilterReason {
    if (hook === Hook.Output) return rangeOf(this.#wanted, LOCALHOST);
    return rangeOf(this.#wanted, input === null ? null : this.#addresses.first(input));
  }
}

function rangeOf(wanted: Wanted, own: Ipv4Addr | null): NatRange | "filter/no-address" {
  return own === null ? "filter/no-address" : { ...wanted, addresses: { lower: own, upper: own } };
}

/** Change the source to an address of the device that packets leave by. */
export const MASQUERADE: TargetKind = {
  name: "MASQUERADE",
  options: [option("to-ports"), ...flagOptions("random", "random-fully")],
  parse: (given) =>
    newTarget(
      "MASQUERADE",
      hookBits(Hook.Postrouting),
      given,
      (addresses, wanted) => new Masquerade(addresses, { ...wanted, side: "source" }),
    ),
};

/** Change the destination to this host. */
export const REDIRECT: TargetKind = {
  name: "REDIRECT",
  options: [option("to-ports"), ...flagOptions("random")],
  parse: (given) =>
    newTarget(
      "REDIRECT",
      hookBits(Hook.Prerouting, Hook.Output),
      given,
      (addresses, wanted) => new Redirect(addresses, { ...wanted, side: "destination" }),
    ),
};

function newTarget(
  name: string,
  hooks: number,
  given: Options,
  make: (addresses: InterfaceAddresses, wanted: Omit<Wanted, "side">) => Translator,
): Extension {
  const found = given.find("to-ports");
  const ports = found === null ? null : parseNatPorts(found.word, found.protocol);
  const wanted = { ports, ...readFlags(given) };
  return newExtension({
    name,
    text:
      (ports === null ? "" : printOption("to-ports", formatNatPorts(ports))) + printFlags(given),
    placement: { table: "nat", hooks, protocols: null },
    bind({ interfaceAddresses }: RuleServices): Bound {
      if (interfaceAddresses === null) {
        throw new RuleError("rule-service", name, "nobody here knows the addresses of devices");
      }
      return { kind: "translator", translator: make(interfaceAddresses, wanted) };
    },
  });
}
