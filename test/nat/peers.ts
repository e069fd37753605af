/** Hosts on both sides of a translation of RFC 4787 section 3, and what they see. @module */
import { Prng } from "../../src/base/prng.ts";
import type { Duration } from "../../src/base/time.ts";
import { FLOWS_6 } from "../../src/nat/behaviour.ts";
import { EndpointNat, type EndpointNatOptions } from "../../src/nat/endpoint-nat.ts";
import { Nat } from "../../src/nat/nat.ts";
import { parseIpv4 } from "../../src/wire/addr.ts";
import { type Ends, read, udp } from "./packets.ts";
import { Stand } from "./stand.ts";

export const DEPENDENCES = [
  "endpoint-independent",
  "address-dependent",
  "address-and-port-dependent",
] as const;
export type Dependence = (typeof DEPENDENCES)[number];

/** An endpoint as "10.0.0.1:4000". */
export type Endpoint = string;

const endsOf = (from: Endpoint, to: Endpoint): Ends => {
  const [src = "", srcPort] = from.split(":");
  const [dst = "", dstPort] = to.split(":");
  return { src, dst, srcPort: Number(srcPort), dstPort: Number(dstPort) };
};

export type PeerOptions = Partial<
  Omit<EndpointNatOptions, "conntrack" | "device" | "addresses" | "chance">
> & { readonly addresses?: readonly string[] };

/** Inner hosts are 10.0.0.0/8; the outer addresses are documentation's. */
export class Peers {
  readonly stand: Stand;
  readonly nat: EndpointNat;
  /** Why the last packet was lost; "" if it was not. */
  reason = "";

  constructor({ addresses = ["192.0.2.1"], ...options }: PeerOptions = {}) {
    this.stand = new Stand({ behaviour: FLOWS_6 });
    const { conntrack, hooks, outside } = this.stand;
    this.nat = new EndpointNat({
      mapping: "endpoint-independent",
      filtering: "endpoint-independent",
      chance: new Prng(7),
      ...options,
      conntrack,
      device: outside,
      addresses: addresses.map(parseIpv4),
    });
    const chance = new Prng(8);
    new Nat({ conntrack, behaviour: FLOWS_6.nat, rules: this.nat, chance }).attach(hooks);
    this.nat.attach(hooks);
  }

  /** An inner host sends outwards. @returns the source that the peer sees, or `null`. */
  send(from: Endpoint, to: Endpoint): Endpoint | null {
    const { octets, reason } = this.stand.forward(udp(endsOf(from, to)));
    this.reason = reason;
    return octets === null ? null : sourceOf(octets);
  }

  /** An outer host sends inwards. @returns the inner endpoint that hears it, or `null`. */
  call(from: Endpoint, to: Endpoint): Endpoint | null {
    const { octets, reason } = this.stand.answer(udp(endsOf(from, to)));
    this.reason = reason;
    return octets === null ? null : targetOf(octets);
  }

  /** An inner host sends to an outer endpoint. @returns who hears whom, or `null`. */
  hairpin(from: Endpoint, to: Endpoint): readonly [Endpoint, Endpoint] | null {
    const { inside } = this.stand;
    const { octets, reason } = this.stand.forward(udp(endsOf(from, to)), inside, inside);
    this.reason = reason;
    return octets === null ? null : [targetOf(octets), sourceOf(octets)];
  }

  wait(duration: Duration): void {
    this.stand.now += duration;
  }
}

const sourceOf = (octets: Uint8Array): Endpoint => {
  const { src, srcPort } = read(octets);
  return `${src}:${srcPort}`;
};
const targetOf = (octets: Uint8Array): Endpoint => {
  const { dst, dstPort } = read(octets);
  return `${dst}:${dstPort}`;
};

/** A server with two addresses and two ports on each (RFC 5780 section 3). */
const [PRIMARY, OTHER_PORT, OTHER_ADDRESS, OTHER_BOTH] = [
  "198.51.100.1:3478",
  "198.51.100.1:3479",
  "203.0.113.1:3478",
  "203.0.113.1:3479",
] as const;

/** How a program finds out about its mapping: RFC 5780 section 4.3. */
export function discoverMapping(peers: Peers, own: Endpoint): Dependence {
  const first = peers.send(own, PRIMARY);
  const second = peers.send(own, OTHER_ADDRESS);
  if (first === second) return "endpoint-independent";
  const third = peers.send(own, OTHER_BOTH);
  return second === third ? "address-dependent" : "address-and-port-dependent";
}

/** How a program finds out about the filter before it: RFC 5780 section 4.4. */
export function discoverFiltering(peers: Peers, own: Endpoint): Dependence {
  const seen = peers.send(own, PRIMARY) ?? "";
  if (peers.call(OTHER_BOTH, seen) === own) return "endpoint-independent";
  const isHeard = peers.call(OTHER_PORT, seen) === own;
  return isHeard ? "address-dependent" : "address-and-port-dependent";
}
