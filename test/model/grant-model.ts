/** Grant tables as a list of who uses what; nothing is counted. @module */

const OKAY = 0;
const GENERAL = -1;
const BAD_DOMAIN = -2;
const BAD_REFERENCE = -3;
const BAD_HANDLE = -4;
const DENIED = -8;
const BAD_ARGUMENT = -10;

/** One mapping that somebody holds. */
interface Use {
  readonly by: number;
  readonly owner: ModelDomain;
  readonly ref: number;
  readonly frame: number;
  readonly isReadonly: boolean;
  /** "host", "device" or both; the mapping ends with the last. */
  readonly kinds: Set<MapKind>;
}

/** A domain: its memory, where its table's frames lie in it, and its handles. */
interface ModelDomain {
  readonly memory: Uint8Array<ArrayBuffer>;
  readonly tableFrames: readonly number[];
  readonly freeHandles: number[];
  handles: number;
}

/** How a domain maps: "host", "device" or both. */
export type MapKind = "host" | "device";

/** What hostile domains can do, and what can be seen of it. */
export interface GrantSubject {
  poke(domid: number, at: number, octet: number): void;
  map(by: number, domid: number, ref: number, kinds: MapKind[], isReadonly: boolean): number;
  unmap(by: number, handle: number, kinds: MapKind[]): number;
  frameFor(domid: number, ref: number, by: number, isWrite: boolean): number;
  copy(by: number, source: ModelEnd, target: ModelEnd, length: number): number;
  destroy(domid: number): void;
  /** The frame behind a handle; -1 for none. */
  frameOf(by: number, handle: number): number;
  /** A domain's memory; what it was last for one that died. */
  memoryOf(domid: number): Uint8Array;
}

/** One end of a copy. */
export interface ModelEnd {
  /** `null` for the caller itself. */
  readonly domid: number | null;
  readonly isReference: boolean;
  readonly frame: number;
  readonly offset: number;
}

/** All domains of a host. */
export class GrantModel implements GrantSubject {
  readonly #domains = new Map<number, ModelDomain>();
  readonly #all = new Map<number, ModelDomain>();
  /** By "domid:handle". */
  readonly #uses = new Map<string, Use>();

  add(domid: number, octets: number, tableFrames: readonly number[]): void {
    const memory = new Uint8Array(octets);
    const domain = { memory, tableFrames, freeHandles: [], handles: 0 };
    this.#domains.set(domid, domain);
    this.#all.set(domid, domain);
  }

  poke(domid: number, at: number, octet: number): void {
    this.memoryOf(domid)[at] = octet;
  }

  memoryOf(domid: number): Uint8Array {
    return this.#all.get(domid)?.memory ?? new Uint8Array(0);
  }

  frameOf(by: number, handle: number): number {
    return this.#uses.get(`${by}:${handle}`)?.frame ?? -1;
  }

  map(by: number, domid: number, ref: number, kinds: MapKind[], isReadonly: boolean): number {
    if (kinds.length === 0) return BAD_REFERENCE;
    const owner = this.#domains.get(domid);
    const caller = this.#domains.get(by);
    if (owner === undefined || caller === undefined) return BAD_DOMAIN;
    const frame = this.#judge(owner, ref, by, isReadonly);
    if (frame < 0) return frame;
    this.#take(owner, ref, isReadonly);
    const handle = caller.freeHandles.pop() ?? caller.handles;
    caller.handles = Math.max(caller.handles, handle + 1);
    this.#uses.set(`${by}:${handle}`, { by, owner, ref, frame, isReadonly, kinds: new Set(kinds) });
    return handle;
  }

  unmap(by: number, handle: number, kinds: MapKind[]): number {
    const use = this.#uses.get(`${by}:${handle}`);
    if (use === undefined) return BAD_HANDLE;
    for (const kind of kinds) use.kinds.delete(kind);
    if (use.kinds.size === 0) {
      this.#uses.delete(`${by}:${handle}`);
      this.#all.get(by)?.freeHandles.push(handle);
    }
    this.#letGo(use.owner, use.ref, use.isReadonly);
    return OKAY;
  }

  frameFor(domid: number, ref: number, by: number, isWrite: boolean): number {
    const owner = this.#domains.get(domid);
    return owner === undefined ? BAD_DOMAIN : this.#judge(owner, ref, by, !isWrite);
  }

