/** Random frames for a {@link Site}: sound ones, broken ones, fragments, ARP, noise. @module */
import type { WorldInterface } from "../../src/zone/world/world.ts";
import fc from "fast-check";
import { parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { arpCodec } from "../../src/l2/arp.ts";
import { EtherType } from "../../src/l2/ethernet.ts";
import { Protocol } from "../../src/l3/ipv4.ts";
import { MAC_NEIGHBOR } from "./rule-words.ts";
import { optionOctets } from "./world-options.ts";
import type { Site } from "./world-arbitrary.ts";
import {
  distort,
  frameOf,
  icmpOf,
  mayCutTimes,
  packetOf,
  type PacketWords,
  pattern,
  udpOf,
} from "./world-octets.ts";

/** A frame before it has a place in time. */
export interface PlacedFrame {
  readonly interface: string;
  readonly octets: Uint8Array;
  /** A command line that is run instead; interface and octets are then empty. */
  readonly command?: string;
}
/** Frames that belong together, once the site is known. */
export type FrameSpec = (site: Site) => PlacedFrame[];

const ODD_ADDRESSES = [
  "0.0.0.0",
  "0.1.2.3",
  "127.0.0.1",
  "127.1.2.3",
  "169.254.9.9",
  "224.0.0.1",
  "224.0.0.5",
  "239.1.2.3",
  "240.0.0.9",
  "255.255.255.255",
];

type Place = "own" | "link" | "other" | "routed" | "end" | "odd";
type AddressPick = readonly [Place, number];

const nat = fc.nat({ max: 255 });
const pick = (...weights: [Place, number][]): fc.Arbitrary<AddressPick> =>
  fc.tuple(
    fc.oneof(...weights.map(([kind, weight]) => ({ arbitrary: fc.constant<Place>(kind), weight }))),
    nat,
  );
export const source = pick(
  ["link", 18],
  ["other", 2],
  ["routed", 2],
  ["own", 1],
  ["end", 1],
  ["odd", 1],
);
export const target = pick(
  ["other", 10],
  ["own", 8],
  ["routed", 6],
  ["link", 2],
  ["end", 1],
  ["odd", 1],
);

/** The address that `pick` means for a frame on interface `on`. */
export function addressOf(site: Site, on: number, [where, index]: AddressPick): string {
  const pools: Record<Place, readonly string[]> = {
    own: site.own,
    link: site.onLink[on] ?? [],
    other: site.onLink.filter((_, at) => at !== on).flat(),
    routed: site.routed,
    end: site.blockEnds,
    odd: ODD_ADDRESSES,
  };
  const pool = pools[where];
  return pool[index % Math.max(pool.length, 1)] ?? "8.8.4.4";
}

const BROADCAST = "ff:ff:ff:ff:ff:ff";
const cast = fc.oneof(
  { arbitrary: fc.constant("host"), weight: 30 },
  {
    arbitrary: fc.constantFrom(
      BROADCAST,
      "01:00:5e:00:00:01",
      "02:00:00:00:00:99",
      "00:00:00:00:00:00",
    ),
    weight: 3,
  },
);

const size = fc.oneof(
  { arbitrary: fc.nat({ max: 80 }), weight: 4 },
  {
    arbitrary: fc
      .tuple(
        fc.constantFrom(68, 69, 296, 576, 577, 1005, 1006, 1280, 1400, 1491, 1500),
        fc.integer({ min: -9, max: 2 }),
      )
      .map(([base, by]) => base - 20 + by),
    weight: 4,
  },
  { arbitrary: fc.nat({ max: 1480 }), weight: 2 },
);

const ttl = fc.oneof(
  { arbitrary: fc.constant(64), weight: 14 },
  { arbitrary: fc.constantFrom(0, 1, 2), weight: 3 },
  { arbitrary: nat, weight: 1 },
);

const flags = fc.oneof(
  { arbitrary: fc.constant(0), weight: 8 },
  { arbitrary: fc.constantFrom(0x4000, 0x8000, 0xc000), weight: 5 },
  { arbitrary: fc.nat({ max: 0xffff }), weight: 1 },
);

const icmpType = fc.oneof(
  { arbitrary: fc.constantFrom(8, 13), weight: 9 },
  { arbitrary: fc.nat({ max: 19 }), weight: 3 },
  { arbitrary: fc.constantFrom(40, 42, 43, 255), weight: 1 },
);
const rarely = (value: fc.Arbitrary<number>): fc.Arbitrary<number> =>
  fc.oneof({ arbitrary: fc.constant(0), weight: 9 }, { arbitrary: value, weight: 1 });

const OTHER_PROTOCOLS = [
  ...[0, Protocol.Igmp, 3, Protocol.Tcp, 99, 253, 255],
  ...[Protocol.Gre, Protocol.Sctp, Protocol.UdpLite],
];

/** What a payload is; its octets follow when the addresses are known. */
const content = fc.oneof(
  {
    arbitrary: fc.record({
      kind: fc.constant("icmp" as const),
      type: icmpType,
      code: rarely(nat),
      by: rarely(fc.integer({ min: 1, max: 0xffff })),
    }),
    weight: 5,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant("udp" as const),
      by: rarely(fc.integer({ min: 1, max: 0xffff })),
      lengthBy: rarely(fc.integer({ min: -40, max: 40 })),
      hasChecksum: fc.boolean(),
    }),
    weight: 5,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant("other" as const),
      protocol: fc.constantFrom(...OTHER_PROTOCOLS),
    }),
    weight: 3,
  },
);
type Content = (typeof content extends fc.Arbitrary<infer T> ? T : never) & {};

