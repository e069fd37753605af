/**
 * A client's message as dhcpd sees it: what it asks, who asks, and on which network.
 * @module
 */
import type { Instant } from "../base/time.ts";
import { type Ipv4Addr, ipv4Of, type Mac } from "../wire/addr.ts";
import type { NamedOption } from "./dhcpd-conf.ts";
import { keyOf, type Networks, type Pool, type SharedNetwork } from "./dhcpd-networks.ts";
import type { DhcpdProfile } from "./dhcpd-profile.ts";
import {
  type HardwareAddress,
  type Lease,
  type LeaseTable,
  type Seconds,
  secondsOf,
} from "./lease-table.ts";
import { type DhcpMessage, DhcpType } from "./message.ts";
import { Option, type RawOption } from "./options.ts";

/** A device on which the server may listen. */
export interface DhcpInterface {
  /** As `ip link` shows it. */
  readonly name: string;
  readonly mac: Mac;
  /** In the order of `ip addr`; the first is the one that the server calls itself by. */
  readonly addresses: readonly Ipv4Addr[];
}

/** A device with the network that hangs on it. */
export interface ServedInterface extends DhcpInterface {
  readonly address: Ipv4Addr;
  readonly share: SharedNetwork;
}

/** What a message is read against. */
export interface Registry {
  readonly profile: DhcpdProfile;
  readonly networks: Networks;
  readonly table: LeaseTable;
}

/** What a dhcpd knows while it runs. */
export interface Site extends Registry {
  /** The options that have names, by code. */
  readonly named: ReadonlyMap<number, NamedOption>;
  /** The first interface on a network, or `null`. */
  firstOn(share: SharedNetwork): ServedInterface | null;
  /** Which second since 1970 the instant 0 is. */
  readonly epoch: Seconds;
}

/** A message with what follows from it. */
export interface DhcpRequest {
  readonly message: DhcpMessage;
  /** Octets of the whole message; borrowed. */
  readonly octets: Uint8Array;
  /** The message type; 0 for BOOTP. */
  readonly type: number;
  readonly input: ServedInterface;
  /** IP source address of the message. */
  readonly source: Ipv4Addr;
  readonly hardware: HardwareAddress;
  /** `null` if the message has none. */
  readonly clientId: Uint8Array | null;
  /** The option "requested IP address"; missing octets count as zeros. */
  readonly requested: Ipv4Addr | null;
  /** Where the client is; `null` if the configuration does not know the place. */
  readonly share: SharedNetwork | null;
  /** True if a host declaration speaks of the client. */
  readonly isKnown: boolean;
  /** True if the client ends its host name with a NUL, and so wants texts to be ended. */
  readonly wantsNul: boolean;
  /** What a relay agent put into the message. */
  readonly agent: readonly RawOption[];
  /** What one said before of a client that now passes none. */
  readonly stashed: readonly RawOption[];
}

/** Read what a message asks. */
export function requestOf(
  { networks, profile, table }: Registry,
  message: DhcpMessage,
  { octets, source, input }: Pick<DhcpRequest, "octets" | "source" | "input">,
  now: Instant,
): DhcpRequest {
  const { options, htype, hlen, chaddr } = message;
  const clientId = options.get(Option.ClientIdentifier.code) ?? null;
  const hardware = { htype, octets: chaddr.slice(0, hlen) };
  const requested = options.get(Option.RequestedAddress.code);
  const type = options.get(Option.MessageType.code)?.[0] ?? 0;
  const lease =
    type === DhcpType.Request && message.giaddr === 0 ? table.findByAddress(message.ciaddr) : null;
  const isOwn =
    lease !== null && lease.ends >= secondsOf(now) && isTenant(lease, clientId, hardware);
  const agent = agentOptions(message);
  return {
    message,
    octets,
    type,
    input,
    source,
    hardware,
    clientId,
    requested: requested === undefined ? null : addressOf(requested),
    share: locate(networks, profile, message, input),
    isKnown:
      (clientId !== null && networks.hostsByClientId(clientId).length > 0) ||
      networks.hostsByHardware(htype, hardware.octets).length > 0,
    wantsNul: hostNamePartOf(message)?.at(-1) === 0,
    agent,
    stashed: isOwn && agent.length === 0 ? lease.agent : [],
  };
}

