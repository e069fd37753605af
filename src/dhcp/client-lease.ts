/**
 * What a DHCP client takes from a server's messages: RFC 2131 section 4.4.1, for the times
 * RFC 2131 section 4.4.5.
 * @module
 */
import type { Chance } from "../base/prng.ts";
import { type Duration, type Instant, NEVER, SECOND } from "../base/time.ts";
import type { Ipv4Addr, Mac } from "../wire/addr.ts";
import { BootpOp, type DhcpDiscard, type DhcpMessage, DhcpType, macOfHeader } from "./message.ts";
import { type DhcpOptions, findOption, Option } from "./options.ts";

/** Why a client has no use for a message. */
export type ClientDiscard =
  | DhcpDiscard
  | "dhcp/op"
  | "dhcp/xid"
  | "dhcp/chaddr"
  | "dhcp/options"
  | "dhcp/type"
  | "dhcp/state"
  | "dhcp/address"
  | "dhcp/lease-time";

/** An address for a time, with what the server says about the network. */
export interface ClientLease {
  readonly address: Ipv4Addr;
  /** Whom to ask for more time; `null` if the server did not say, and everyone is asked. */
  readonly server: Ipv4Addr | null;
  readonly mask: Ipv4Addr | null;
  readonly broadcast: Ipv4Addr | null;
  /** In the order of preference. */
  readonly routers: readonly Ipv4Addr[];
  readonly domainNameServers: readonly Ipv4Addr[];
  readonly domainName: string | null;
  readonly hostName: string | null;
  /** In octets. */
  readonly mtu: number | null;
  /** Everything that the server said. */
  readonly options: DhcpOptions;
  /** When the address was asked for: the times below count from there. */
  readonly start: Instant;
  /** T1: from here on the server is asked for more time. `NEVER` if there is no end. */
  readonly renewal: Instant;
  /** T2: from here on every server is asked; not before `renewal`. */
  readonly rebinding: Instant;
  /** From here on the address must not be used; not before `rebinding`. */
  readonly expiry: Instant;
}

/** An address that a server is ready to give. */
export interface ClientOffer {
  readonly address: Ipv4Addr;
  readonly server: Ipv4Addr | null;
}

/** A lease time that says "for ever": RFC 2131 section 3.3. */
const INFINITE_SECONDS = 0xffff_ffff;

/**
 * Judge whether a decoded message is an answer to the client with this address and `xid`.
 * @returns its type, or why it is none.
 */
export function typeOfReply(message: DhcpMessage, xid: number, mac: Mac): DhcpType | ClientDiscard {
  if (message.op !== BootpOp.Reply) return "dhcp/op";
  if (message.xid !== xid) return "dhcp/xid";
  if (macOfHeader(message) !== mac) return "dhcp/chaddr";
  if (!message.isIntact) return "dhcp/options";
  const type = findOption(message.options, Option.MessageType);
  if (type === DhcpType.Offer || type === DhcpType.Ack || type === DhcpType.Nak) return type;
  return "dhcp/type";
}

/** @returns what is offered, or why it cannot be used. */
export function offerOf({ yiaddr, options }: DhcpMessage): ClientOffer | ClientDiscard {
  if (!isHostAddress(yiaddr)) return "dhcp/address";
  return { address: yiaddr, server: serverOf(options) };
}

/**
 * Read the lease that an ACK gives to who asked for it at `start`.
 * @returns the lease, or why it cannot be used.
 */
export function leaseOf(
  { yiaddr, options }: DhcpMessage,
  start: Instant,
  chance: Chance,
): ClientLease | ClientDiscard {
  if (!isHostAddress(yiaddr)) return "dhcp/address";
  const seconds = findOption(options, Option.LeaseTime);
  if (seconds === null) return "dhcp/lease-time";
  return {
    address: yiaddr,
    server: serverOf(options),
    mask: findOption(options, Option.SubnetMask),
    broadcast: findOption(options, Option.BroadcastAddress),
    routers: findOption(options, Option.Routers) ?? [],
    domainNameServers: findOption(options, Option.DomainNameServers) ?? [],
    domainName: findOption(options, Option.DomainName),
    hostName: findOption(options, Option.HostName),
    mtu: findOption(options, Option.InterfaceMtu),
    options,
    start,
    ...timesOf(options, start, durationOf(seconds), chance),
  };
}

/**
 * The server's T1 and T2 where they make sense, or else half and seven eighths of the lease; T1 is
 * brought forward by up to a quarter, as dhclient does, so that clients do not ask in step.
 */
function timesOf(
  options: DhcpOptions,
  start: Instant,
  length: Duration,
  chance: Chance,
): Pick<ClientLease, "renewal" | "rebinding" | "expiry"> {
  if (length === NEVER) return { renewal: NEVER, rebinding: NEVER, expiry: NEVER };
  const saidT2 = durationOf(findOption(options, Option.RebindingTime) ?? 0);
  const t2 = saidT2 > 0 && saidT2 < length ? saidT2 : Math.floor((length * 7) / 8);
  const saidT1 = durationOf(findOption(options, Option.RenewalTime) ?? 0);
  const latest = Math.floor((t2 * 3) / 4);
  const t1 = saidT1 > 0 && saidT1 < t2 ? saidT1 : Math.min(Math.floor(length / 2), latest);
  return {
    renewal: start + t1 - fractionOf(Math.floor(t1 / 4), chance),
    rebinding: start + t2,
    expiry: start + length,
  };
}

const durationOf = (seconds: number): Duration =>
  seconds === INFINITE_SECONDS ? NEVER : seconds * SECOND;

/** A random part of `span`, which may be longer than one draw has values. */
function fractionOf(span: Duration, chance: Chance): Duration {
  return Math.floor(span * (chance.below(2 ** 32) / 2 ** 32));
}

/** A server that cannot be written to is as good as none. */
function serverOf(options: DhcpOptions): Ipv4Addr | null {
  const server = findOption(options, Option.ServerIdentifier);
  return server !== null && isHostAddress(server) ? server : null;
}

/** None of 0/8, 127/8, the groups and 240/4: RFC 1122 section 3.2.1.3. */
function isHostAddress(address: Ipv4Addr): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}
