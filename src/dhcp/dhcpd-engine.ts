/**
 * One run of a dhcpd: what it answers to each message, from its start to its end.
 *
 * RFC 2131 section 4.3; ISC dhcpd's `do_packet`, `dhcp` and the functions for each message type.
 * @module
 */
import { type Instant, NEVER, SECOND } from "../base/time.ts";
import type { Ipv4Addr } from "../wire/addr.ts";
import { bootReply, inform, type InformRefusal, refuse } from "./dhcpd-inform.ts";
import type { SharedNetwork, Subnet } from "./dhcpd-networks.ts";
import type { DhcpdProfile } from "./dhcpd-profile.ts";
import type { DhcpReply } from "./dhcpd-reply.ts";
import { type DhcpRequest, isPermitted, requestOf, type Site } from "./dhcpd-request.ts";
import type { DhcpdSetup } from "./dhcpd-setup.ts";
import { LeaseSearch } from "./lease-choice.ts";
import { type GrantRefusal, grantLease } from "./lease-grant.ts";
import { type Lease, LeaseTable, type Seconds, secondsOf } from "./lease-table.ts";
import { BootpOp, decodeMessage, type DhcpDiscard, DhcpType } from "./message.ts";
import { Evaluation } from "./option-state.ts";

/** A UDP payload for port 67, as a packet socket on a device sees it. */
export interface DhcpInput {
  /** Name of the device. */
  readonly device: string;
  /** UDP payload; borrowed until return. */
  readonly octets: Uint8Array;
  /** IP source address. */
  readonly source: Ipv4Addr;
}

/** Why a message has the answer that it has. */
export type DhcpReason =
  | DhcpDiscard
  | GrantRefusal
  | InformRefusal
  | "dhcp/not-running"
  | "dhcp/not-listening"
  | "dhcp/options"
  | "dhcp/client-id"
  | "dhcp/op"
  | "dhcp/type"
  | "dhcp/unknown-network"
  | "dhcp/unknown-lease"
  | "dhcp/no-free-lease"
  | "dhcp/busy"
  | "dhcp/ping"
  | "dhcp/offer"
  | "dhcp/ack"
  | "dhcp/nak"
  | "dhcp/bootp"
  | "dhcp/released"
  | "dhcp/declined";

/** What comes of a message. */
export interface DhcpAnswer {
  /** `null` if nothing is to be sent now. */
  readonly reply: DhcpReply | null;
  readonly reason: DhcpReason;
  /** The address that the server pings before it offers it; `null` for none. */
  readonly ping: Ipv4Addr | null;
}

/** An offer that waits for an answer to a ping. */
interface Waiting {
  readonly until: Instant;
  readonly reply: DhcpReply;
}

/** ISC dhcpd 4.4's `DEFAULT_ABANDON_LEASE_TIME`. */
const ABANDON_TIME = 86_400;

/** All state of one process. */
export class DhcpdEngine {
  readonly table: LeaseTable;
  readonly #site: Site;
  readonly #setup: DhcpdSetup;
  readonly #waiting = new Map<Lease, Waiting>();
  /** In ISC dhcpd it is a global: a NAK without a search repeats what the last one said. */
  #nakText = "";

