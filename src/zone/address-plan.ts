/**
 * EC2-Classic's address plan, as reconstructed from observed instances: see docs/sources.md.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import { type Ipv4Addr, ipv4Of, type Mac, macOf, type Prefix } from "../wire/addr.ts";

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

/** DomUs of one block: two addresses of each part are none's. */
const BLOCK_GUESTS = 760;

/**
 * Hands out addresses in order: hosts from .2, domUs from the /23 first, then from the /24; those
 * of ended domUs again when there are no more new ones.
 */
export class AddressPlan {
  readonly #private: Prefix;
  readonly #public: Prefix;
  readonly #taken = new Set<Ipv4Addr>();
  #hosts = 0;
  #guests = 0;
  #publics = 0;

  /**
   * @param privateBlock from 1,024 addresses; 10.254.168.0/21 if left to the zone.
   * @param publicBlock where public addresses come from.
   */
  constructor(privateBlock: Prefix, publicBlock: Prefix) {
    if (privateBlock.length > 22) {
      throw new OptionError("private", privateBlock.length, "a /22 or larger");
    }
    this.#private = privateBlock;
    this.#public = publicBlock;
  }

  /** Keep an address that was given by hand out of the plan. @returns false if it was taken. */
  reserve(address: Ipv4Addr): boolean {
    if (this.#taken.has(address)) return false;
    this.#taken.add(address);
    return true;
  }

  release(address: Ipv4Addr): void {
    this.#taken.delete(address);
  }

  /** @throws {OptionError} if the plan has no more. */
  nextHost(): Ipv4Addr {
    return this.#next(
      "host",
      () => {
        const index = this.#hosts++;
        return Math.floor(index / 252) * BLOCK + 2 + (index % 252);
      },
      this.#private,
    );
  }

  /** @throws {OptionError} if the plan has no more. */
  nextGuest(): Ipv4Addr {
    const room = (2 ** (32 - this.#private.length) / BLOCK) * BLOCK_GUESTS;
    return this.#next(
      "guest",
      () => {
        const index = this.#guests++ % room;
        const within = index % BLOCK_GUESTS;
        const offset = within < 508 ? 512 + 2 + within : 256 + 2 + (within - 508);
        return Math.floor(index / BLOCK_GUESTS) * BLOCK + offset;
      },
      this.#private,
      room,
    );
  }

  /** @throws {OptionError} if the plan has no more. */
  nextPublic(): Ipv4Addr {
    const room = 2 ** (32 - this.#public.length) - 7;
    return this.#next("public", () => 7 + (this.#publics++ % room), this.#public, room);
  }

  /** @param room how many offsets there are. */
  #next(
    what: string,
    offset: () => number,
    { address, length }: Prefix,
    room = Number.POSITIVE_INFINITY,
  ): Ipv4Addr {
    for (let tried = 0; ; tried += 1) {
      const at = offset();
      if (tried >= room || at >= 2 ** (32 - length)) {
        throw new OptionError(what, at, "a free address in the plan");
      }
      const candidate = ipv4Of(address + at);
      if (this.reserve(candidate)) return candidate;
    }
  }
}
