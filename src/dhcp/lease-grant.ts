/**
 * Giving a lease: ISC dhcpd's `ack_lease` and `dhcp_reply`, for RFC 2131 section 4.3.1 and 4.3.2.
 * @module
 */
import type { Instant } from "../base/time.ts";
import { IPV4_BROADCAST, type Ipv4Addr, ipv4Of, MAC_BROADCAST, type Mac } from "../wire/addr.ts";
import type { NamedOption } from "./dhcpd-conf.ts";
import { type Host, keyOf, type Networks, type SharedNetwork } from "./dhcpd-networks.ts";
import type { DhcpdProfile } from "./dhcpd-profile.ts";
import {
  type DhcpReply,
  encodeReply,
  headerFor,
  type ReplyBody,
} from "./dhcpd-reply.ts";
import { addressOf, type DhcpRequest, type ServedInterface } from "./dhcpd-request.ts";
import { type Lease, type LeaseTable, type Seconds, secondsOf } from "./lease-table.ts";
import {
  BROADCAST_FLAG,
  DHCP_CLIENT_PORT,
  DHCP_SERVER_PORT,
  type DhcpHeader,
  DhcpType,
  macOfHeader,
} from "./message.ts";
import { Evaluation, type OptionState } from "./option-state.ts";
import { textOctets, U32 } from "./option-type.ts";
import { Option, rawOption } from "./options.ts";

/** What a dhcpd knows while it runs. */
export interface Site {
  readonly profile: DhcpdProfile;
  readonly networks: Networks;
  readonly table: LeaseTable;
  /** The options that have names, by code. */
  readonly named: ReadonlyMap<number, NamedOption>;
  /** The first interface of each network. */
  readonly interfaces: ReadonlyMap<SharedNetwork, ServedInterface>;
}

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

/** ISC dhcpd's defaults, in seconds. */
const DEFAULT_LEASE_TIME = 43_200;
const DEFAULT_MAX_LEASE_TIME = 86_400;
const DEFAULT_MIN_LEASE_TIME = 300;
/** For how long an offer holds. */
const OFFER_TIME = 120;
/** A client that was heard so recently is not pinged. */
const PING_QUIET_TIME = 60;
const DEFAULT_PING_TIMEOUT = 1;
const LONGEST_TIME = 0xffff_ffff;

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
    releaseOthers(site, lease, now);
  }
  const least = evaluation.number("min-secs");
  if (offer === DhcpType.Offer && least !== null && request.message.secs < least) return "dhcp/min-secs";
  const host = lease.host ?? findUnfixedHost(site.networks, request);
  if (host !== null) evaluation.enter(host.scope, (lease.pool ?? lease.subnet).scope);
  if (host === null && evaluation.isDenied("unknown-clients")) return "dhcp/unknown-client";
  if (offer === 0 && evaluation.isDenied("bootp")) return "dhcp/bootp-denied";
  if (evaluation.isDenied("booting")) return "dhcp/booting-denied";
  const heard = lease.heard;
  const seconds = commit(site, request, lease, evaluation, offer, now);
  const isPinged =
    offer === DhcpType.Offer &&
    lease.pool !== null &&
    secondsOf(now) - heard > PING_QUIET_TIME &&
    evaluation.flag("ping-check") !== false;
  const wait = evaluation.number("ping-timeout") ?? DEFAULT_PING_TIMEOUT;
  return {
    reply: compose(site, request, lease, host, evaluation, offer, seconds),
    pingSeconds: isPinged ? wait : 0,
  };
}

/** The declaration of a client that names no address: its statements hold for a pool's lease. */
function findUnfixedHost(networks: Networks, { clientId, hardware }: DhcpRequest): Host | null {
  const isUnfixed = ({ fixedAddresses }: Host): boolean => fixedAddresses.length === 0;
  const byId = clientId === null ? [] : networks.hostsByClientId(clientId);
  const byHardware = networks.hostsByHardware(hardware.htype, hardware.octets);
  return byId.find(isUnfixed) ?? byHardware.find(isUnfixed) ?? null;
}

function releaseOthers({ table }: Site, lease: Lease, now: Instant): void {
  const { clientId, hardware } = lease;
  const byId = clientId === null ? [] : table.findByClientId(clientId);
  const others = byId.length > 0 || hardware === null ? byId : table.findByHardware(hardware);
  for (const other of [...others]) {
    if (other !== lease && other.state === "active") table.release(other, now);
  }
}

/** Enter the lease into the table. @returns for how many seconds the answer gives it. */
function commit(
  { profile, table }: Site,
  request: DhcpRequest,
  lease: Lease,
  evaluation: Evaluation,
  offer: number,
  now: Instant,
): Seconds {
  const time = secondsOf(now);
  const given = offer === 0 ? bootpTime(evaluation) : leaseTime(request, evaluation);
  if (lease.pool === null) return given;
  const keepsId = evaluation.flag("ignore-client-uids") !== true;
  const clientId = keepsId ? request.clientId : null;
  const threshold = evaluation.number("dhcp-cache-threshold") ?? profile.cacheThreshold;
  if (offer !== 0 && isReusable(lease, clientId, threshold, time)) {
    table.update(lease, { mustRenew: false }, now);
    return lease.ends - time;
  }
  const isOffer = offer === DhcpType.Offer;
  table.update(
    lease,
    {
      state: isOffer ? lease.state : "active",
      starts: time,
      ends: isOffer ? Math.max(time + OFFER_TIME, lease.ends) : time + given,
      heard: time,
      clientId,
      hardware: request.hardware,
      mustRenew: isOffer,
    },
    now,
  );
  return given;
}

