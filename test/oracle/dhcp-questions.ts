/** Client messages of every kind, sane and hostile, drawn from a seed. */
import { Prng } from "../../src/base/prng.ts";
import { chaddrOf, DHCP_COOKIE, type DhcpHeader, dhcpCodec } from "../../src/dhcp/message.ts";
import { joinOctets } from "../../src/dhcp/option-type.ts";
import {
  IPV4_BROADCAST,
  type Ipv4Addr,
  ipv4Of,
  MAC_BROADCAST,
  parseIpv4,
  parseMac,
} from "../../src/wire/addr.ts";
import { frameOf } from "../dhcp/frames.ts";

/** What the messages speak of. */
export interface QuestionWorld {
  /** Clients with a declaration, and clients without. */
  readonly macs: readonly string[];
  /** Addresses that are asked for, given back, used as a relay agent's … */
  readonly addresses: readonly string[];
  /** Client identifiers that mean something. */
  readonly clientIds: readonly Uint8Array[];
  /** Addresses by which servers call themselves. */
  readonly servers: readonly string[];
}

/** Weighs alternatives against one another. */
type Weighted<T> = readonly (readonly [weight: number, value: () => T])[];

/** Draws messages. */
export class Questioner {
  readonly #prng: Prng;
  readonly #world: QuestionWorld;

  constructor(seed: number, stream: string, world: QuestionWorld) {
    this.#prng = new Prng(seed, stream);
    this.#world = world;
  }

