/**
 * Giving a lease: ISC dhcpd's `ack_lease` and `dhcp_reply`, for RFC 2131 section 4.3.1 and 4.3.2.
 * @module
 */
import type { Instant } from "../base/time.ts";
import { IPV4_BROADCAST, type Ipv4Addr, ipv4Of, MAC_BROADCAST, type Mac } from "../wire/addr.ts";
import type { Host } from "./dhcpd-networks.ts";
import type { DhcpdProfile } from "./dhcpd-profile.ts";
import { type DhcpReply, encodeReply, headerFor, type ReplyBody } from "./dhcpd-reply.ts";
import { addressOf, type DhcpRequest, type ServedInterface, type Site } from "./dhcpd-request.ts";
import { commitLease, findDeclared, findUnfixed } from "./lease-commit.ts";
import { type Lease, type Seconds, secondsOf } from "./lease-table.ts";
import {
  BROADCAST_FLAG,
  DHCP_CLIENT_PORT,
  DHCP_SERVER_PORT,
  type DhcpHeader,
  DhcpType,
  macOfHeader,
} from "./message.ts";
import { Evaluation, type OptionState } from "./option-state.ts";
import { setTimes } from "./lease-time.ts";
import { textOctets } from "./option-type.ts";
import { Option, rawOption } from "./options.ts";

/** Why a lease is not given. */
export type GrantRefusal =
  | "dhcp/unknown-client"
  | "dhcp/bootp-denied"
  | "dhcp/booting-denied"
  | "dhcp/min-secs";

/** An answer that gives a lease. */
export interface Granted {
  readonly reply: DhcpReply;
  /** For how long to wait for an answer to a ping first; 0 for not at all. */
  readonly pingSeconds: Seconds;
}

/** A client that was heard so recently is not pinged. */
const PING_QUIET_TIME = 60;
const DEFAULT_PING_TIMEOUT = 1;

/** `IPTOS_LOWDELAY`, which dhcpd's own frames carry. */
const TOS = 0x10;

/** @param offer the type of the answer; 0 for BOOTP. */
export function grantLease(
  site: Site,
  request: DhcpRequest,
  lease: Lease,
  offer: number,
  now: Instant,
): Granted | GrantRefusal {
  const evaluation = new Evaluation();
  evaluation.enter(lease.subnet.scope);
  if (lease.pool !== null) evaluation.enter(lease.pool.scope, lease.pool.share.scope);
  if (request.type === DhcpType.Request && evaluation.flag("one-lease-per-client") === true) {
    releaseOthers(site, request, lease, evaluation, now);
  }
  const least = evaluation.number("min-secs");
  if (offer === DhcpType.Offer && least !== null && request.message.secs < least) {
    return "dhcp/min-secs";
  }
  const host = lease.host ?? findUnfixed(site.networks, request);
  if (host !== null) evaluation.enter(host.scope, (lease.pool ?? lease.subnet).scope);
  if (host === null && evaluation.isDenied("unknown-clients")) return "dhcp/unknown-client";
  if (offer === 0 && evaluation.isDenied("bootp")) return "dhcp/bootp-denied";
  if (evaluation.isDenied("booting")) return "dhcp/booting-denied";
  const isPinged =
    offer === DhcpType.Offer &&
    lease.pool !== null &&
    isQuiet(site, lease, now) &&
    evaluation.flag("ping-check") !== false;
  const seconds = commitLease(site, request, lease, { host, evaluation, offer, isPinged }, now);
  const wait = evaluation.number("ping-timeout") ?? DEFAULT_PING_TIMEOUT;
  return {
    reply: compose(site, request, lease, host, evaluation, offer, seconds),
    pingSeconds: isPinged ? wait : 0,
  };
}

/** The client's other leases, which it has forgotten if it can have one only. */
function releaseOthers(
  { table, networks }: Site,
  request: DhcpRequest,
  lease: Lease,
  evaluation: Evaluation,
  now: Instant,
): void {
  const { clientId, hardware } = lease.host ?? lease;
  const others = clientId === null ? [] : [...table.findByClientId(clientId)];
  const host = lease.host ?? (lease.state === "active" ? findDeclared(networks, request) : null);
  const isByHardware = host?.clientId === null && evaluation.isDenied("duplicates");
  if (hardware !== null && (clientId === null || isByHardware)) {
    others.push(...table.findByHardware(hardware));
  }
  for (const other of others) {
    if (other !== lease && other.state !== "free") table.release(other, now);
  }
}

/** If nothing was heard of the lease's client for so long that its address is to be pinged. */
function isQuiet({ profile }: Site, { state, heard }: Lease, now: Instant): boolean {
  if (state === "abandoned" && profile.pingsAbandoned) return true;
  return secondsOf(now) - heard > PING_QUIET_TIME;
}

