/** Who watches which paths, found without asking each watch. @module */
import type { StoreSession } from "./session.ts";
import { parentOf } from "./path.ts";
import { PathMap } from "./path-map.ts";

/** One registered watch. */
export class Watch {
  readonly session: StoreSession;
  /** Absolute, or a special name with `@`. */
  readonly path: string;
  readonly token: string;
  /** Characters that events leave out in front: the session's own path if it was given relative. */
  readonly prefix: number;
  /** Counts up with each watch of the store: the order in which one session's watches fire. */
  readonly order: number;

  constructor(session: StoreSession, path: string, token: string, prefix: number, order: number) {
    this.session = session;
    this.path = path;
    this.token = token;
    this.prefix = prefix;
    this.order = order;
  }

  /** `path` as an event of this watch names it. */
  nameOf(path: string): string {
    if (this.prefix === 0) return path;
    return path.slice(path.charCodeAt(this.prefix) === 0x2f ? this.prefix + 1 : this.prefix);
  }
}

/** A path with watches at or below it. */
interface Spot {
  readonly path: string;
  /** `null` at `/` and at special names. */
  readonly above: Spot | null;
  readonly below: Set<Spot>;
  readonly watches: Set<Watch>;
}

/**
 * All watches of a store, in a tree of the watched paths. A change costs as many steps as its path
 * has parts, however many watches there are.
 */
export class WatchIndex {
  readonly #spots = new PathMap<Spot>();
  #orders = 0;
  #size = 0;

  /** How many watches there are. */
  get size(): number {
    return this.#size;
  }

  /** Register; the caller has looked for duplicates and quotas. */
  add(session: StoreSession, path: string, token: string, prefix: number): Watch {
    const watch = new Watch(session, path, token, prefix, this.#orders++);
    this.#open(path).watches.add(watch);
    this.#size++;
    return watch;
  }

  delete(watch: Watch): void {
    let spot = this.#spots.get(watch.path) ?? null;
    if (spot?.watches.delete(watch) === true) this.#size--;
    while (spot !== null && spot.watches.size === 0 && spot.below.size === 0) {
      this.#spots.delete(spot.path);
      spot.above?.below.delete(spot);
      spot = spot.above;
    }
  }

  /** Append to `found` the watches on exactly `path`. */
  collectAt(path: string, found: Watch[]): void {
    const spot = this.#spots.get(path);
    if (spot !== undefined) for (const watch of spot.watches) found.push(watch);
  }

  /** Append to `found` the watches on `path` and on the directories that it is in. */
  collectAbove(path: string, found: Watch[]): void {
    if (this.#spots.size === 0) return;
    let at = path;
    let spot = this.#spots.get(at);
    while (spot === undefined && at !== "/") {
      at = parentOf(at);
      spot = this.#spots.get(at);
    }
    for (let one = spot ?? null; one !== null; one = one.above) {
      for (const watch of one.watches) found.push(watch);
    }
  }

  /** Append to `found` the watches below `path`. */
  collectBelow(path: string, found: Watch[]): void {
    const spot = this.#spots.get(path);
    if (spot === undefined) return;
    for (const one of spot.below) {
      for (const watch of one.watches) found.push(watch);
      this.collectBelow(one.path, found);
    }
  }

  #open(path: string): Spot {
    const known = this.#spots.get(path);
    if (known !== undefined) return known;
    const hasAbove = path !== "/" && path.startsWith("/");
    const above = hasAbove ? this.#open(parentOf(path)) : null;
    const spot: Spot = { path, above, below: new Set(), watches: new Set() };
    above?.below.add(spot);
    this.#spots.set(path, spot);
    return spot;
  }
}
