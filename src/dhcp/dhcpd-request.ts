/**
 * A client's message as dhcpd sees it: what it asks, who asks, and on which network.
 * @module
 */
import { type Ipv4Addr, ipv4Of, type Mac } from "../wire/addr.ts";
import type { Networks, Pool, SharedNetwork } from "./dhcpd-networks.ts";
import type { DhcpdProfile } from "./dhcpd-profile.ts";
import type { HardwareAddress } from "./lease-table.ts";
import type { DhcpMessage } from "./message.ts";
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
}

/** Read what a message asks. */
export function requestOf(
  networks: Networks,
  profile: DhcpdProfile,
  message: DhcpMessage,
  { octets, source, input }: Pick<DhcpRequest, "octets" | "source" | "input">,
): DhcpRequest {
  const { options, htype, hlen, chaddr } = message;
  const clientId = options.get(Option.ClientIdentifier.code) ?? null;
  const hardware = { htype, octets: chaddr.slice(0, hlen) };
  const requested = options.get(Option.RequestedAddress.code);
  return {
    message,
    octets,
    type: options.get(Option.MessageType.code)?.[0] ?? 0,
    input,
    source,
    hardware,
    clientId,
    requested: requested === undefined ? null : addressOf(requested),
    share: locate(networks, profile, message, input),
    isKnown:
      (clientId !== null && networks.hostsByClientId(clientId).length > 0) ||
      networks.hostsByHardware(htype, hardware.octets).length > 0,
    wantsNul: message.parts.some(
      ([code, octets]) => code === Option.HostName.code && octets.at(-1) === 0,
    ),
  };
}

/** The first four octets; those that are missing count as zeros. */
export function addressOf(octets: Uint8Array): Ipv4Addr {
  const [first = 0, second = 0, third = 0, fourth = 0] = octets;
  return ipv4Of(((first * 256 + second) * 256 + third) * 256 + fourth);
}

/** Sub-option "link selection" of the relay agent's option: RFC 3527. */
const LINK_SELECTION = 5;

/** The option by which a client or its relay agent says where the client is; `null` if neither does. */
export function selectionOf(
  { options }: DhcpMessage,
  { knowsLinkSelection }: DhcpdProfile,
): RawOption | null {
  const agent = knowsLinkSelection ? options.get(Option.RelayAgent.code) : undefined;
  const links = agent === undefined ? [] : subOptions(agent);
  const link = links.find(([code]) => code === LINK_SELECTION);
  const { code } = Option.SubnetSelection;
  const subnet = options.get(code);
  return link ?? (subnet === undefined ? null : [code, subnet]);
}

/** Sub-options up to the first that does not fit: RFC 3046 section 2.0. */
export function subOptions(octets: Uint8Array): readonly (readonly [number, Uint8Array])[] {
  const found: [number, Uint8Array][] = [];
  for (let at = 0; at < octets.length;) {
    const code = octets[at] ?? 0;
    if (code === 255) break;
    at += 1;
    if (code === 0) continue;
    const length = octets[at];
    if (length === undefined || at + 1 + length > octets.length) break;
    found.push([code, octets.slice(at + 1, at + 1 + length)]);
    at += 1 + length;
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