function compose(
  site: Site,
  request: DhcpRequest,
  lease: Lease,
  host: Host | null,
  evaluation: Evaluation,
  offer: number,
  seconds: Seconds,
): DhcpReply {
  const { profile } = site;
  const { message, input } = request;
  const { options } = evaluation;
  const selection = message.options.get(Option.SubnetSelection.code);
  if (selection !== undefined) options.set(Option.SubnetSelection.code, selection);
  let source = input.address;
  if (offer !== 0) {
    options.set(...rawOption(Option.MessageType, offer));
    source = nameServer(options, input);
    setTimes(profile, options, seconds);
  }
  setDefaults(evaluation, lease, host);
  const flags =
    evaluation.flag("always-broadcast") === true ? message.flags | BROADCAST_FLAG : message.flags;
  const header: DhcpHeader = {
    ...headerFor(request),
    flags,
    yiaddr: lease.address,
    chaddr: lease.chaddr ?? message.chaddr,
    siaddr: ipv4Of(evaluation.address("next-server") ?? 0),
  };
  const body: ReplyBody = {
    ...bodyOf(evaluation, request),
    wantsNul: offer !== 0 && request.wantsNul,
    mayOverload: true,
    echoesClientId: echoClientId(evaluation, options, request),
  };
  const payload = encodeReply(profile, request, header, body, site.named);
  return deliver(profile, request, header, payload, source, lease, offer);
}

/** What an answer takes from the scopes besides the options themselves. */
export function bodyOf(evaluation: Evaluation, { message, agent }: DhcpRequest): ReplyBody {
  const { options } = evaluation;
  const configured = options.find(Option.MaxMessageSize.code);
  return {
    options,
    list:
      options.find(Option.ParameterRequestList.code) ??
      message.options.get(Option.ParameterRequestList.code) ??
      null,
    largest:
      configured === null || message.options.has(Option.MaxMessageSize.code)
        ? 0
        : (Option.MaxMessageSize.type.decode(configured) ?? 0),
    wantsNul: false,
    mayOverload: false,
    echoesClientId: false,
    agent,
    file: evaluation.text("filename"),
    sname: evaluation.text("server-name"),
  };
}

/** RFC 6842 section 3, if `scope` says so. @returns true if the client's identifier goes back. */
export function echoClientId(
  scope: Evaluation,
  options: OptionState,
  { clientId }: DhcpRequest,
): boolean {
  if (clientId === null || scope.flag("echo-client-id") !== true) return false;
  options.set(Option.ClientIdentifier.code, clientId);
  return true;
}

/** Let the answer say who the server is. @returns the address by which it calls itself. */
export function nameServer(options: OptionState, { address }: ServedInterface): Ipv4Addr {
  const configured = options.find(Option.ServerIdentifier.code);
  if (configured?.length === 4) return addressOf(configured);
  options.set(...rawOption(Option.ServerIdentifier, address));
  return address;
}

function setDefaults(evaluation: Evaluation, lease: Lease, host: Host | null): void {
  const { options } = evaluation;
  const { subnet, address } = lease;
  if (options.find(Option.SubnetMask.code) === null) {
    options.set(...rawOption(Option.SubnetMask, subnet.netmask));
  }
  setHostName(evaluation, host);
  if (evaluation.flag("use-lease-addr-for-default-route") === true) {
    if (options.find(Option.Routers.code) === null) {
      options.set(...rawOption(Option.Routers, [address]));
    }
  }
}

/** A host may be called as its declaration is. */
export function setHostName(evaluation: Evaluation, host: Host | null): void {
  const { options } = evaluation;
  if (host === null || evaluation.flag("use-host-decl-names") !== true) return;
  const { code } = Option.HostName;
  if (options.find(code) === null) options.set(code, textOctets(host.name));
}

const LOOPBACK = 0x7f00_0001;

/** By which way an answer goes: RFC 2131 section 4.1. */
function deliver(
  profile: DhcpdProfile,
  request: DhcpRequest,
  header: DhcpHeader,
  payload: Uint8Array,
  source: Ipv4Addr,
  lease: Lease,
  offer: number,
): DhcpReply {
  const { giaddr, ciaddr, yiaddr, flags } = header;
  if (giaddr !== 0) return relayed(giaddr, payload);
  const isBroadcast = (flags & BROADCAST_FLAG) !== 0;
  const isSelecting = request.message.options.has(Option.ServerIdentifier.code) || isBroadcast;
  const isHere = request.input.share === lease.subnet.share;
  if (ciaddr !== 0 && offer === DhcpType.Ack && !(isSelecting && isHere)) {
    return { transport: "socket", payload, destination: ciaddr, destinationPort: DHCP_CLIENT_PORT };
  }
  const mac = isBroadcast ? MAC_BROADCAST : (macOfHeader(header) ?? MAC_BROADCAST);
  return framed(profile, request, payload, source, isBroadcast ? IPV4_BROADCAST : yiaddr, mac);
}

/** An answer to a relay agent. */
export function relayed(giaddr: Ipv4Addr, payload: Uint8Array): DhcpReply {
  const destinationPort = giaddr === LOOPBACK ? DHCP_CLIENT_PORT : DHCP_SERVER_PORT;
  return { transport: "socket", payload, destination: giaddr, destinationPort };
}

/** An answer in a frame of dhcpd's own making. */
export function framed(
  { ttl }: DhcpdProfile,
  { input }: DhcpRequest,
  payload: Uint8Array,
  source: Ipv4Addr,
  destination: Ipv4Addr,
  destinationMac: Mac,
): DhcpReply {
  return {
    transport: "raw",
    device: input.name,
    payload,
    source,
    destination,
    sourcePort: DHCP_SERVER_PORT,
    destinationPort: DHCP_CLIENT_PORT,
    destinationMac,
    ttl,
    tos: TOS,
    id: 0,
  };
}
