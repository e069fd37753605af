/**
 * A domain of a zone: its names and addresses, and the guest inside or its vif for others. It stays
 * the same while it is restarted, saved and restored; then Xen's domain, the vif and, after a
 * restart, the guest are others.
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Ipv4Addr, Mac } from "../wire/addr.ts";
import type { Guest } from "../guest/guest.ts";
import type { Vif } from "../xen/vif.ts";
import type { ExternalVif } from "./external-vif.ts";
import { domainName, instanceId } from "./naming.ts";
import type { VmState } from "./vm.ts";

/** What is known of a domain; {@link ZoneHost.launch} makes it. */
export interface DomainParts {
  /** The zone's number of the domain: its name and instance id are made of it. */
  readonly serial: number;
  readonly mac: Mac;
  readonly privateAddress: Ipv4Addr;
  /** The domU's end for the user; `null` where a simulated domU has it. */
  readonly external: ExternalVif | null;
  readonly state: () => VmState;
}

/** One domain. */
export class Domain {
  readonly serial: number;
  readonly mac: Mac;
  /** The first of its private addresses. */
  readonly privateAddress: Ipv4Addr;
  readonly external: ExternalVif | null;
  readonly #state: () => VmState;
  #guest: Guest | null = null;
  #vif: Vif | null = null;
  #isOnline = false;

  constructor({ serial, mac, privateAddress, external, state }: DomainParts) {
    this.serial = serial;
    this.mac = mac;
    this.privateAddress = privateAddress;
    this.external = external;
    this.#state = state;
  }

  /** "dom_32504936". */
  get name(): string {
    return domainName(this.serial);
  }

  /** "i-00b6bc68". */
  get instanceId(): string {
    return instanceId(this.serial);
  }

  /** How it stands. */
  get state(): VmState {
    return this.#state();
  }

  /** Xen's number of it on its host, as it is or was last. */
  get domid(): number {
    return this.backend.domid;
  }

  /**
   * The simulated domU, another one after each restart; `null` where the user plugs in something
   * else.
   */
  get guest(): Guest | null {
    return this.#guest;
  }

  /** The address that the outside knows it by; `null` for none. */
  get publicAddress(): Ipv4Addr | null {
    return this.backend.publicAddress;
  }

  /** Dom0's end of its interface, as it is or was last. */
  get backend(): Vif {
    assert(this.#vif !== null, "a domain has had a vif");
    return this.#vif;
  }

  /** True while its vif is one of Dom0's. */
  get isOnline(): boolean {
    return this.#isOnline;
  }

  /** For its host: another guest is inside. */
  boot(guest: Guest): void {
    this.#guest = guest;
  }

  /** For its host: it has another vif; `null`: the last one is offline. */
  plug(vif: Vif | null): void {
    this.#vif = vif ?? this.#vif;
    this.#isOnline = vif !== null;
  }

  toString(): string {
    return this.name;
  }
}
