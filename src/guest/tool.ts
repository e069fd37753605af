/**
 * Tools: what a host runs for a while, as a program in a domU does, and what they run on.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import type { Machine } from "../base/machine.ts";
import type { Chance } from "../base/prng.ts";
import type { Instant } from "../base/time.ts";
import type { Packet } from "../wire/packet.ts";
import { ICMP_LENGTH } from "../l3/icmp.ts";
import { headerLengthOf, IPV4_MIN_LENGTH } from "../l3/ipv4.ts";
import type { Router } from "../l3/router.ts";
import type { DatagramMaker } from "../l4/datagram.ts";
import type { UdpLayer } from "../l4/udp-layer.ts";

/** The host that tools run on. */
export interface ToolHost {
  readonly router: Router;
  readonly udp: UdpLayer;
  /** Makes the packets of raw sockets. */
  readonly datagrams: DatagramMaker;
  readonly chance: Chance;
  /** When the run started, in microseconds since 1970. */
  readonly epoch: number;
}

/** A running tool. Its first work is due when it is made. */
export interface Tool extends Machine {
  /** True once it has nothing more to do; it hears nothing any more. */
  readonly isDone: boolean;
  /** End it early, as Ctrl-C does. */
  stop(now: Instant): void;
}

/** Octets of a quoted packet's payload that an ICMP error shows at least (RFC 792). */
const QUOTED_OCTETS = 8;

/**
 * Find the packet that the ICMP error in `packet` is about.
 * @returns where its IP header lies, with at least eight octets behind it; -1 if it is cut off.
 */
export function quotedPacket(packet: Packet): number {
  const at = packet.transport + ICMP_LENGTH;
  const left = packet.end - at;
  if (left < IPV4_MIN_LENGTH) return -1;
  const headerLength = headerLengthOf(packet.pool.view, at);
  const isWhole = headerLength >= IPV4_MIN_LENGTH && left >= headerLength + QUOTED_OCTETS;
  return isWhole ? at : -1;
}

/** @throws {OptionError} unless `value` is whole and from `lower` to `upper`. */
export function requireWhole(option: string, value: number, lower: number, upper: number): void {
  if (!Number.isInteger(value) || value < lower || value > upper) {
    throw new OptionError(option, value, `a whole number from ${lower} to ${upper}`);
  }
}
