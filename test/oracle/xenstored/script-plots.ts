/** Short stories of a script, in which things meet that seldom do by chance. @module */
import type { Prng } from "../../../src/base/prng.ts";
import { type Request, SOCKET, type Step, typeOf, type Who, words } from "./script.ts";
import { anyPerm, draw, GUESTS, pick } from "./script-words.ts";

/** Who plays. */
export interface Cast {
  readonly prng: Prng;
  readonly who: Who;
  readonly other: Who;
  /** What `who`'s next transaction is called if all went well. */
  readonly tx: number;
  /** A domain that must not end. */
  readonly isLasting: (domid: number) => boolean;
}

/** A request of one word or more. */
export function request(name: string, payload: string, tx: number, req = 0): Request {
  return { type: typeOf(name), req, tx, payload };
}

const ask = (who: Who, name: string, payload: string, tx = 0): Step => ({
  do: "ask",
  who,
  requests: [request(name, payload, tx)],
});

/** What can be done to a node, to read it or to change it. */
function touch(prng: Prng, who: Who, path: string, tx: number): Step {
  const kind = prng.below(8);
  const perms = Array.from({ length: 2 + prng.below(4) }, () => anyPerm(prng));
  const all: readonly Step[] = [
    ask(who, "READ", words(path), tx),
    ask(who, "DIRECTORY", words(path), tx),
    ask(who, "GET_PERMS", words(path), tx),
    ask(who, "WRITE", `${words(path)}${prng.below(10)}`, tx),
    ask(who, "MKDIR", words(path), tx),
    ask(who, "RM", words(path), tx),
    ask(who, "SET_PERMS", words(path, ...perms), tx),
    ask(who, "DIRECTORY_PART", words(path, pick(prng, ["0", "2"])), tx),
  ];
  return all[kind] ?? ask(who, "READ", words(path), tx);
}

/** A node, or one above it, beside it or below it. */
function near(prng: Prng, path: string): string {
  const parent = path.slice(0, path.lastIndexOf("/")) || "/";
  return draw(prng, [
    [4, path],
    [2, `${path}/a`],
    [1, `${path}/a/b`],
    [2, parent],
    [1, `${path}x`],
  ]);
}

/** A transaction in which nodes are touched that another touches meanwhile. */
export function conflict({ prng, who, other, tx }: Cast): Step[] {
  const path = pick(prng, [
    "/a/b",
    "/a/none",
    "/c/A-_@9",
    "/local/domain/1/data",
    "/local/domain/2/a",
  ]);
  const some = (count: number, whose: Who, id: number): Step[] =>
    Array.from({ length: count }, () => touch(prng, whose, near(prng, path), id));
  const home = path.startsWith("/local") ? path : `${path}/a`;
  const ends: readonly (readonly [number, readonly Step[]])[] = [
    [8, [ask(who, "TRANSACTION_END", words("T"), tx)]],
    [1, [ask(who, "TRANSACTION_END", words("F"), tx)]],
    [1, [ask(who, "RESET_WATCHES", "\0"), ask(who, "TRANSACTION_END", words("T"), tx)]],
  ];
  return [
    ...(prng.below(3) > 0 ? [ask(SOCKET, "WRITE", `${words(home)}1`)] : []),
    ask(who, "TRANSACTION_START", "\0"),
    ...some(1 + prng.below(3), who, tx),
    ...some(1 + prng.below(2), other, 0),
    ...some(prng.below(3), who, tx),
    ...draw(prng, ends),
    ask(other, "DIRECTORY", words(path)),
    ask(SOCKET, "GET_PERMS", words(path)),
  ];
}

/** A guest of a tight bound, and what it is refused then. */
export function tightQuota({ prng, who, tx }: Cast): Step[] {
  const few = 1 + prng.below(6);
  const each = (name: string, payload: (n: number) => string, id = 0): Step[] =>
    Array.from({ length: few + 3 }, (_, n) => ask(who, name, payload(n), id));
  const together = (name: string, payload: (n: number) => string): Step[] => [
    ask(who, "TRANSACTION_START", "\0"),
    ...each(name, payload, tx),
    ask(who, "TRANSACTION_END", words("T"), tx),
  ];
  const perms = (n: number): string[] => Array.from({ length: n + 1 }, () => anyPerm(prng));
  const below = (n: number): string => words(`q/${n}`);
  const value = (n: number): string => words("data") + "v".repeat(10 * n);
  const [bound, steps, limit = few] = draw<readonly [string, Step[], number?]>(prng, [
    [3, ["nodes", each("WRITE", below)]],
    [2, ["nodes", together("MKDIR", below)]],
    [2, ["watches", each("WATCH", (n) => words(`w${n}`, "t"))]],
    [2, ["transactions", each("TRANSACTION_START", () => "\0")]],
    [2, ["transaction-nodes", together("READ", below)]],
    [2, ["node-size", each("WRITE", value), 20 + 10 * few]],
    [3, ["permissions", each("SET_PERMS", (n) => words("data", ...perms(n)))]],
    [1, ["path-max", each("WRITE", (n) => words("p".repeat(7 + n))), 10 + few]],
  ]);
  const usual: Readonly<Record<string, number>> = {
    nodes: 1000,
    watches: 128,
    transactions: 10,
    "transaction-nodes": 1024,
    "node-size": 2048,
    permissions: 5,
    "path-max": 2048,
  };
  const set = (to: number): Step =>
    ask(SOCKET, "CONTROL", words("quota", "set", bound, String(to)));
  return [set(limit), ...steps, ask(SOCKET, "CONTROL", words("quota")), set(usual[bound] ?? 1)];
}

/** What happens to several domains before the store looks. */
export function mayhem({ prng, isLasting }: Cast): Step[] {
  const steps = GUESTS.filter((domid) => !isLasting(domid)).flatMap((who): Step[] =>
    draw<readonly Step[]>(prng, [
      [3, []],
      [3, [{ do: "shutdown", who, reason: prng.below(5) }]],
      [2, [{ do: "destroy", who }]],
      [1, [{ do: "dying", who }]],
    ]).slice(),
  );
  const watch = (name: string): Step => ask(SOCKET, "WATCH", words(name, "mayhem"));
  const all = prng.below(2) === 0 ? steps : steps.toReversed();
  return [
    watch("@releaseDomain"),
    { do: "hush", who: 0 },
    ...all,
    { do: "hear", who: 0 },
    ask(SOCKET, "DIRECTORY", words("/local/domain")),
    ask(SOCKET, "UNWATCH", words("@releaseDomain", "mayhem")),
  ];
}

const VALUE = "v".repeat(1900);

/** So many requests of one kind. */
export interface Burst {
  readonly name: string;
  readonly count: number;
  readonly payload: (n: number) => string;
}

/** What asks for more than a quota of Xen 4.17 allows. */
export function burstOf(prng: Prng): Burst {
  // Many watches on a directory of many changes cost xenstored minutes: it looks for repeats.
  const [name, count, payload] = draw<readonly [string, number, (n: number) => string]>(prng, [
    [3, ["WATCH", 135, (n): string => `w\0t${n}\0`]],
    [3, ["TRANSACTION_START", 14, (): string => "\0"]],
    [1, ["WRITE", 1010, (n): string => `q/${n % 40}/${n}\0`]],
    [1, ["MKDIR", 560, (n): string => `data/${n}\0`]],
    [2, ["WRITE", 320, (n): string => `a/${String(n).padEnd(40, "x")}\0`]],
    [1, ["WRITE", 900, (n): string => `m/${n}\0${VALUE}`]],
  ]);
  return { name, count, payload };
}
