/**
 * Which lease a client shall have: ISC dhcpd's `find_lease`, for RFC 2131 section 4.3.1 and 4.3.2.
 *
 * Three leases may speak for a client: that of its identifier, that of its hardware address, and
 * that of the address which it asks for; a fixed address comes before them all.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Ipv4Addr } from "../wire/addr.ts";
import { type Host, inSubnet, type Networks, type SharedNetwork } from "./dhcpd-networks.ts";
import type { DhcpdProfile } from "./dhcpd-profile.ts";
import { type DhcpRequest, isPermitted, isSame, isTenant, type Registry } from "./dhcpd-request.ts";
import { fixedLease, type Lease, type LeaseTable } from "./lease-table.ts";
import { DhcpType } from "./message.ts";

/** What `find_lease` found. */
export interface LeaseChoice {
  readonly lease: Lease | null;
  /** True if the address that the client asks for is this server's to refuse. */
  readonly isOurs: boolean;
  /** What a NAK will say, until a later search changes it. */
  readonly message: string;
}

/** The words of a NAK. */
const NakText = {
  Incorrect: "requested address is incorrect",
  BadSubnet: "requested address on bad subnet",
  Unavailable: "requested address not available",
  Conflict: "database conflict - call for help!",
} as const;

/** One search. It may release leases that the client has no more right to. */
export class LeaseSearch {
  readonly #profile: DhcpdProfile;
  readonly #networks: Networks;
  readonly #table: LeaseTable;
  readonly #request: DhcpRequest;
  readonly #share: SharedNetwork;
  readonly #now: Instant;
  readonly #isRequest: boolean;
  /** False if the client says that it uses an address: its leases stay as they are. */
  readonly #mayRelease: boolean;
  #message: string;
  #isOurs = false;

  /** @param message what the last search said. */
  constructor(
    { profile, networks, table }: Registry,
    request: DhcpRequest,
    share: SharedNetwork,
    now: Instant,
    message: string,
  ) {
    this.#profile = profile;
    this.#networks = networks;
    this.#table = table;
    this.#request = request;
    this.#share = share;
    this.#now = now;
    this.#isRequest = request.type === DhcpType.Request;
    this.#mayRelease = request.message.ciaddr === 0;
    this.#message = message;
  }

  run(): LeaseChoice {
    const lease = this.#choose();
    const isLost = lease?.state === "abandoned" && !this.#mayReclaim(lease);
    return {
      lease: isLost ? null : lease,
      isOurs: isLost || this.#isOurs,
      message: this.#message,
    };
  }

  #choose(): Lease | null {
    const { message, requested } = this.#request;
    const asked = message.ciaddr === 0 ? requested : message.ciaddr;
    let fixed = this.#fixed();
    if (this.#isRequest && fixed !== null && fixed.address !== asked) {
      this.#isOurs = true;
      this.#message = NakText.Incorrect;
      return null;
    }
    let byId = this.#byClientId();
    let byHardware = this.#byHardware();
    let byAddress = this.#byAddress(asked, byId ?? byHardware);
    if (byAddress?.state === "active" && byAddress.clientId !== null && byAddress !== byId) {
      if (this.#isSameId(byAddress) && byId !== null) {
        if (this.#isRequest && byId.state === "active") this.#release(byId);
        byId = byAddress;
      }
      if (this.#isRequest && fixed !== null) {
        fixed = null;
        this.#message = NakText.Conflict;
      }
      if (byAddress !== byId) byAddress = null;
    }
    if (this.#isRequest && fixed !== null && byAddress !== null) {
      byAddress = null;
      this.#message = NakText.Conflict;
    }
    if (byHardware === byId || byHardware === byAddress) byHardware = null;
    if (byId === byAddress) byId = null;
    byAddress = this.#permitted(byAddress);
    if (byAddress === null) this.#message = NakText.Unavailable;
    if (this.#isRequest && byAddress === null && fixed === null) return null;
    return this.#best(fixed, byAddress, byId, byHardware);
  }

  #best(
    fixed: Lease | null,
    byAddress: Lease | null,
    byId: Lease | null,
    byHardware: Lease | null,
  ): Lease | null {
    if (fixed !== null && byAddress !== null) this.#release(byAddress);
    const first = fixed ?? byAddress;
    if (first !== null && byId?.state === "active" && this.#isRequest) this.#release(byId);
    return (
      first ?? byId ?? (byHardware !== null && this.#mayResume(byHardware) ? byHardware : null)
    );
  }

  /** An abandoned lease is offered if there is no other; the client that was may ask for it. */
  #mayReclaim({ address }: Lease): boolean {
    const { message, requested } = this.#request;
    const asked = message.ciaddr === 0 ? requested : message.ciaddr;
    return this.#profile.reclaimsAbandoned && this.#isRequest && asked === address;
  }

  /** A lease of the client's hardware, but perhaps of another identifier. */
  #mayResume(lease: Lease): boolean {
    if (lease.clientId === null) return true;
    return this.#request.clientId === null ? this.#request.type === 0 : this.#isSameId(lease);
  }

