/** Words of a script by chance: paths, values, permissions, numbers; good and bad. @module */
import type { Prng } from "../../../src/base/prng.ts";
import { textOf } from "./script.ts";

/** Domids of the guests in scripts. */
export const GUESTS: readonly number[] = [1, 2, 3, 7];

/** One of `items`, each as likely as the others. */
export function pick<T>(prng: Prng, items: readonly [T, ...T[]]): T {
  return items[prng.below(items.length)] ?? items[0];
}

/** What has a weight, drawn by it. */
export function draw<T>(prng: Prng, items: readonly (readonly [number, T])[]): T {
  let left = prng.below(items.reduce((sum, [weight]) => sum + weight, 0));
  for (const [weight, item] of items) {
    if (left < weight) return item;
    left -= weight;
  }
  throw new Error("weights are positive");
}

const ROOTS = [
  [6, ""],
  [3, "/a"],
  [3, "/local/domain/1"],
  [3, "/local/domain/2"],
  [1, "/local/domain/3"],
  [1, "/local/domain/7"],
  [1, "/local/domain/0"],
  [1, "/tool"],
  [1, "/local/domain"],
] as const;
const NAMES = ["a", "b", "c", "data", "A-_@9"] as const;

/** Few names, so that many requests meet. */
function goodPath(prng: Prng): string {
  const root = draw(prng, ROOTS);
  const depth = draw(prng, [
    [root === "" ? 0 : 2, 0],
    [4, 1],
    [3, 2],
    [1, 3],
  ]);
  return root + Array.from({ length: depth }, () => `/${pick(prng, NAMES)}`).join("");
}

/** A path from the client's home. */
function relativePath(prng: Prng): string {
  const depth = draw(prng, [
    [5, 1],
    [3, 2],
  ]);
  return Array.from({ length: depth }, () => pick(prng, NAMES)).join("/");
}

const filled = (start: string, length: number): string =>
  start.padEnd(length, "x").slice(0, length);

/** Names of a path in which each is as long as a test of lengths needs. */
function longPath(prng: Prng): string {
  const start = pick(prng, ["/", "/a/", "a", "/local/domain/1/", "/local/domain/12/a"]);
  const length = pick(prng, [255, 256, 1023, 1024, 2047, 2048, 2049, 2064, 2065, 3071, 3072, 4000]);
  return filled(start, length);
}

const ODD_PATHS = [
  "",
  "/",
  "//",
  "//a",
  "/a/",
  "/a//b",
  "a/",
  "a//b",
  "/a b",
  "/a.b",
  "/a:b",
  "/\u00e9",
  "/a\u0001",
  "@introduceDomain",
  "@releaseDomain",
  "@other",
  "@",
  "/@releaseDomain",
  "/local/domain/",
  "/local/domain/x",
  "../a",
  "/local/domain/1/../2",
  "./a",
  "/local",
  "/tool/xenstored",
] as const;

/** A path of any kind. */
export function anyPath(prng: Prng): string {
  const kind = draw(prng, [
    [70, goodPath],
    [18, relativePath],
    [6, (chance: Prng): string => pick(chance, ODD_PATHS)],
    [1, longPath],
  ]);
  return kind(prng);
}

/** A path to watch. */
export function watchPath(prng: Prng): string {
  const special = ["@introduceDomain", "@releaseDomain", "/", "@other"] as const;
  return prng.below(5) === 0 ? pick(prng, special) : anyPath(prng);
}

/** A value; seldom one that a node of a guest cannot hold. */
export function anyValue(prng: Prng): string {
  const kind = draw(prng, [
    [20, (): string => String(prng.below(10))],
    [5, (): string => ""],
    [3, (): string => "a\0b\0"],
    [2, (): string => "\0"],
    [2, (): string => filled("long", 100 + prng.below(900))],
    [2, (): string => filled("long", 1900 + prng.below(250))],
    [1, (): string => filled("long", pick(prng, [2000, 3000, 4000, 4050, 4076]))],
  ]);
  return kind();
}

const ODD_PERMS = [
  "",
  "n",
  "x0",
  "N1",
  "r-1",
  "b 1",
  "1",
  "rr1",
  "n1x",
  "w99999",
  "n65536",
  "r0x1",
];

/** One permission. */
export function anyPerm(prng: Prng): string {
  const isOdd = prng.below(30) === 0;
  if (isOdd) return ODD_PERMS[prng.below(ODD_PERMS.length)] ?? "";
  return pick(prng, ["n", "r", "w", "b"]) + anyDomid(prng);
}

/** Mostly one of the guests. */
export function anyDomid(prng: Prng): string {
  const kind = draw(prng, [
    [16, (): string => String(GUESTS[prng.below(3)] ?? 1)],
    [4, (): string => "0"],
    [1, (): string => String(GUESTS[3])],
    [1, (): string => pick(prng, ["9", "007", "32751", "32752", "32767", "65535", "65536"])],
  ]);
  return kind();
}

const ODD_NUMBERS = ["", "-1", "x", "0x1", "1x", " 1", "4294967296", "4294967297", "99999999999"];

/** A number where one is due; seldom none. */
export function oddNumber(prng: Prng): string {
  return ODD_NUMBERS[prng.below(ODD_NUMBERS.length)] ?? "";
}

/** Without its end, with more than its end, empty. */
export function broken(prng: Prng, payload: string): string {
  return pick(prng, [payload.slice(0, -1), `${payload}x\0`, `${payload}\0`, "", "\0"]);
}

/** A line for CONTROL. */
export function controlLine(prng: Prng): string {
  const good = ["check", "help", "print hello", "quota", "quota 1", "log", "log on", "log off"];
  const bad = ["nonsense", "", "quota 9", "quota x", "quota set", "check more"];
  return pick(prng, ["quota 2", ...good, ...bad]);
}

/** An index of a ring that makes no sense: where it stands, and its octets. */
export function brokenIndex(prng: Prng): { readonly at: number; readonly octets: string } {
  const at = pick(prng, [2048, 2052, 2056, 2060]);
  // Never such that half a request is read: if the domain is introduced anew then, xenstored
  // goes on with freed memory.
  const value = pick(prng, [0x4000_0000, 0x7fff_ffff, 0x8000_0000, 0xc000_0001]);
  const word = Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
  return { at, octets: textOf(word) };
}
