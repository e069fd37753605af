/**
 * What a lease table remembers of an answer, and when it remembers nothing new: ISC dhcpd's
 * `reuse_lease` and the part of its `ack_lease` that calls `supersede_lease`.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Host, Networks } from "./dhcpd-networks.ts";
import { type DhcpRequest, isSame, type Site } from "./dhcpd-request.ts";
import { type Lease, type Seconds, secondsOf } from "./lease-table.ts";
import { endOf } from "./lease-time.ts";
import { DhcpType } from "./message.ts";
import type { Evaluation } from "./option-state.ts";
import { Option, type RawOption } from "./options.ts";

/** For how long an offer holds, in seconds. */
const OFFER_TIME = 120;
/** What ISC dhcpd's `int` holds; a longer lease has a negative length for it. */
const LONGEST_YOUTH = 0x7fff_ffff;

/** What of a lease changes with an answer. */
export interface Commitment {
  /** The declaration whose statements hold for the client. */
  readonly host: Host | null;
  readonly evaluation: Evaluation;
  /** The type of the answer; 0 for BOOTP. */
  readonly offer: number;
  readonly isPinged: boolean;
}

/** Enter the lease into the table. @returns for how many seconds the answer gives it. */
export function commitLease(
  site: Site,
  request: DhcpRequest,
  lease: Lease,
  { host, evaluation, offer, isPinged }: Commitment,
  now: Instant,
): Seconds {
  const { profile, table } = site;
  const time = secondsOf(now);
  const end = endOf(site, request, evaluation, offer, time);
  if (lease.pool === null) return end - time;
  const keepsId = evaluation.flag("ignore-client-uids") !== true;
  const client = {
    clientId: keepsId ? request.clientId : null,
    hardware: request.hardware,
    chaddr: request.message.chaddr,
    hostName: hostNameOf(request),
  };
  const threshold = evaluation.number("dhcp-cache-threshold") ?? profile.cacheThreshold;
  const percent = threshold < 100 ? threshold : profile.cacheThreshold;
  const isSameHost = host === findDeclared(site.networks, request);
  if (isSameHost && isSameClient(lease, client) && isYoung(lease, percent, time)) {
    table.update(lease, { mustRenew: false, heard: isPinged ? lease.heard : time }, now);
    return lease.ends - time;
  }
  const isOffer = offer === DhcpType.Offer;
  table.update(
    lease,
    {
      ...client,
      state: isOffer ? lease.state : "active",
      starts: time,
      ends: isOffer ? Math.max(time + OFFER_TIME, lease.ends) : end,
      heard: time,
      agent: agentOf(request, lease, evaluation, isOffer ? lease.state : "active"),
      mustRenew: isOffer,
    },
    now,
  );
  return end - time;
}

/** What is kept of a relay agent's words: the client will renew past it. */
function agentOf(
  { agent }: DhcpRequest,
  lease: Lease,
  evaluation: Evaluation,
  state: Lease["state"],
): readonly RawOption[] {
  if (state !== "active") return [];
  const isStashed = agent.length > 0 && evaluation.flag("stash-agent-options") !== false;
  return isStashed ? agent : lease.agent;
}

/** If a lease is so young that its old times are repeated. */
function isYoung(
  { state, mustRenew, starts, ends }: Lease,
  percent: number,
  time: Seconds,
): boolean {
  if (percent === 0 || state !== "active" || mustRenew) return false;
  const length = ends - starts;
  if (length > LONGEST_YOUTH) return false;
  return time - starts <= Math.floor((length * percent) / 100);
}

function isSameClient(
  lease: Lease,
  {
    clientId,
    hardware,
    hostName,
  }: Pick<Lease, "clientId" | "hostName"> & Pick<DhcpRequest, "hardware">,
): boolean {
  return (
    isSame(lease.clientId, clientId) &&
    lease.hardware?.htype === hardware.htype &&
    isSame(lease.hardware.octets, hardware.octets) &&
    (hostName === null || isSame(lease.hostName, hostName))
  );
}

/** What the client calls itself, without NULs at the end. */
function hostNameOf({ message }: DhcpRequest): Uint8Array | null {
  const octets = message.options.get(Option.HostName.code);
  if (octets === undefined || octets.length === 0) return null;
  return octets.slice(0, octets.findLastIndex((octet) => octet !== 0) + 1);
}

const isUnfixed = ({ fixedAddresses }: Host): boolean => fixedAddresses.length === 0;

/** The declaration of a client that names no address: its statements hold for a pool's lease. */
export function findUnfixed(networks: Networks, { clientId, hardware }: DhcpRequest): Host | null {
  const byId = clientId === null ? [] : networks.hostsByClientId(clientId);
  const byHardware = networks.hostsByHardware(hardware.htype, hardware.octets);
  return byId.find(isUnfixed) ?? byHardware.find(isUnfixed) ?? null;
}

/** The one that `find_lease` sees: a client that its identifier declares is declared by that. */
export function findDeclared(networks: Networks, { clientId, hardware }: DhcpRequest): Host | null {
  const byId = clientId === null ? [] : networks.hostsByClientId(clientId);
  const byHardware = networks.hostsByHardware(hardware.htype, hardware.octets);
  return (byId.length > 0 ? byId : byHardware).find(isUnfixed) ?? null;
}