/** Protocol and payload of `length` octets, as near as the protocol allows. */
function payloadOf(
  what: Content,
  ends: { src: string; dst: string },
  length: number,
  seed: number,
  { own, hasSctp }: Site,
): { protocol: number; payload: Uint8Array } {
  const data = pattern(Math.max(length, 0), seed);
  switch (what.kind) {
    case "icmp": {
      const rest = data.subarray(Math.min(4, data.length));
      return { protocol: Protocol.Icmp, payload: icmpOf(what.type, what.code, rest, what.by) };
    }
    case "udp": {
      const payload = udpOf(ends, [40_000 + seed, 33_434], data.subarray(8), what);
      return { protocol: Protocol.Udp, payload };
    }
    case "other": {
      // The emulated router has no TCP: segments to it would be answered by the kernel alone.
      const isTcpToRouter = what.protocol === Protocol.Tcp && own.includes(ends.dst);
      const isUnspoken = what.protocol === Protocol.Sctp && !hasSctp;
      return { protocol: isTcpToRouter || isUnspoken ? 253 : what.protocol, payload: data };
    }
  }
}

const defect = fc.oneof(
  { arbitrary: fc.constant(null), weight: 12 },
  {
    arbitrary: fc.record({
      octet: fc.nat({ max: 59 }),
      by: fc.integer({ min: 1, max: 255 }),
      isSealed: fc.boolean(),
    }),
    weight: 1,
  },
);
const tag = fc.oneof(
  { arbitrary: fc.constant(null), weight: 30 },
  { arbitrary: fc.constantFrom(0, 0x2000, 5, 0xe005), weight: 1 },
);

const common = {
  on: nat,
  cast,
  src: source,
  dst: target,
  tos: fc.oneof(fc.constant(0), nat),
  id: fc.nat({ max: 0xffff }),
  ttl,
  content,
  options: optionOctets,
  seed: nat,
};

const mtuOf = ({ mtu = 1500 }: WorldInterface): number => mtu;

/** The least MTU of all interfaces. */
export const leastMtuOf = ({ world }: Pick<Site, "world">): number =>
  Math.min(...Object.values(world.interfaces).map(mtuOf));