  /** @throws {OptionError} if the pools are too large. */
  constructor(
    profile: DhcpdProfile,
    setup: DhcpdSetup,
    { limit, epoch }: { readonly limit: number; readonly epoch: Seconds },
  ) {
    const { networks, named } = setup;
    this.#setup = setup;
    this.table = new LeaseTable(networks, { limit, forgetsAbandoned: profile.forgetsAbandoned });
    this.#site = {
      profile,
      networks,
      table: this.table,
      named,
      firstOn: (share) => setup.firstOn(share),
      epoch,
    };
  }

  receive({ device, octets, source }: DhcpInput, now: Instant): DhcpAnswer {
    const input = this.#setup.find(device);
    if (input === null) return silence("dhcp/not-listening");
    const message = decodeMessage(octets);
    if (typeof message === "string") return silence(message);
    if (!message.isIntact) return silence("dhcp/options");
    const { profile } = this.#site;
    const request = requestOf(this.#site, message, { octets, source, input }, now);
    if (profile.dropsEmptyClientId && request.clientId?.length === 0) {
      return silence("dhcp/client-id");
    }
    if (request.type === 0) return this.#bootp(request, now);
    const mayBeAnywhere = request.type === DhcpType.Request || request.type === DhcpType.Inform;
    if (request.share === null && !mayBeAnywhere) return silence("dhcp/unknown-network");
    return this.#dhcp(request, now);
  }

  /** Somebody answered a ping: the address is in use, and the offer that waits is not sent. */
  echoed(address: Ipv4Addr, now: Instant): void {
    const lease = this.table.findByAddress(address);
    if (lease === null || !this.#waiting.delete(lease)) return;
    this.#abandon(lease, now);
  }

  nextDeadline(): Instant {
    const waits = [...this.#waiting.values()].map(({ until }) => until);
    return Math.min(this.table.nextDeadline(), ...waits, NEVER);
  }

  /** Let leases end. @returns the offers whose pings nobody answered. */
  expire(now: Instant): readonly DhcpReply[] {
    this.table.expire(now);
    const replies: DhcpReply[] = [];
    for (const [lease, { until, reply }] of [...this.#waiting]) {
      if (until > now) continue;
      this.#waiting.delete(lease);
      replies.push(reply);
    }
    return replies;
  }

  #dhcp(request: DhcpRequest, now: Instant): DhcpAnswer {
    switch (request.type) {
      case DhcpType.Discover:
        return this.#discover(request, now);
      case DhcpType.Request:
        return this.#request(request, now);
      case DhcpType.Release:
        return this.#release(request, now);
      case DhcpType.Decline:
        return this.#decline(request, now);
      case DhcpType.Inform:
        return answer(inform(this.#site, request), "dhcp/ack");
      default:
        return silence("dhcp/type");
    }
  }

  #search(
    request: DhcpRequest,
    share: SharedNetwork,
    now: Instant,
  ): { lease: Lease | null; isOurs: boolean } {
    const search = new LeaseSearch(this.#site, request, share, now, this.#nakText);
    const { lease, isOurs, message } = search.run();
    this.#nakText = message;
    return { lease, isOurs };
  }

  /** RFC 2131 section 4.3.1. */
  #discover(request: DhcpRequest, now: Instant): DhcpAnswer {
    const { share } = request;
    if (share === null) return silence("dhcp/unknown-network");
    const lease = this.#search(request, share, now).lease ?? this.#free(request, share, now);
    if (lease === null) return silence("dhcp/no-free-lease");
    return this.#grant(request, lease, DhcpType.Offer, now);
  }

  #free(request: DhcpRequest, share: SharedNetwork, now: Instant): Lease | null {
    return this.table.findFree(share, (pool) => isPermitted(pool, request), now);
  }

  /** RFC 2131 section 4.3.2. */
  #request(request: DhcpRequest, now: Instant): DhcpAnswer {
    const { networks } = this.#site;
    const { message, requested, share } = request;
    const asked = requested ?? message.ciaddr;
    const subnet = networks.findSubnet(asked);
    const found = subnet === null ? null : this.#search(request, subnet.share, now);
    const isFromRelay = message.ciaddr !== 0 && message.giaddr !== 0;
    const isBroadcast = requested !== null && message.ciaddr === 0;
    if (share === null) return this.#wrongNetwork(request, subnet);
    if (isFromRelay || isBroadcast) {
      const isHere = networks.findOnNetwork(share, asked) !== null;
      if (!isHere) {
        if (!share.scope.isAuthoritative) return silence("dhcp/not-authoritative");
        return this.#refuse(request, null);
      }
    }
    if (found === null) return silence("dhcp/unknown-lease");
    if (found.lease !== null) return this.#grant(request, found.lease, DhcpType.Ack, now);
    return found.isOurs ? this.#refuse(request, subnet) : silence("dhcp/unknown-lease");
  }

  /** A client from a place that the configuration does not know. */
  #wrongNetwork(request: DhcpRequest, subnet: Subnet | null): DhcpAnswer {
    if (subnet === null) return silence("dhcp/unknown-subnet");
    if (!subnet.scope.isAuthoritative) return silence("dhcp/not-authoritative");
    return this.#refuse(request, null);
  }

  /** @param subnet of the address that the client asks for. */
  #refuse(request: DhcpRequest, subnet: Subnet | null): DhcpAnswer {
    return answer(refuse(this.#site, request, subnet, this.#nakText), "dhcp/nak");
  }

  /** RFC 2131 section 4.3.4. */
  #release({ message, clientId, hardware }: DhcpRequest, now: Instant): DhcpAnswer {
    const byId = clientId === null ? [] : this.table.findByClientId(clientId);
    const lease =
      byId.find(({ address }) => address === message.ciaddr) ??
      this.table.findByAddress(message.ciaddr);
    const isOwn =
      lease !== null &&
      lease.hardware !== null &&
      this.table.findByHardware(hardware).includes(lease);
    if (!isOwn) return silence("dhcp/unknown-lease");
    if (lease.ends > secondsOf(now)) this.table.release(lease, now);
    return silence("dhcp/released");
  }

  /** RFC 2131 section 4.3.3. */
  #decline({ requested }: DhcpRequest, now: Instant): DhcpAnswer {
    const lease = requested === null ? null : this.table.findByAddress(requested);
    if (lease === null) return silence("dhcp/unknown-lease");
    const evaluation = new Evaluation();
    evaluation.enter(lease.subnet.scope);
    if (evaluation.isDenied("declines")) return silence("dhcp/declined");
    this.#waiting.delete(lease);
    this.#abandon(lease, now);
    return silence("dhcp/declined");
  }

  #abandon(lease: Lease, now: Instant): void {
    const evaluation = new Evaluation();
    evaluation.enter(lease.subnet.scope);
    this.table.abandon(lease, evaluation.number("abandon-lease-time") ?? ABANDON_TIME, now);
  }

  /** RFC 2131 section 4.3.1 for BOOTP clients: RFC 1534 section 2. */
  #bootp(request: DhcpRequest, now: Instant): DhcpAnswer {
    const { message, share } = request;
    if (message.op !== BootpOp.Request) return silence("dhcp/op");
    if (share === null) return silence("dhcp/unknown-network");
    const found = this.#search(request, share, now).lease;
    if (found !== null && found.pool === null) {
      return answer(bootReply(this.#site, request, found), "dhcp/bootp");
    }
    const lease = found ?? this.#free(request, share, now);
    return lease === null ? silence("dhcp/no-free-lease") : this.#grant(request, lease, 0, now);
  }

  #grant(request: DhcpRequest, lease: Lease, offer: number, now: Instant): DhcpAnswer {
    if (this.#waiting.has(lease)) return silence("dhcp/busy");
    const granted = grantLease(this.#site, request, lease, offer, now);
    if (typeof granted === "string") return silence(granted);
    if (granted.pingSeconds > 0) {
      this.#waiting.set(lease, { until: now + granted.pingSeconds * SECOND, reply: granted.reply });
      return { reply: null, reason: "dhcp/ping", ping: lease.address };
    }
    return { reply: granted.reply, reason: REASON.get(offer) ?? "dhcp/bootp", ping: null };
  }
}

const REASON = new Map<number, DhcpReason>([
  [DhcpType.Offer, "dhcp/offer"],
  [DhcpType.Ack, "dhcp/ack"],
]);

/** No answer, for a reason. */
export function silence(reason: DhcpReason): DhcpAnswer {
  return { reply: null, reason, ping: null };
}

function answer(reply: DhcpReply | InformRefusal, reason: DhcpReason): DhcpAnswer {
  return typeof reply === "string" ? silence(reply) : { reply, reason, ping: null };
}
