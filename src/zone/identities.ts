/**
 * Who is who in a zone: names, MAC addresses and addresses, of which each is one domain's or host's
 * at a time. What is not wanted by name is drawn, and never is what somebody will want by name.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import {
  formatIpv4,
  formatMac,
  type Ipv4Addr,
  isGroupMac,
  MAC_ZERO,
  type Mac,
  macOf,
} from "../wire/addr.ts";
import { AddressPlan, type AddressPlanOptions, macFor } from "./address-plan.ts";

/** What a domain is known by. */
export interface Identity {
  /** The zone's number of the domain. */
  readonly serial: number;
  readonly mac: Mac;
  readonly privateAddress: Ipv4Addr;
  /** `null` for none. */
  readonly publicAddress: Ipv4Addr | null;
}

/** What of an identity is wanted; what is left out is drawn. */
export type WantedIdentity = { readonly [key in keyof Identity]?: Identity[key] | undefined };

/** The seed document's domain; the next ones count up from it. */
const FIRST_SERIAL = 32_504_936;
const SERIALS = 2 ** 32;
/** The fourth octet of a MAC address, and how many octets there are. */
const FOURTH_OCTET = 0x1_0000;
const OCTETS = 256;

/** The identities of one zone. */
export class Identities {
  readonly addresses: AddressPlan;
  readonly #serials = new Set<number>();
  readonly #macs = new Set<Mac>();
  readonly #keptSerials = new Set<number>();
  readonly #keptMacs = new Set<Mac>();
  #nextSerial = FIRST_SERIAL;

  /** @throws {OptionError} as {@link AddressPlan}. */
  constructor(addresses: AddressPlanOptions) {
    this.addresses = new AddressPlan(addresses);
  }

  /** Never draw what `wanted` names: somebody will want it. */
  keep({ serial, mac, privateAddress, publicAddress = null }: WantedIdentity): void {
    if (serial !== undefined) this.#keptSerials.add(serial);
    if (mac !== undefined) this.#keptMacs.add(mac);
    if (privateAddress !== undefined) this.addresses.keep(privateAddress);
    if (publicAddress !== null) this.addresses.keep(publicAddress);
  }

  /**
   * An identity for a new domain, all of it or nothing.
   * @param beside the private address of its host.
   * @throws {OptionError} if something wanted is taken, or no MAC address of a station, or nothing
   *   is left to be drawn.
   */
  take(wanted: WantedIdentity, beside: Ipv4Addr): Identity {
    const { addresses } = this;
    this.#check(wanted);
    const privateAddress = this.address("privateAddress", wanted.privateAddress, () =>
      addresses.nextGuest(beside),
    );
    try {
      const mac = wanted.mac ?? this.#drawMac(privateAddress);
      const serial = wanted.serial ?? this.#drawSerial();
      const publicAddress =
        wanted.publicAddress === null ? null : this.publicAddress(wanted.publicAddress);
      this.#macs.add(mac);
      this.#serials.add(serial);
      this.#nextSerial = Math.max(this.#nextSerial, serial + 1);
      return { serial, mac, privateAddress, publicAddress };
    } catch (error) {
      addresses.release(privateAddress);
      throw error;
    }
  }

  /** The domain has ended; its name is nobody's again only if it never ran (`isUnused`). */
  release({ serial, mac, privateAddress, publicAddress }: Identity, isUnused: boolean): void {
    if (isUnused) this.#serials.delete(serial);
    this.#macs.delete(mac);
    this.addresses.release(privateAddress);
    if (publicAddress !== null) this.addresses.release(publicAddress);
  }

  /** `wanted`, or a public address of the plan. @throws {OptionError} as {@link take}. */
  publicAddress(wanted: Ipv4Addr | undefined): Ipv4Addr {
    return this.address("publicAddress", wanted, () => this.addresses.nextPublic());
  }

  /** `wanted`, or what `next` takes of the plan. @throws {OptionError} as {@link take}. */
  address(option: string, wanted: Ipv4Addr | undefined, next: () => Ipv4Addr): Ipv4Addr {
    if (wanted === undefined) return next();
    if (this.addresses.take(wanted)) return wanted;
    throw new OptionError(option, formatIpv4(wanted), "an address that nobody else has");
  }

  #check({ serial, mac }: WantedIdentity): void {
    if (serial !== undefined && this.#serials.has(serial)) {
      throw new OptionError("name", serial, "a number that no other domain has");
    }
    if (mac === undefined) return;
    if (isGroupMac(mac) || mac === MAC_ZERO) {
      throw new OptionError("mac", formatMac(mac), "a MAC address of one station");
    }
    if (this.#macs.has(mac)) {
      throw new OptionError("mac", formatMac(mac), "a MAC address that no other domain has");
    }
  }

  /** The plan's, or if that is another's, the first beside it in the fourth octet. */
  #drawMac(privateAddress: Ipv4Addr): Mac {
    const planned = macFor(privateAddress);
    const fourth = Math.floor(planned / FOURTH_OCTET) % OCTETS;
    for (let step = 0; step < OCTETS; step += 1) {
      const moved = ((fourth + step) % OCTETS) - fourth;
      const mac = macOf(planned + moved * FOURTH_OCTET);
      if (!this.#macs.has(mac) && !this.#keptMacs.has(mac)) return mac;
    }
    throw new OptionError("mac", formatMac(planned), "a free MAC address in the plan");
  }

  #drawSerial(): number {
    for (let step = 0; step <= this.#serials.size + this.#keptSerials.size; step += 1) {
      const serial = (this.#nextSerial + step) % SERIALS;
      if (!this.#serials.has(serial) && !this.#keptSerials.has(serial)) return serial;
    }
    throw new OptionError("name", this.#serials.size, "a free number in the zone");
  }
}