/** The first part of the client's host name that is not empty. */
function hostNamePartOf({ parts }: DhcpMessage): Uint8Array | undefined {
  const { code: name } = Option.HostName;
  return parts.find(([code, octets]) => code === name && octets.length > 0)?.[1];
}

/** If a lease is the client's: by its identifier if it has one, else by its hardware address. */
export function isTenant(
  lease: Lease,
  clientId: Uint8Array | null,
  { htype, octets }: HardwareAddress,
): boolean {
  if (lease.clientId !== null) return isSame(lease.clientId, clientId);
  return lease.hardware?.htype === htype && isSame(lease.hardware.octets, octets);
}

/** True if both are missing, or both have the same octets. */
export function isSame(one: Uint8Array | null, other: Uint8Array | null): boolean {
  return one === null || other === null ? one === other : keyOf(one) === keyOf(other);
}

/** The first four octets; those that are missing count as zeros. */
export function addressOf(octets: Uint8Array): Ipv4Addr {
  const [first = 0, second = 0, third = 0, fourth = 0] = octets;
  return ipv4Of(((first * 256 + second) * 256 + third) * 256 + fourth);
}

/** Sub-option "link selection" of the relay agent's option. */
const LINK_SELECTION = 5;

/** The option by which a client or its relay agent says where it is; `null` if neither does. */
export function selectionOf(
  message: DhcpMessage,
  { knowsLinkSelection }: DhcpdProfile,
): RawOption | null {
  const agent = knowsLinkSelection ? agentOptions(message) : [];
  const link = agent.find(([code]) => code === LINK_SELECTION);
  const { code } = Option.SubnetSelection;
  const subnet = message.options.get(code);
  return link ?? (subnet === undefined ? null : [code, subnet]);
}

/** The sub-options of a relay agent: RFC 3046 section 2.0. Each part of its option stands alone. */
function agentOptions({ parts }: DhcpMessage): readonly RawOption[] {
  const agents = parts.filter(([code]) => code === Option.RelayAgent.code);
  return agents.flatMap(([, octets]) => subOptions(octets));
}

/** Sub-options up to the first that does not fit or has number 0. */
function subOptions(octets: Uint8Array): readonly RawOption[] {
  const found: RawOption[] = [];
  for (let at = 0; at < octets.length;) {
    const [code = 0, length = octets.length] = octets.subarray(at, at + 2);
    const end = at + 2 + length;
    if (code === 0 || end > octets.length) break;
    found.push([code, octets.slice(at + 2, end)]);
    at = end;
  }
  return found;
}

function locate(
  networks: Networks,
  profile: DhcpdProfile,
  message: DhcpMessage,
  input: ServedInterface,
): SharedNetwork | null {
  const selection = selectionOf(message, profile);
  if (selection === null && message.giaddr === 0) return input.share;
  if (selection !== null && selection[1].length !== 4) return null;
  const where = selection === null ? message.giaddr : addressOf(selection[1]);
  return networks.findSubnet(where)?.share ?? null;
}

/** If the lists of a pool let the client have an address of it. */
export function isPermitted({ permits }: Pool, request: DhcpRequest): boolean {
  const speaks = (verdict: "allow" | "deny"): boolean =>
    permits.some((permit) => permit.verdict === verdict && isAmong(permit.clients, request));
  if (speaks("deny")) return false;
  return speaks("allow") || !permits.some(({ verdict }) => verdict === "allow");
}

function isAmong(clients: string, { isKnown, type }: DhcpRequest): boolean {
  switch (clients) {
    case "known-clients":
      return isKnown;
    case "unknown-clients":
      return !isKnown;
    case "dynamic bootp clients":
      return type === 0;
    default:
      return clients !== "authenticated clients";
  }
}
