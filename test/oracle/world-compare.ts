/** What two routers sent, made comparable: what the kernel draws by chance is masked. @module */
import type { Duration } from "../../src/base/time.ts";
import { onesSum } from "../../src/wire/checksum.ts";
import { viewOf } from "../../src/wire/field.ts";
import { ETHERNET, ETHERNET_LENGTH, EtherType } from "../../src/l2/ethernet.ts";
import { headerLengthOf, IPV4 } from "../../src/l3/ipv4.ts";
import { parseAddressWords } from "../../src/l3/ip-words.ts";
import type { World } from "../../src/zone/world/world.ts";
import type { OutputFrame, TimedFrame } from "./world.ts";

/** Frames in order, in hexadecimal, by the interface that they left by. */
export type Comparable = Readonly<Record<string, readonly string[]>>;

/** 192.0.0.8: what a router without an address calls itself. */
const DUMMY_ADDRESS = 0xc000_0008;
/** First octet of 127.0.0.0/8, from which a router answers where `route_localnet` lets it. */
const LOOPBACK = 127;
/** In flags and fragment offset: nobody may cut the packet. */
const DF = 0x4000;

/** Frames by interface, of two routers. */
export interface Compared {
  readonly kernel: Comparable;
  readonly emulated: Comparable;
}

/**
 * What both routers sent, by interface. The IP identification of packets that the emulated router
 * made is masked in both, and the header checksum with it if it is right. The kernel's are not
 * known by their source: translation may have given them another one.
 */
export function comparePairs(
  world: World,
  kernel: readonly OutputFrame[],
  emulated: readonly (OutputFrame & { readonly isOwn: boolean })[],
): Compared {
  const pairs: { kernel: Record<string, string[]>; emulated: Record<string, string[]> } = {
    kernel: {},
    emulated: {},
  };
  for (const name of Object.keys(world.interfaces)) {
    const mine = emulated.filter((frame) => frame.interface === name);
    const masked = ({ octets }: OutputFrame, index: number): string =>
      mine[index]?.isOwn === true ? maskId(Buffer.from(octets, "hex")) : octets;
    pairs.emulated[name] = mine.map(masked);
    pairs.kernel[name] = kernel.filter((frame) => frame.interface === name).map(masked);
  }
  return pairs;
}

/**
 * `frames` by interface. The IP identification of packets that the router made is masked, and the
 * header checksum with it if it is right.
 */
export function comparable(world: World, frames: readonly OutputFrame[]): Comparable {
  const own = ownAddresses(world);
  return Object.fromEntries(
    Object.keys(world.interfaces).map((name) => [
      name,
      frames
        .filter((frame) => frame.interface === name)
        .map(({ octets }) => mask(Buffer.from(octets, "hex"), own)),
    ]),
  );
}

/**
 * What is left when every frame of `sent` is paired with an equal one of `expected` that left by
 * the
 * same interface within `tolerance`: for runs in which timers fire, whose tick the kernel decides.
 * Frames that left after `until` need no partner.
 */
export function unpaired(
  world: World,
  expected: readonly TimedFrame[],
  sent: readonly TimedFrame[],
  tolerance: Duration,
  until: Duration,
): string[] {
  const own = ownAddresses(world);
  const words = ({ interface: name, octets }: TimedFrame): string =>
    `${name} ${mask(Buffer.from(octets, "hex"), own)}`;
  const left = new Set(sent);
  const missing = expected.filter((frame) => {
    const partners = [...left].filter((one) => words(one) === words(frame));
    const [partner] = partners.toSorted(
      (one, other) => Math.abs(one.at - frame.at) - Math.abs(other.at - frame.at),
    );
    if (partner === undefined || Math.abs(partner.at - frame.at) > tolerance) return true;
    left.delete(partner);
    return false;
  });
  const show = (who: string, frames: Iterable<TimedFrame>): string[] =>
    [...frames]
      .filter(({ at }) => at <= until)
      .map((frame) => `only ${who} ${frame.at} ${words(frame)}`);
  return [...show("expected", missing), ...show("sent", left)];
}

function ownAddresses({ interfaces }: World): ReadonlySet<number> {
  const own = new Set<number>([DUMMY_ADDRESS]);
  for (const { addresses = [] } of Object.values(interfaces)) {
    for (const words of addresses) own.add(parseAddressWords(words).address);
  }
  return own;
}

function mask(frame: Uint8Array, own: ReadonlySet<number>): string {
  const view = viewOf(frame);
  const at = ETHERNET_LENGTH;
  const isIpv4 = ETHERNET.type.get(view, 0) === EtherType.Ipv4;
  const source = isIpv4 ? IPV4.src.get(view, at) : 0;
  const isOwn = own.has(source) || source >>> 24 === LOOPBACK;
  return isOwn ? maskId(frame) : Buffer.from(frame).toString("hex");
}

/** An identification of 0 is no draw where nobody may cut the packet: it stays. */
function maskId(frame: Uint8Array): string {
  const view = viewOf(frame);
  const at = ETHERNET_LENGTH;
  const isIpv4 = ETHERNET.type.get(view, 0) === EtherType.Ipv4;
  const isDrawn = IPV4.id.get(view, at) !== 0 || (IPV4.flagsFragment.get(view, at) & DF) === 0;
  if (isIpv4 && isDrawn) {
    const isSealed = onesSum(view, at, at + headerLengthOf(view, at)) === 0xffff;
    IPV4.id.set(view, at, 1);
    if (isSealed) IPV4.checksum.set(view, at, 0);
  }
  return Buffer.from(frame).toString("hex");
}