  /** A frame with a message for port 67. */
  frame(): Uint8Array {
    const header = this.#header();
    const source = this.#pick<Ipv4Addr>([
      [6, () => header.ciaddr],
      [1, () => this.#address()],
    ]);
    return frameOf(
      this.#message(header),
      {
        source,
        destination: IPV4_BROADCAST,
        sourcePort: 68,
        destinationPort: 67,
        destinationMac: MAC_BROADCAST,
        ttl: 64,
        tos: 0,
        id: 0,
      },
      parseMac("12:31:39:00:a5:11"),
    );
  }

  #header(): DhcpHeader {
    const prng = this.#prng;
    return {
      op: prng.chance(0.95) ? 1 : prng.below(4),
      htype: prng.chance(0.93) ? 1 : this.#one([0, 6, 32, prng.below(256)]),
      hlen: prng.chance(0.95) ? 6 : prng.below(18),
      hops: prng.chance(0.7) ? 0 : prng.below(256),
      xid: prng.below(0xfe00_0000),
      secs: prng.chance(0.6) ? 0 : prng.below(65_536),
      flags: this.#one([0, 0, 0, 0x8000, 0x8000, 0x7fff, prng.below(65_536)]),
      ciaddr: prng.chance(0.65) ? ipv4Of(0) : this.#address(),
      yiaddr: prng.chance(0.9) ? ipv4Of(0) : this.#address(),
      siaddr: prng.chance(0.9) ? ipv4Of(0) : this.#address(),
      giaddr: prng.chance(0.85) ? ipv4Of(0) : this.#address(),
      chaddr: prng.chance(0.97)
        ? chaddrOf(parseMac(this.#one(this.#world.macs)))
        : this.#octets(16),
      sname: prng.chance(0.85) ? new Uint8Array(64) : this.#octets(64),
      file: prng.chance(0.85) ? new Uint8Array(128) : this.#octets(128),
    };
  }

  #message(header: DhcpHeader): Uint8Array {
    const prng = this.#prng;
    const overload = prng.chance(0.06) ? this.#one([0, 1, 2, 3, 4, 255]) : 0;
    const options = this.#options();
    if (overload > 0) {
      options.splice(prng.below(options.length + 1), 0, Uint8Array.of(52, 1, overload));
    }
    const main = this.#laidOut(options);
    const fixed = dhcpCodec.encode({
      ...header,
      file: overload & 1 ? this.#laidOut(this.#options()).slice(0, 128) : header.file,
      sname: overload & 2 ? this.#laidOut(this.#options()).slice(0, 64) : header.sname,
    });
    const cookie = prng.chance(0.96)
      ? DHCP_COOKIE
      : this.#one([0, 0x63825364, prng.below(2 ** 32)]);
    const whole = joinOctets([fixed, octetsOf(cookie, 4), main]);
    if (prng.chance(0.03)) {
      return whole.slice(0, this.#one([0, 43, 44, 235, 236, 239, 240, 241, 243]));
    }
    const least = this.#one([0, 300, 300, 300, 301, 400, 548, 576, 1200, 1472]);
    const padded = new Uint8Array(Math.max(whole.length, least));
    padded.set(whole);
    return padded;
  }

  /** Options one after the other, mostly with an End. */
  #laidOut(options: readonly Uint8Array[]): Uint8Array {
    const prng = this.#prng;
    const parts = options.flatMap((one) => (prng.chance(0.05) ? [Uint8Array.of(0), one] : [one]));
    if (prng.chance(0.95)) parts.push(Uint8Array.of(255));
    return joinOctets(parts);
  }

  #options(): Uint8Array[] {
    const prng = this.#prng;
    const options: Uint8Array[] = [];
    const type = this.#type();
    if (type !== null) options.push(option(53, type));
    const add = (chance: number, code: number, value: () => Uint8Array): void => {
      if (prng.chance(chance)) options.push(option(code, value()));
    };
    add(0.45, 50, () => this.#addressOctets());
    add(0.3, 54, () => this.#serverOctets());
    add(0.6, 55, () => this.#list());
    add(0.3, 57, () => this.#size());
    add(0.25, 51, () => this.#time());
    add(0.3, 61, () => this.#clientId());
    add(0.2, 12, () => this.#name());
    add(0.1, 60, () => this.#octets(prng.below(40)));
    add(0.06, 81, () => joinOctets([Uint8Array.of(prng.below(8), 0, 0), this.#name()]));
    add(0.08, 82, () => this.#agent());
    add(0.06, 118, () => this.#addressOctets());
    add(0.1, 1 + prng.below(254), () => this.#octets(prng.below(30)));
    add(0.02, this.#one([12, 55, 61, 60]), () => this.#octets(255));
    if (prng.chance(0.25)) shuffle(options, prng);
    if (prng.chance(0.05)) options.push(...options.slice(0, 2));
    if (prng.chance(0.04)) options.push(this.#broken());
    return options;
  }

  #type(): Uint8Array | null {
    return this.#pick<Uint8Array | null>([
      [30, () => Uint8Array.of(1)],
      [45, () => Uint8Array.of(3)],
      [4, () => Uint8Array.of(4)],
      [6, () => Uint8Array.of(7)],
      [10, () => Uint8Array.of(8)],
      [5, () => null],
      [4, () => Uint8Array.of(this.#one([0, 2, 5, 6, 9, 13, 18, 255]))],
      [1, () => this.#octets(this.#prng.below(4))],
    ]);
  }

  #address(): Ipv4Addr {
    const known = parseIpv4(this.#one(this.#world.addresses));
    return this.#prng.chance(0.9) ? known : ipv4Of(0x0afe_0000 + this.#prng.below(0x1_0000));
  }

  #addressOctets(): Uint8Array {
    const octets = octetsOf(this.#address(), 4);
    if (this.#prng.chance(0.96)) return octets;
    return joinOctets([octets, this.#octets(4)]).slice(0, this.#prng.below(8));
  }

  #serverOctets(): Uint8Array {
    return octetsOf(parseIpv4(this.#one(this.#world.servers)), 4);
  }

  #list(): Uint8Array {
    const prng = this.#prng;
    if (prng.chance(0.3)) return Uint8Array.of(1, 28, 2, 3, 15, 6, 12, 40, 41, 42);
    const few = [1, 3, 6, 12, 15, 26, 28, 42, 51, 54, 58, 59, 66, 67, 119, 121];
    return Uint8Array.from({ length: prng.below(24) }, () =>
      prng.chance(0.6) ? this.#one(few) : prng.below(256),
    );
  }

  #size(): Uint8Array {
    const size = this.#one([
      0, 100, 300, 575, 576, 577, 590, 600, 650, 700, 1000, 1499, 1500, 1501, 9000, 65_535,
    ]);
    return this.#prng.chance(0.95) ? octetsOf(size, 2) : this.#octets(this.#prng.below(5));
  }

  #time(): Uint8Array {
    const time = this.#one([
      0,
      1,
      60,
      299,
      300,
      301,
      3600,
      86_400,
      86_401,
      604_800,
      2 ** 31,
      2 ** 32 - 1,
    ]);
    return this.#prng.chance(0.95) ? octetsOf(time, 4) : this.#octets(this.#prng.below(7));
  }

  #clientId(): Uint8Array {
    return this.#pick<Uint8Array>([
      [5, () => this.#one(this.#world.clientIds)],
      [3, () => joinOctets([Uint8Array.of(1), octetsOf(parseMac(this.#one(this.#world.macs)), 6)])],
      [1, () => this.#octets(this.#prng.below(40))],
    ]);
  }

  #name(): Uint8Array {
    const name = Uint8Array.from("guest-1.example".slice(0, this.#prng.below(15)), (letter) =>
      letter.charCodeAt(0),
    );
    return this.#prng.chance(0.3)
      ? joinOctets([name, new Uint8Array(1 + this.#prng.below(2))])
      : name;
  }

  /** A relay agent's option with sub-options. */
  #agent(): Uint8Array {
    const prng = this.#prng;
    const parts: Uint8Array[] = [];
    for (let count = prng.below(4); count > 0; count -= 1) {
      const code = this.#one([1, 2, 1, 2, 5, 6, 151, prng.below(256)]);
      const value = code === 5 ? this.#addressOctets() : this.#octets(prng.below(20));
      parts.push(option(code, value));
    }
    const octets = joinOctets(parts);
    return prng.chance(0.85) ? octets : octets.slice(0, prng.below(octets.length + 1));
  }

  /** An option whose length is a lie, or is not there. */
  #broken(): Uint8Array {
    const code = 1 + this.#prng.below(254);
    return this.#one([Uint8Array.of(code), Uint8Array.of(code, 255), Uint8Array.of(code, 3, 1)]);
  }

  #octets(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#prng.below(256));
  }

  #one<T>(values: readonly T[]): T {
    const value = values[this.#prng.below(values.length)];
    if (value === undefined) throw new RangeError("nothing to choose from");
    return value;
  }

  #pick<T>(choices: Weighted<T>): T {
    let left = this.#prng.below(choices.reduce((sum, [weight]) => sum + weight, 0));
    for (const [weight, value] of choices) {
      if (left < weight) return value();
      left -= weight;
    }
    throw new RangeError("nothing to choose from");
  }
}

/** The octets of a whole number, most significant first. */
function octetsOf(value: number, length: number): Uint8Array {
  return Uint8Array.from(
    { length },
    (_, index) => Math.floor(value / 256 ** (length - 1 - index)) % 256,
  );
}

/** An option in as many parts as it needs. */
function option(code: number, value: Uint8Array): Uint8Array {
  if (value.length <= 255) return joinOctets([Uint8Array.of(code, value.length), value]);
  return joinOctets([option(code, value.slice(0, 255)), option(code, value.slice(255))]);
}

function shuffle(list: Uint8Array[], prng: Prng): void {
  for (let at = list.length - 1; at > 0; at -= 1) {
    const [item] = list.splice(prng.below(at + 1), 1);
    if (item !== undefined) list.push(item);
  }
}