/** The interface's number and name, and a frame on it that the link's other end may send. */
function place(site: Site, on: number, to: string, type: number, octets: Uint8Array, vlan = -1) {
  const interfaces = Object.entries(site.world.interfaces);
  const [name, one] = interfaces[on % interfaces.length] ?? [];
  if (name === undefined || one === undefined || octets.length > mtuOf(one)) return [];
  if (type === EtherType.Ipv4 && mayCutTimes(octets, leastMtuOf(site))) return [];
  const dst = to === "host" ? one.mac : to;
  const frame = frameOf(dst, MAC_NEIGHBOR, type, octets, vlan < 0 ? null : vlan);
  return [{ interface: name, octets: frame }];
}

const packet: fc.Arbitrary<FrameSpec> = fc
  .record({ ...common, flags, size, padding: rarely(fc.nat({ max: 50 })), defect, tag })
  .map((spec) => (site: Site): PlacedFrame[] => {
    const on = spec.on % Object.keys(site.world.interfaces).length;
    const ends = { src: addressOf(site, on, spec.src), dst: addressOf(site, on, spec.dst) };
    const body = payloadOf(spec.content, ends, spec.size, spec.seed, site);
    const { tos, id, ttl: hops, options } = spec;
    const words: PacketWords = {
      ...ends,
      ...body,
      tos,
      id,
      flagsFragment: spec.flags,
      ttl: hops,
      options,
    };
    const octets = packetOf(words);
    if (spec.defect !== null) distort(octets, spec.defect, site.hasSctp);
    const padded = new Uint8Array(octets.length + spec.padding).fill(0x5a);
    padded.set(octets);
    return place(site, on, spec.cast, EtherType.Ipv4, padded, spec.tag ?? -1);
  });

/**
 * Octets that come back as an echo in no more pieces than the kernel's ICMP socket has memory for:
 * it would drop a longer answer, by the sizes of its own buffers.
 */
function longestAnswer({ world }: Pick<Site, "world">): number {
  return 300 * ((leastMtuOf({ world }) - 60) & ~7);
}

/** A datagram in pieces: shuffled, some twice, some missing, some overlapping. */
const fragments: fc.Arbitrary<FrameSpec> = fc
  .record({
    ...common,
    size: fc.oneof(fc.nat({ max: 200 }), fc.nat({ max: 4000 }), fc.nat({ max: 65_515 })),
    flags: fc.constantFrom(0, 0, 0x4000),
    /** Octets a piece, in units of eight. */
    unit: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 20, max: 180 })),
    order: fc.array(nat, { maxLength: 12 }),
    extra: fc.oneof(
      { arbitrary: fc.constant([]), weight: 3 },
      fc.array(fc.tuple(nat, nat, nat), { maxLength: 3 }),
    ),
    missing: fc.oneof({ arbitrary: fc.constant(-1), weight: 5 }, nat),
    ecn: fc.oneof(
      { arbitrary: fc.constant([]), weight: 3 },
      fc.array(fc.nat({ max: 3 }), { maxLength: 6 }),
    ),
  })
  .map((spec) => (site: Site): PlacedFrame[] => {
    const on = spec.on % Object.keys(site.world.interfaces).length;
    const ends = { src: addressOf(site, on, spec.src), dst: addressOf(site, on, spec.dst) };
    const step = spec.unit * 8;
    const length = Math.min(spec.size, step * 50, longestAnswer(site));
    const body = payloadOf(spec.content, ends, length, spec.seed, site);
    const pieces: [number, number][] = [];
    for (let from = 0; from < body.payload.length; from += step) pieces.push([from, from + step]);
    const places = new Map(pieces.map((piece, at) => [piece, spec.order[at] ?? at]));
    pieces.sort((left, right) => (places.get(left) ?? 0) - (places.get(right) ?? 0));
    if (spec.missing >= 0) pieces.splice(spec.missing % Math.max(pieces.length, 1), 1);
    for (const [where, from, size8] of spec.extra) {
      const start = (from * 8) % Math.max(body.payload.length, 1);
      pieces.splice(where % (pieces.length + 1), 0, [start - (start % 8), start + size8 * 8]);
    }
    return pieces.flatMap(([from, to], at) => {
      const more = to < body.payload.length ? 0x2000 : 0;
      const octets = packetOf({
        ...ends,
        protocol: body.protocol,
        payload: body.payload.subarray(from, to),
        tos: (spec.tos & ~3) | (spec.ecn[at] ?? spec.tos & 3),
        id: spec.id,
        flagsFragment: spec.flags | more | (from / 8),
        ttl: spec.ttl,
        options: spec.options,
      });
      return place(site, on, spec.cast, EtherType.Ipv4, octets);
    });
  });

