/**
 * EC2-Classic's address plan, as reconstructed from observed instances: see docs/sources.md.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import { type Ipv4Addr, ipv4Of, type Mac, macOf, parsePrefix, type Prefix } from "../wire/addr.ts";

/** One block of 1,024 addresses: a /24 of hosts, a /24 and a /23 of domUs. */
const BLOCK = 1024;

/** Where a domU stands: its subnet's mask length and the gateway that exists in proxy ARP alone. */
export interface GuestPlace {
  readonly length: number;
  readonly gateway: Ipv4Addr;
}

/** What follows from a domU's private address. EC2 2010: ten of ten observed instances fit. */
export function placeOf(address: Ipv4Addr): GuestPlace {
  const isWide = ((address >>> 8) & 3) >= 2;
  const length = isWide ? 23 : 24;
  return { length, gateway: ipv4Of((address & (isWide ? ~0x1ff : ~0xff)) + 1) };
}

/** The blocks of domUs in the /22 of a host. */
export function blocksBeside(privateAddress: Ipv4Addr): Prefix[] {
  const base = privateAddress & ~0x3ff;
  return [
    { address: ipv4Of(base + 0x100), length: 24 },
    { address: ipv4Of(base + 0x200), length: 23 },
  ];
}

/** The fourth octet of a MAC address by the second octet of the address (Bleikertz, April 2010). */
const FOURTH_OCTET = new Map([
  [254, 0x00],
  [255, 0x01],
  [248, 0x02],
  [249, 0x03],
  [240, 0x04],
  [241, 0x05],
  [208, 0x06],
  [209, 0x07],
  [210, 0x09],
  [211, 0x0a],
  [214, 0x0b],
  [215, 0x0c],
]);
const UNLISTED_OCTET = 0x7f;

/** The MAC address that the plan gives to a domU; a guess that fits the observed pairs nearly. */
export function macFor(address: Ipv4Addr): Mac {
  const fourth = FOURTH_OCTET.get((address >>> 16) & 0xff) ?? UNLISTED_OCTET;
  const low = (0x3fc - (address & 0x3ff)) & 0x3ff;
  const block = (((address >>> 10) & 0x3f) - 1) & 0x3f;
  return macOf(0x1231_3900_0000 + fourth * 0x1_0000 + block * 0x400 + low);
}

/** Hosts of one block. */
const BLOCK_HOSTS = 252;
/** DomUs of one block: two addresses of each part are none's. */
const BLOCK_GUESTS = 760;

/** What a plan hands out addresses of. */
export interface AddressPlanOptions {
  /** From 1,024 addresses: hosts and domUs. */
  readonly private: Prefix;
  /** What domUs are known by outside. */
  readonly public: Prefix;
}

/** Those of a zone. */
export const ZONE_ADDRESSES: AddressPlanOptions = {
  private: parsePrefix("10.254.168.0/21"),
  public: parsePrefix("75.101.160.0/20"),
};

/**
 * Hands out addresses in order: hosts from .2, domUs from the /23 beside their host first, then
 * from the /24 there; those of ended domUs again when there are no more new ones. Addresses that
 * were given by hand, or will be, are nobody else's.
 */
export class AddressPlan {
  readonly #private: Prefix;
  readonly #public: Prefix;
  readonly #taken = new Set<Ipv4Addr>();
  readonly #kept = new Set<Ipv4Addr>();
  /** DomUs that a block of 1,024 has had, by its first address. */
  readonly #guests = new Map<number, number>();
  #hosts = 0;
  #publics = 0;

  /** @throws {OptionError} if the private block is too small. */
  constructor(options: AddressPlanOptions) {
    const { length } = options.private;
    if (length > 22) throw new OptionError("private", length, "a /22 or larger");
    this.#private = options.private;
    this.#public = options.public;
  }

  /** Never hand out `address`: somebody will {@link take} it. */
  keep(address: Ipv4Addr): void {
    this.#kept.add(address);
  }

  /** @returns false if somebody has it. */
  take(address: Ipv4Addr): boolean {
    if (this.#taken.has(address)) return false;
    this.#taken.add(address);
    return true;
  }

  release(address: Ipv4Addr): void {
    this.#taken.delete(address);
  }

  /** @throws {OptionError} if the plan has no more. */
  nextHost(): Ipv4Addr {
    const { address, length } = this.#private;
    const room = (2 ** (32 - length) / BLOCK) * BLOCK_HOSTS;
    const found = this.#search(room - this.#hosts, () => {
      const index = this.#hosts++;
      return address + Math.floor(index / BLOCK_HOSTS) * BLOCK + 2 + (index % BLOCK_HOSTS);
    });
    return found ?? full("host", this.#hosts);
  }

  /** The first of `count` addresses from `first` on. @throws {OptionError} if all are taken. */
  nextFrom(first: Ipv4Addr, count: number): Ipv4Addr {
    let at = 0;
    return this.#search(count, () => first + at++) ?? full("address", count);
  }

  /**
   * An address beside a host with `privateAddress`. Where all 760 there are taken, one of the
   * zone's other blocks, to which the host's dhcpd gives no leases.
   * @throws {OptionError} if the plan has no more.
   */
  nextGuest(privateAddress: Ipv4Addr): Ipv4Addr {
    const { address, length } = this.#private;
    const blocks = [privateAddress - (privateAddress % BLOCK)];
    for (let at = 0; at < 2 ** (32 - length); at += BLOCK) blocks.push(address + at);
    for (const block of blocks) {
      const found = this.#search(BLOCK_GUESTS, () => {
        const index = this.#guests.get(block) ?? 0;
        this.#guests.set(block, (index + 1) % BLOCK_GUESTS);
        return block + (index < 508 ? 512 + 2 + index : 256 + 2 + (index - 508));
      });
      if (found !== null) return found;
    }
    return full("guest", blocks.length * BLOCK_GUESTS);
  }

  /** @throws {OptionError} if the plan has no more. */
  nextPublic(): Ipv4Addr {
    const { address, length } = this.#public;
    const room = 2 ** (32 - length) - 7;
    const found = this.#search(room, () => address + 7 + (this.#publics++ % room));
    return found ?? full("public", room);
  }

  /** Take the first of `room` candidates that is nobody's; `null` if there is none. */
  #search(room: number, next: () => number): Ipv4Addr | null {
    for (let left = room; left > 0; left -= 1) {
      const candidate = ipv4Of(next());
      if (!this.#kept.has(candidate) && this.take(candidate)) return candidate;
    }
    return null;
  }
}

function full(what: string, count: number): never {
  throw new OptionError(what, count, "a free address in the plan");
}