/** If a lease is so young that its old times are repeated. */
function isReusable(lease: Lease, clientId: Uint8Array | null, threshold: number, time: Seconds): boolean {
  if (threshold <= 0 || threshold >= 100 || lease.state !== "active" || lease.mustRenew) return false;
  const sameId = clientId === null ? lease.clientId === null : isSame(lease.clientId, clientId);
  const limit = Math.floor(((lease.ends - lease.starts) * threshold) / 100);
  return sameId && time - lease.starts <= limit;
}

const isSame = (one: Uint8Array | null, other: Uint8Array): boolean =>
  one !== null && keyOf(one) === keyOf(other);

function bootpTime(evaluation: Evaluation): Seconds {
  return evaluation.number("dynamic-bootp-lease-length") ?? Number.POSITIVE_INFINITY;
}

function leaseTime({ message }: DhcpRequest, evaluation: Evaluation): Seconds {
  const usual = evaluation.number("default-lease-time") ?? DEFAULT_LEASE_TIME;
  const longest = evaluation.number("max-lease-time") ?? DEFAULT_MAX_LEASE_TIME;
  const shortest = evaluation.number("min-lease-time") ?? Math.min(DEFAULT_MIN_LEASE_TIME, longest);
  const asked = message.options.get(Option.LeaseTime.code);
  const wanted = asked?.length === 4 ? addressOf(asked) : usual;
  const time = Math.min(wanted, longest);
  if (time >= shortest) return time;
  return shortest === 0 ? usual : shortest;
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
    setTimes(profile, options, Math.min(seconds, LONGEST_TIME));
  }
  setDefaults(evaluation, lease, host);
  const flags = evaluation.flag("always-broadcast") === true ? message.flags | BROADCAST_FLAG : message.flags;
  const header: DhcpHeader = {
    ...headerFor(request),
    flags,
    yiaddr: lease.address,
    siaddr: ipv4Of(evaluation.address("next-server") ?? 0),
  };
  const body: ReplyBody = {
    ...bodyOf(evaluation, request),
    wantsNul: offer !== 0 && request.wantsNul,
    mayOverload: true,
  };
  const payload = encodeReply(profile, request, header, body, site.named);
  return deliver(profile, request, header, payload, source, lease, offer);
}

/** What an answer takes from the scopes besides the options themselves. */
export function bodyOf(evaluation: Evaluation, { message, clientId }: DhcpRequest): ReplyBody {
  const { options } = evaluation;
  const configured = options.find(Option.MaxMessageSize.code);
  const echoesClientId = evaluation.flag("echo-client-id") === true && clientId !== null;
  if (echoesClientId && clientId !== null) options.set(Option.ClientIdentifier.code, clientId);
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
    echoesClientId,
    file: evaluation.text("filename"),
    sname: evaluation.text("server-name"),
  };
}

/** Let the answer say who the server is. @returns the address by which it calls itself. */
export function nameServer(options: OptionState, { address }: ServedInterface): Ipv4Addr {
  const configured = options.find(Option.ServerIdentifier.code);
  if (configured?.length === 4) return addressOf(configured);
  options.set(...rawOption(Option.ServerIdentifier, address));
  return address;
}

function setTimes({ givesTimers }: DhcpdProfile, options: OptionState, seconds: Seconds): void {
  options.set(...rawOption(Option.LeaseTime, seconds));
  if (givesTimers) {
    const half = Math.floor(seconds / 2);
    options.set(...rawOption(Option.RenewalTime, half));
    const rebinding = half + Math.floor(half / 2) + Math.floor(half / 4);
    options.set(...rawOption(Option.RebindingTime, rebinding));
    return;
  }
  let limit = seconds;
  for (const { code } of [Option.RebindingTime, Option.RenewalTime]) {
    const octets = options.find(code);
    const time = octets === null ? null : U32.decode(octets);
    if (time === null) continue;
    if (time >= limit) options.delete(code);
    else limit = time;
  }
}

function setDefaults(evaluation: Evaluation, lease: Lease, host: Host | null): void {
  const { options } = evaluation;
  const { subnet, address } = lease;
  if (options.find(Option.SubnetMask.code) === null) {
    options.set(...rawOption(Option.SubnetMask, subnet.netmask));
  }
  if (host !== null && evaluation.flag("use-host-decl-names") === true) {
    if (options.find(Option.HostName.code) === null) options.set(Option.HostName.code, textOctets(host.name));
  }
  if (evaluation.flag("use-lease-addr-for-default-route") === true) {
    if (options.find(Option.Routers.code) === null) options.set(...rawOption(Option.Routers, [address]));
  }
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