  #fixed(): Lease | null {
    const { clientId, hardware } = this.#request;
    const byId = clientId === null ? [] : this.#networks.hostsByClientId(clientId);
    if (byId.length > 0) return fixedOnNetwork(byId, this.#share);
    const byHardware = this.#networks.hostsByHardware(hardware.htype, hardware.octets);
    return fixedOnNetwork(byHardware, this.#share);
  }

  #byClientId(): Lease | null {
    const { clientId } = this.#request;
    const leases =
      clientId === null || clientId.length === 0 ? [] : this.#table.findByClientId(clientId);
    for (const lease of [...leases]) {
      const isLost = lease.state === "abandoned";
      const isHere = this.#isHere(lease);
      if (!isLost && isHere && this.#isPermitted(lease)) return lease;
      if (isLost || isHere || this.#profile.releasesElsewhere) this.#release(lease);
    }
    return null;
  }

  #byHardware(): Lease | null {
    for (const lease of [...this.#table.findByHardware(this.#request.hardware)]) {
      if (lease.state === "abandoned" || !this.#isHere(lease)) continue;
      if (lease.state === "active" && lease.clientId !== null && !this.#isSameId(lease)) continue;
      if (this.#isPermitted(lease)) return lease;
      this.#release(lease);
    }
    return null;
  }

  /** @param other another lease of the client, or `null`. */
  #byAddress(asked: Ipv4Addr | null, other: Lease | null): Lease | null {
    const lease = asked === null ? null : this.#table.findByAddress(asked);
    if (lease === null) return null;
    this.#isOurs = true;
    if (!this.#isHere(lease)) {
      this.#message = NakText.BadSubnet;
      return null;
    }
    if (!this.#isOfClient(lease) && lease.state !== "free") {
      if (lease.state !== "active") this.#isOurs = false;
      return null;
    }
    const isDiscover = this.#request.type === DhcpType.Discover;
    return other !== null && lease.state === "abandoned" && isDiscover ? null : lease;
  }

  #isOfClient(lease: Lease): boolean {
    return isTenant(lease, this.#request.clientId, this.#request.hardware);
  }

  #isSameId({ clientId }: Lease): boolean {
    return clientId !== null && isSame(clientId, this.#request.clientId);
  }

  #isHere({ subnet }: Lease): boolean {
    return subnet.share === this.#share;
  }

  #isPermitted({ pool }: Lease): boolean {
    return pool === null || isPermitted(pool, this.#request);
  }

  #permitted(lease: Lease | null): Lease | null {
    if (lease === null || this.#isPermitted(lease)) return lease;
    if (lease.state === "active") this.#release(lease);
    return null;
  }

  #release(lease: Lease): void {
    if (this.#mayRelease && lease.pool !== null) this.#table.release(lease, this.#now);
  }
}

/** The first address of the first host that has one on the network. */
function fixedOnNetwork(hosts: readonly Host[], share: SharedNetwork): Lease | null {
  for (const host of hosts) {
    for (const address of host.fixedAddresses) {
      const subnet = share.subnets.find((one) => inSubnet(one, address));
      if (subnet !== undefined) return fixedLease(host, subnet, address);
    }
  }
  return null;
}