const mac = fc.constantFrom(
  MAC_NEIGHBOR,
  "12:31:39:00:00:01",
  "12:31:39:00:01:77",
  "02:00:00:00:00:01",
  "00:00:00:00:00:00",
  "ff:ff:ff:ff:ff:ff",
);
const asker = pick(["link", 8], ["other", 2], ["odd", 3], ["own", 1], ["routed", 1], ["end", 1]);
const asked = pick(["own", 6], ["other", 4], ["routed", 3], ["link", 3], ["odd", 1], ["end", 1]);

const arp: fc.Arbitrary<FrameSpec> = fc
  .record({
    on: nat,
    cast: fc.oneof(cast, fc.constant(BROADCAST)),
    htype: fc.oneof({ arbitrary: fc.constant(1), weight: 9 }, fc.constantFrom(6, 7, 0)),
    ptype: fc.oneof({ arbitrary: fc.constant(0x0800), weight: 15 }, fc.constant(0x0806)),
    hlen: fc.oneof({ arbitrary: fc.constant(6), weight: 15 }, nat),
    plen: fc.oneof({ arbitrary: fc.constant(4), weight: 15 }, nat),
    op: fc.oneof({ arbitrary: fc.constantFrom(1, 1, 2), weight: 15 }, fc.constantFrom(0, 3, 8)),
    sha: mac,
    spa: asker,
    tha: mac,
    tpa: asked,
    isGratuitous: fc.constantFrom(false, false, false, true),
    length: fc.oneof({ arbitrary: fc.constantFrom(28, 46), weight: 12 }, fc.nat({ max: 60 })),
  })
  .map((spec) => (site: Site): PlacedFrame[] => {
    const on = spec.on % Object.keys(site.world.interfaces).length;
    const spa = parseIpv4(addressOf(site, on, spec.spa));
    const { htype, ptype, hlen, plen, op } = spec;
    const message = arpCodec.encode({
      htype,
      ptype,
      hlen,
      plen,
      op,
      sha: parseMac(spec.sha),
      spa,
      tha: parseMac(spec.tha),
      tpa: spec.isGratuitous ? spa : parseIpv4(addressOf(site, on, spec.tpa)),
    });
    const octets = new Uint8Array(spec.length);
    octets.set(message.subarray(0, spec.length));
    return place(site, on, spec.cast, EtherType.Arp, octets);
  });

const noise: fc.Arbitrary<FrameSpec> = fc
  .record({
    on: nat,
    cast,
    type: fc.constantFrom(EtherType.Ipv4, EtherType.Arp, EtherType.Vlan, 0x86dd, 0x88cc, 46),
    octets: fc.uint8Array({ maxLength: 68 }),
  })
  .map(
    (spec) =>
      (site: Site): PlacedFrame[] =>
        place(site, spec.on, spec.cast, spec.type, spec.octets),
  );

/** Frames of every kind. */
export const frameSpec: fc.Arbitrary<FrameSpec> = fc.oneof(
  { arbitrary: packet, weight: 12 },
  { arbitrary: arp, weight: 4 },
  { arbitrary: fragments, weight: 2 },
  { arbitrary: noise, weight: 1 },
);

/** Frames that neighbors and limits have to do with: packets and, as often, ARP. */
export const neighborFrameSpec: fc.Arbitrary<FrameSpec> = fc.oneof(
  { arbitrary: packet, weight: 3 },
  { arbitrary: arp, weight: 3 },
);
