/**
 * A running domain of a zone: its names and addresses, and the guest inside or its vif for others.
 * @module
 */
import type { Ipv4Addr, Mac } from "../wire/addr.ts";
import type { Guest } from "../guest/guest.ts";
import type { Vif } from "../xen/vif.ts";
import type { ExternalVif } from "./external-vif.ts";
import { instanceId } from "./naming.ts";

/** What is known of a domain; {@link ZoneHost.launch} makes it. */
export interface DomainParts {
  /** The zone's number of the domain: its name and instance id are made of it. */
  readonly serial: number;
  /** Dom0's end. */
  readonly vif: Vif;
  /** The simulated domU; `null` where the user plugs in something else. */
  readonly guest: Guest | null;
  /** The domU's end for the user; `null` where a simulated domU has it. */
  readonly external: ExternalVif | null;
}

/** One domain. */
export class Domain {
  readonly serial: number;
  readonly guest: Guest | null;
  readonly external: ExternalVif | null;
  readonly #parts: DomainParts;

  constructor(parts: DomainParts) {
    this.#parts = parts;
    this.serial = parts.serial;
    this.guest = parts.guest;
    this.external = parts.external;
  }

  /** "dom_32504936". */
  get name(): string {
    return this.#parts.vif.domain;
  }

  /** "i-00b6bc68". */
  get instanceId(): string {
    return instanceId(this.serial);
  }

  /** Xen's number of it on its host. */
  get domid(): number {
    return this.#parts.vif.domid;
  }

  /** The address that the outside knows it by; `null` for none. */
  get publicAddress(): Ipv4Addr | null {
    return this.#parts.vif.publicAddress;
  }

  /** Dom0's end of its interface. */
  get backend(): Vif {
    return this.#parts.vif;
  }

  get mac(): Mac {
    return this.#parts.vif.mac;
  }

  /** The first of its private addresses. */
  get privateAddress(): Ipv4Addr {
    const [address] = this.#parts.vif.addresses;
    if (address === undefined) throw new RangeError("a vif has an address");
    return address;
  }

  toString(): string {
    return this.name;
  }
}
