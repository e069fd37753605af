import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MINUTE } from "../../src/base/time.ts";
import { onesSum } from "../../src/wire/checksum.ts";
import { viewOf } from "../../src/wire/field.ts";
import { ETHERNET, ETHERNET_LENGTH, EtherType } from "../../src/l2/ethernet.ts";
import { checkIpv4, headerLengthOf, IPV4, isFragment, Protocol } from "../../src/l3/ipv4.ts";
import { parseAddressWords } from "../../src/l3/ip-words.ts";
import type { World } from "../../src/zone/world/world.ts";
import { EC2_2010, LINUX } from "../../src/xen/profile.ts";
import { anyCase, anySlowCase, type Case } from "../oracle/world-case.ts";
import { WorldRouter } from "../oracle/world-router.ts";
import type { TimedFrame } from "../oracle/world.ts";

const CLOCK = {
  start: 1_264_982_400_000_000,
  jiffies: { number: 1_000_000, began: 1_264_982_400_001_000, hz: 250 },
} as const;
const AT = ETHERNET_LENGTH;

/** Play a case until nothing waits any more. */
function play({ world, frames }: Case, { name: profile }: typeof LINUX): WorldRouter {
  const twin = new WorldRouter({ ...world, profile }, CLOCK);
  for (const frame of frames) twin.receive(frame, frame.at);
  twin.expire((frames.at(-1)?.at ?? 0) + MINUTE);
  return twin;
}

const octetsOf = ({ octets }: { readonly octets: string }): Uint8Array =>
  Uint8Array.from(Buffer.from(octets, "hex"));

/** Tells the addresses of the router; its loopback device has a whole block. */
function ownAddresses({ interfaces }: World): (address: number) => boolean {
  const own = new Set<number>([
    0,
    0xc000_0008,
    ...Object.values(interfaces).flatMap(({ addresses = [] }) =>
      addresses.map((words) => parseAddressWords(words).address),
    ),
  ]);
  return (address) => own.has(address) || address >>> 24 === 127;
}

/** The IPv4 packets among `frames`, each in a frame of its own. */
function packetsOf(frames: readonly { readonly octets: string }[]): DataView[] {
  return frames
    .map((frame) => viewOf(octetsOf(frame)))
    .filter((view) => view.byteLength >= AT + 20 && ETHERNET.type.get(view, 0) === EtherType.Ipv4);
}

/** The frame without its priority tags, which a newer kernel takes off. */
function untagged({ octets }: { readonly octets: string }): { octets: string } {
  return { octets: octets.replace(/^(.{24})(?:8100.000)+/, "$1") };
}

/** What a packet on its way keeps: who sends what to whom. */
const flowOf = (view: DataView): string =>
  [IPV4.src, IPV4.dst, IPV4.id, IPV4.protocol].map((field) => field.get(view, AT)).join(" ");

/** The largest packet for each interface: a route's own MTU may be more than its device's. */
function largestOf({ interfaces, routes = [] }: World): ReadonlyMap<string, number> {
  const ofRoutes = routes.map((words) => Number(/ mtu (?:lock )?(\d+)/.exec(words)?.[1] ?? 0));
  return new Map(
    Object.entries(interfaces).map(([name, { mtu = 1500 }]) => [name, Math.max(mtu, ...ofRoutes)]),
  );
}

/** A frame's octets after one of them was changed. */
const spoiled = fc
  .tuple(
    anyCase(6),
    fc.array(fc.tuple(fc.nat({ max: 255 }), fc.nat({ max: 255 })), { maxLength: 8 }),
  )
  .map(([one, changes]): Case => {
    const frames = one.frames.map((frame, index) => {
      const octets = octetsOf(frame);
      const [at, value] = changes[index % Math.max(changes.length, 1)] ?? [0, 0];
      octets[at % octets.length] = value;
      return { ...frame, octets: Buffer.from(octets).toString("hex") };
    });
    return { ...one, frames };
  });

const namesOf = ({ interfaces }: World): string[] => Object.keys(interfaces);

/** Frames of any octets, shorter than a header or longer. */
const nonsense = fc
  .tuple(anyCase(1), fc.array(fc.uint8Array({ maxLength: 120 }), { maxLength: 6 }))
  .map(([{ world }, all]): Case => ({
    world,
    frames: all.map((octets, index) => ({
      at: index,
      interface: namesOf(world)[index % namesOf(world).length] ?? "e0",
      octets: Buffer.from(octets).toString("hex"),
    })),
  }));

describe.each([EC2_2010, LINUX])("the router of profile $name", (profile) => {
  const anything = fc.oneof(anyCase(12), anySlowCase(12), spoiled, nonsense);

  it("ends every packet that it got or made, whatever octets come", () => {
    fc.assert(
      fc.property(anything, (one) => {
        const { pool } = play(one, profile);
        expect(pool.allocated).toBe(pool.ended);
        expect(pool.allocated).toBeGreaterThanOrEqual(one.frames.length);
        expect(pool.exhausted).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it("sends the same frames at the same times for the same seed", () => {
    fc.assert(
      fc.property(anything, (one) => {
        expect(play(one, profile).sent).toEqual(play(one, profile).sent);
      }),
      { numRuns: 20 },
    );
  });

  it("sends sound packets: every header adds up, and every whole ICMP message of its own", () => {
    fc.assert(
      fc.property(anyCase(12), (one) => {
        const isOwn = ownAddresses(one.world);
        for (const view of packetsOf(play(one, profile).sent)) {
          expect(checkIpv4(view, AT, view.byteLength)).toBeNull();
          expect(IPV4.totalLength.get(view, AT)).toBe(view.byteLength - AT);
          const isIcmp = IPV4.protocol.get(view, AT) === Protocol.Icmp;
          if (!isOwn(IPV4.src.get(view, AT)) || !isIcmp || isFragment(view, AT)) continue;
          const message = AT + headerLengthOf(view, AT);
          expect(onesSum(view, message, view.byteLength)).toBe(0xffff);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("passes a packet on with one hop less, and by an MTU that it fits", () => {
    fc.assert(
      fc.property(anyCase(12), (one) => {
        const isOwn = ownAddresses(one.world);
        const entered = packetsOf(one.frames.map(untagged));
        const { sent } = play(one, profile);
        const most = largestOf(one.world);
        const passed = (frame: TimedFrame): void => {
          const [view] = packetsOf([frame]);
          if (view === undefined || isOwn(IPV4.src.get(view, AT))) return;
          const hops = entered
            .filter((packet) => flowOf(packet) === flowOf(view))
            .map((packet) => IPV4.ttl.get(packet, AT));
          expect(hops).toContain(IPV4.ttl.get(view, AT) + 1);
          expect(view.byteLength - AT).toBeLessThanOrEqual(most.get(frame.interface) ?? 0);
        };
        for (const frame of sent) passed(frame);
      }),
      { numRuns: 40 },
    );
  });
});