  copy(by: number, source: ModelEnd, target: ModelEnd, length: number): number {
    if (source.offset + length > 4096 || target.offset + length > 4096) return BAD_ARGUMENT;
    for (const end of [source, target]) {
      if (end.domid !== null && !end.isReference) return DENIED;
    }
    const owners = [source, target].map(({ domid }) => this.#domains.get(domid ?? by));
    const [from, into] = owners;
    if (!this.#domains.has(by)) return BAD_DOMAIN;
    if (from === undefined || into === undefined) return BAD_DOMAIN;
    const first = this.#end(from, source, by, true);
    if (first < 0) return first;
    if (source.isReference) this.#take(from, source.frame, true);
    const last = this.#end(into, target, by, false);
    if (last >= 0) {
      if (target.isReference) this.#take(into, target.frame, false);
      const octets = from.memory.slice(first * 4096 + source.offset).slice(0, length);
      into.memory.set(octets, last * 4096 + target.offset);
      if (target.isReference) this.#letGo(into, target.frame, false);
    }
    if (source.isReference) this.#letGo(from, source.frame, true);
    return last < 0 ? last : OKAY;
  }

  /** A domain that died holds nothing any more, and nobody maps of it again. */
  destroy(domid: number): void {
    for (const [key, use] of this.#uses) {
      if (use.by === domid) this.unmap(domid, Number(key.split(":")[1]), ["host", "device"]);
    }
    this.#domains.delete(domid);
  }

  /** A user of `ref` comes: Xen sets the bits, unless they are set for somebody already. */
  #take(owner: ModelDomain, ref: number, isReadonly: boolean): void {
    const users = this.#users(owner, ref);
    const isFirstWriter = !isReadonly && users.every((one) => one.isReadonly);
    if (users.length === 0 || isFirstWriter) {
      this.#setFlags(owner, ref, isReadonly ? 8 : 8 | 16, 0);
    }
  }

  /** A user of `ref` is gone: Xen clears the bits that nobody else keeps set. */
  #letGo(owner: ModelDomain, ref: number, isReadonly: boolean): void {
    const users = this.#users(owner, ref);
    if (!isReadonly && users.every((one) => one.isReadonly)) this.#setFlags(owner, ref, 0, 16);
    if (users.length === 0) this.#setFlags(owner, ref, 0, 8);
  }

  #end(owner: ModelDomain, end: ModelEnd, by: number, isReadonly: boolean): number {
    if (end.isReference) return this.#judge(owner, end.frame, by, isReadonly);
    return end.frame * 4096 < owner.memory.length ? end.frame : GENERAL;
  }

  /** The frame that `by` gets of `ref`; a status. */
  #judge(owner: ModelDomain, ref: number, by: number, isReadonly: boolean): number {
    if (ref >= owner.tableFrames.length * 512) return BAD_REFERENCE;
    const users = this.#users(owner, ref);
    const [first] = users;
    if (first !== undefined && first.by !== by) return GENERAL;
    const view = new DataView(owner.memory.buffer);
    const at = this.#at(owner, ref);
    const flags = view.getUint16(at, true);
    const isKnown = first !== undefined && (isReadonly || users.some((one) => !one.isReadonly));
    if (!isKnown && !isReadonly && (flags & 4) !== 0) return GENERAL;
    if (first !== undefined) return first.frame;
    if ((flags & 3) !== 1 || view.getUint16(at + 2, true) !== by) return GENERAL;
    const frame = view.getUint32(at + 4, true);
    return frame * 4096 < owner.memory.length ? frame : GENERAL;
  }

  #users(owner: ModelDomain, ref: number): Use[] {
    return [...this.#uses.values()].filter((use) => use.owner === owner && use.ref === ref);
  }

  #setFlags(owner: ModelDomain, ref: number, set: number, cleared: number): void {
    const view = new DataView(owner.memory.buffer);
    const at = this.#at(owner, ref);
    view.setUint16(at, (view.getUint16(at, true) & ~cleared) | set, true);
  }

  #at(owner: ModelDomain, ref: number): number {
    return (owner.tableFrames[Math.floor(ref / 512)] ?? 0) * 4096 + (ref % 512) * 8;
  }
}
