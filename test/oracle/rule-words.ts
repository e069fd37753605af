/** Words of rules that depend on the site they are made for. @module */
import fc from "fast-check";
import { formatIpv4, ipv4Of, maskOf, parseIpv4 } from "../../src/wire/addr.ts";
import type { Site } from "./world-arbitrary.ts";

/** A piece of a rule, once the site is known. */
export type Words = (site: Site) => string;
/** Random {@link Words}. */
export type AnyWords = fc.Arbitrary<Words>;

/** One of some texts that no site matters to. */
export const one = (...texts: readonly string[]): AnyWords =>
  fc.constantFrom(...texts).map((text) => () => text);

/** What `text` draws, whatever the site. */
export const fixed = (text: fc.Arbitrary<string>): AnyWords => text.map((value) => () => value);

/** All parts in a row, without the empty ones. */
export const row = (...parts: readonly (string | AnyWords)[]): AnyWords =>
  fc
    .tuple(...parts.map((part) => (typeof part === "string" ? one(part) : part)))
    .map((all) => (site) => {
      const words = all.map((part) => part(site));
      return words.filter((word) => word !== "").join(" ");
    });

/** One of `choices`, each as often as its weight says. */
export const some = (...choices: readonly (readonly [number, AnyWords])[]): AnyWords =>
  fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));

export const any = (...choices: readonly AnyWords[]): AnyWords => fc.oneof(...choices);

/** `words`, or nothing: `weight` times as often. */
export const maybe = (words: AnyWords, weight = 1): AnyWords => some([weight, one("")], [1, words]);

/** Now and then a "!". */
export const not = one("", "", "", "!");

/** Several of `names`, with commas. */
export const list = (names: readonly string[], maxLength = names.length): AnyWords =>
  fixed(fc.subarray([...names], { minLength: 1, maxLength }).map((all) => all.join(",")));

export const integer = (min: number, max: number): AnyWords =>
  fixed(fc.integer({ min, max }).map(String));

const index = fc.nat({ max: 255 });
type Pool = "own" | "hosts" | "routed" | "ends";

/** An address that the site has a use for. */
export const address: AnyWords = fc
  .tuple(
    fc.constantFrom<Pool>("own", "own", "hosts", "hosts", "hosts", "hosts", "routed", "ends"),
    index,
  )
  .map(([kind, at]) => (site) => {
    const pools: Record<Pool, readonly string[]> = {
      own: site.own,
      hosts: site.onLink.flat(),
      routed: site.routed,
      ends: site.blockEnds,
    };
    const pool = pools[kind];
    return pool[at % Math.max(pool.length, 1)] ?? "10.1.2.2";
  });

/** An address of some host that is not the router. */
export const host: AnyWords = fc.tuple(fc.boolean(), index).map(([isRouted, at]) => (site) => {
  const pool = isRouted ? site.routed : site.onLink.flat();
  return pool[at % Math.max(pool.length, 1)] ?? "10.1.2.2";
});

/** An address, or the block that it lies in. */
export const block: AnyWords = fc
  .tuple(address, fc.constantFrom("", "", "", "/24", "/16", "/8", "/31", "/28", "/255.0.255.0"))
  .map(
    ([make, length]) =>
      (site) =>
        `${make(site)}${length}`,
  );

/** An address, or a block whose mask has no gaps. */
export const prefix: AnyWords = fc
  .tuple(address, fc.constantFrom("", "", "/24", "/16", "/31", "/0"))
  .map(
    ([make, length]) =>
      (site) =>
        `${make(site)}${length}`,
  );

/** Two addresses around one of the site, in order. */
export const addressRange: AnyWords = fc
  .tuple(address, fc.nat({ max: 2 }), fc.nat({ max: 3 }))
  .map(([make, down, up]) => (site) => {
    const middle = parseIpv4(make(site));
    const from = Math.max(middle - down, 0);
    const to = Math.min(middle + up, 0xffff_ffff);
    return `${formatIpv4(ipv4Of(from))}-${formatIpv4(ipv4Of(to))}`;
  });

/** The block of eight addresses around one. */
export const smallBlock: AnyWords = fc
  .tuple(host, fc.constantFrom(24, 28, 29, 32))
  .map(([make, length]) => (site) => {
    const network = ipv4Of(parseIpv4(make(site)) & maskOf(length));
    return `${formatIpv4(network)}/${length}`;
  });

/** A device of the site, or a pattern. */
export const device: AnyWords = some(
  [6, index.map((at) => (site) => `e${at % Object.keys(site.world.interfaces).length}`)],
  [1, one("e+", "lo", "x9")],
);

/** The MAC addresses that frames of the oracle come from. */
export const MAC_NEIGHBOR = "12:31:39:00:00:00";

/** Ports that packets of the oracle have. */
const PORTS = ["53", "80", "4000", "4001", "600", "33434"];
export const port = one(...PORTS);
export const ports = some(
  [4, port],
  [2, one("1:1023", "1024:65535", "33434:33534", "40000:40127", ":600", "4000:")],
);
/** Up to fifteen ports and ranges. */
export const portList = list([...PORTS, "1:100", "40000:40127", "1024:5000"], 5);
