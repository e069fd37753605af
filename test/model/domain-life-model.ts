/**
 * What a store knows of domains, as a person would write it down: who is introduced, who hears of
 * comings and goings, and what becomes of nodes and permissions when a domain goes.
 * @module
 */

/** What Xen says of a domain that it has. */
export type LifeState = "running" | "shutdown" | "dying";

/** A domain that the store knows. */
interface Known {
  readonly domid: number;
  /** The store's version when it became known. */
  readonly since: number;
  isIntroduced: boolean;
  gfn: number;
  hasToldShutdown: boolean;
}

/** A node of Dom0's directory with its owner, and the one domain that may read it beside that. */
interface LifeNode {
  readonly owner: number;
  readonly reader: number | null;
  /** The store knew a domain of the reader's number. */
  readonly hadReader: boolean;
  readonly version: number;
}

/** Whoever watches both special names. */
interface Watcher {
  /** 0: a client of the socket. */
  readonly domid: number;
  readonly events: string[];
}

/** Domains of one store. */
export class DomainLifeModel {
  readonly xen = new Map<number, LifeState>();
  readonly nodes = new Map<string, LifeNode>();
  readonly #isModern: boolean;
  /** The latest first. */
  #known: Known[] = [];
  #watchers: Watcher[] = [];
  #version = 0;

  constructor(isModern: boolean) {
    this.#isModern = isModern;
  }

  isIntroduced(domid: number): boolean {
    return domid === 0 || this.#known.some((one) => one.domid === domid && one.isIntroduced);
  }

  watch(domid: number): Watcher {
    const watcher = { domid, events: [] };
    this.#watchers.push(watcher);
    return watcher;
  }

  introduce(domid: number, gfn: number): string {
    const known = this.#find(domid);
    if (known?.isIntroduced === true) {
      if (!this.#isModern && known.gfn !== gfn) return "EINVAL";
      this.#silence(domid);
      return "OK";
    }
    if (!this.xen.has(domid)) return "EINVAL";
    Object.assign(this.#meet(domid), { isIntroduced: true, gfn, hasToldShutdown: false });
    this.#tell("@introduceDomain");
    return "OK";
  }

  release(domid: number): string {
    const known = this.#find(domid);
    if (known?.isIntroduced !== true) return "ENOENT";
    this.#destroy(known);
    return "OK";
  }

  resume(domid: number): string {
    const known = this.#find(domid);
    if (known?.isIntroduced !== true) return "ENOENT";
    known.hasToldShutdown = false;
    return "OK";
  }

  /** A domain's connection broke. */
  breakOff(domid: number): void {
    const known = this.#find(domid);
    if (known?.isIntroduced !== true) return;
    if (this.#isModern) this.#silence(domid);
    else this.#destroy(known);
  }

  /** Xen told that something happened to some domain. */
  check(): void {
    let isNews = false;
    for (const known of [...this.#known]) {
      const state = this.xen.get(known.domid);
      if (!known.isIntroduced) {
        if (state === undefined) this.#forget(known);
      } else if (state === undefined || state === "dying") {
        this.#destroy(known);
        isNews = false;
      } else if (state === "shutdown" && !known.hasToldShutdown) {
        known.hasToldShutdown = true;
        isNews = true;
      }
    }
    if (isNews) this.#tell("@releaseDomain");
  }

  /** SET_PERMS of a node of Dom0's, made if need be. */
  give(name: string, owner: number, reader: number | null): string {
    // It is made first, and goes again if it cannot be given.
    if (!this.nodes.has(name)) this.#version++;
    if (this.#isModern) {
      for (const domid of [owner, reader]) {
        if (domid !== null && domid !== 0 && this.xen.has(domid)) this.#meet(domid);
      }
      const isKnown = owner === 0 || this.#find(owner) !== null;
      if (!isKnown) return "ENOENT";
    }
    const hadReader = reader !== null && this.#find(reader) !== null;
    this.nodes.set(name, { owner, reader, hadReader, version: ++this.#version });
    return "OK";
  }

  /** `null`: there is no such node. */
  mayRead(domid: number, name: string): boolean | null {
    const node = this.nodes.get(name);
    if (node === undefined) return null;
    if (node.owner === domid) return true;
    if (node.reader !== domid) return false;
    if (!this.#isModern) return true;
    // One that came without a change in between passes for the one before, as in the real store.
    return node.hadReader && (this.#find(domid)?.since ?? Infinity) <= node.version;
  }

  #find(domid: number): Known | null {
    return this.#known.find((one) => one.domid === domid) ?? null;
  }

  #meet(domid: number): Known {
    const found = this.#find(domid);
    if (found !== null) return found;
    const since = this.#version;
    const known = { domid, since, isIntroduced: false, gfn: 0, hasToldShutdown: false };
    this.#known.unshift(known);
    return known;
  }

  #destroy(known: Known): void {
    this.#silence(known.domid);
    this.#forget(known);
    this.#tell("@releaseDomain");
  }

  #forget(known: Known): void {
    this.#known = this.#known.filter((one) => one !== known);
    if (!this.#isModern) return;
    for (const [name, { owner }] of this.nodes) {
      if (owner !== known.domid) continue;
      this.nodes.delete(name);
      this.#version++;
    }
  }

  #silence(domid: number): void {
    this.#watchers = this.#watchers.filter((one) => one.domid !== domid);
  }

  #tell(name: string): void {
    for (const { domid, events } of this.#watchers) {
      if (domid === 0 || !this.#isModern) events.push(name);
    }
  }
}
