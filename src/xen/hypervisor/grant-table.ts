/**
 * Grant tables as Xen judges them: who may map or copy which frame of another domain
 * (Xen 3.1: `common/grant_table.c`; version 1).
 *
 * An entry is read when its first user comes; from then until the last user is gone, domain and
 * frame are those that Xen noted, whatever the guest writes there. A mapping is the right to use a
 * frame of another domain's memory; nothing is copied.
 * @module
 */
import { NO_WORDS } from "../../base/first-values.ts";
import { assert } from "../../base/assert.ts";
import { OptionError } from "../../base/errors.ts";
import {
  type DomainMemory,
  DOMID_SELF,
  FRAME_OCTETS,
  FRAME_SHIFT,
  FRAME_WORD_SHIFT,
} from "./domain-memory.ts";
import {
  type CopyEnd,
  type GrantCopy,
  GrantMap,
  GrantStatus,
  type GrantTableSize,
} from "./grant-operations.ts";
import { PIN_FULL, PIN_WRITES, pinOf } from "./grant-pins.ts";
import { GRANTS_SHIFT, GrantFlag } from "./guest-grants.ts";

const ENTRIES_MASK = (1 << GRANTS_SHIFT) - 1;
/** Handles come by pages of 512, at most eight pages for each frame that a table may have. */
const HANDLES_OF_PAGE = 512;
const HANDLE_PAGES_OF_FRAME = 8;
const INITIAL_FRAMES = 4;
const MAX_FRAMES = 32;

/** The tables of all domains of a host. */
export class GrantTables {
  readonly #tables = new Map<number, GrantTable>();
  /** Dead domains of which somebody still maps a frame, by domid. */
  readonly dying = new Map<number, GrantTable>();
  declare readonly maxFrames: number;

  /** @param maxFrames frames that a table may grow to, 4 to 2,048; 32. */
  constructor({ maxFrames = MAX_FRAMES }: { readonly maxFrames?: number } = {}) {
    if (!Number.isInteger(maxFrames) || maxFrames < INITIAL_FRAMES || maxFrames > 2048) {
      throw new OptionError("maxFrames", maxFrames, `${INITIAL_FRAMES} to 2048`);
    }
    this.maxFrames = maxFrames;
  }

  /**
   * A table of four frames, allocated in `memory`, for a new domain.
   * @throws {OptionError} if the domain has one or no frames are left.
   */
  create(memory: DomainMemory): GrantTable {
    const { domid } = memory;
    if (this.#tables.has(domid)) throw new OptionError("domid", domid, "a domain without a table");
    const table = new GrantTable(this, memory);
    this.#tables.set(domid, table);
    return table;
  }

  find(domid: number): GrantTable | null {
    return this.#tables.get(domid) ?? null;
  }

  /** True while somebody maps a frame of domain `domid`, which may have died. */
  isReferenced(domid: number): boolean {
    return this.dying.has(domid) || this.#tables.get(domid)?.isReferenced === true;
  }

  /** Nobody maps a frame of `table` any more: if its domain died, its memory is free. */
  released(table: GrantTable): void {
    const { domid } = table.memory;
    if (this.dying.get(domid) === table) this.dying.delete(domid);
  }

  /**
   * The domain died: what it mapped is released, and nobody may map of it any more. Who still maps
   * a frame of it keeps that mapping, and the frame stays, until he unmaps.
   */
  destroy(domid: number): void {
    const table = this.#tables.get(domid);
    if (table === undefined) return;
    this.#tables.delete(domid);
    table.release();
    if (table.isReferenced) this.dying.set(domid, table);
  }
}

/** One domain's table: what it granted, and what it mapped of others. */
export class GrantTable {
  declare readonly memory: DomainMemory;
  readonly #tables: GrantTables;
  readonly #frames: number[] = [];
  readonly #words: Int32Array = NO_WORDS;
  readonly #pages: number = 0;
  readonly #isShared: boolean = false;
  /** By reference, while pinned: users, the domain that may use it, and its frame. */
  #pins = new Int32Array(0);
  #users = new Uint16Array(0);
  #pinned = new Int32Array(0);
  /** By handle: whose frame, by which reference, how; free handles are linked by `#mapRefs`. */
  readonly #mapTables: (GrantTable | null)[] = [];
  readonly #mapRefs: number[] = [];
  readonly #mapFlags: number[] = [];
  #freeHandle = -1;
  #isAlive = true;
  #pinnedRefs = 0;

  constructor(tables: GrantTables, memory: DomainMemory) {
    this.#tables = tables;
    this.memory = memory;
    this.#words = memory.words;
    this.#pages = memory.pages;
    this.#isShared = memory.isShared;
    if (!this.#grow(INITIAL_FRAMES)) {
      throw new OptionError("memory", memory.pages, `${INITIAL_FRAMES} free frames`);
    }
  }

  /** Frames of the table in the domain's memory, in order: what the guest's kernel is told. */
  get frames(): readonly number[] {
    return this.#frames;
  }

  /** True while somebody maps a frame of this domain. */
  get isReferenced(): boolean {
    return this.#pinnedRefs > 0;
  }

  /** Mappings that this domain holds of others. */
  get mappings(): number {
    return this.#mapFlags.reduce((sum, flags) => sum + (flags === 0 ? 0 : 1), 0);
  }

  /**
   * `GNTTABOP_setup_table`: at least `count` frames. @returns a status; {@link frames} are the
   * table then.
   */
  setup(count: number): number {
    return count <= this.#tables.maxFrames && this.#grow(count)
      ? GrantStatus.okay
      : GrantStatus.generalError;
  }

  /** `GNTTABOP_query_size`. */
  querySize(): GrantTableSize {
    return { frames: this.#frames.length, maxFrames: this.#tables.maxFrames };
  }

  /**
   * The frame that `by` may use now by `ref`: for a copy that ends before anything else happens.
   * Where the guest runs in another thread and takes the grant back meanwhile, the copy may still
   * end in its frame. @returns the frame; a negative status.
   */
  frameFor(ref: number, by: number, isWrite: boolean): number {
    if (ref >>> GRANTS_SHIFT >= this.#frames.length) return GrantStatus.badReference;
    const pin = this.#pins[ref] ?? 0;
    if (pin !== 0 && this.#users[ref] !== by) return GrantStatus.generalError;
    if (pin === 0 || (isWrite && (pin & PIN_WRITES) === 0)) {
      const at = this.#wordOf(ref);
      const word = this.#isShared ? Atomics.load(this.#words, at) : (this.#words[at] ?? 0);
      const isGranted = (word & GrantFlag.type) === GrantFlag.permitAccess && word >>> 16 === by;
      if ((pin === 0 && !isGranted) || (isWrite && (word & GrantFlag.readonly) !== 0)) {
        return GrantStatus.generalError;
      }
      if (pin === 0) {
        const frame = (this.#words[at + 1] ?? 0) >>> 0;
        return frame < this.#pages ? frame : GrantStatus.generalError;
      }
    }
    return this.#pinned[ref] ?? GrantStatus.generalError;
  }

  /**
   * `GNTTABOP_map_grant_ref`: this domain maps `ref` of domain `domid`. `flags` of
   * {@link GrantMap}, `host` or `device` among them. @returns the handle; a negative status.
   */
  map(domid: number, ref: number, flags: number): number {
    if ((flags & (GrantMap.host | GrantMap.device)) === 0) return GrantStatus.badReference;
    const owner = this.#tableOf(domid);
    if (owner === null) return GrantStatus.badDomain;
    const handle = this.#takeHandle();
    if (handle < 0) return GrantStatus.noDeviceSpace;
    const status = owner.#pin(ref, this.memory.domid, flags);
    if (status < 0) {
      this.#freeHandleOf(handle);
      return status;
    }
    this.#mapTables[handle] = owner;
    this.#mapRefs[handle] = ref;
    this.#mapFlags[handle] = flags;
    return handle;
  }

  /**
   * `GNTTABOP_unmap_grant_ref`, of the kinds in `kinds` that the handle has; the handle ends with
   * the last. @returns a status.
   */
  unmap(handle: number, kinds: number = GrantMap.host | GrantMap.device): number {
    const flags = this.#mapFlags[handle] ?? 0;
    const owner = this.#mapTables[handle] ?? null;
    if (flags === 0 || owner === null) return GrantStatus.badHandle;
    const gone = flags & kinds & (GrantMap.host | GrantMap.device);
    owner.#unpin(this.#mapRefs[handle] ?? 0, gone | (flags & GrantMap.readonly));
    const left = flags & ~gone;
    this.#mapFlags[handle] = left;
    if ((left & (GrantMap.host | GrantMap.device)) === 0) this.#freeHandleOf(handle);
    return GrantStatus.okay;
  }

  /** Whose memory `handle` maps; `null` for a handle that maps nothing. */
  memoryOf(handle: number): DomainMemory | null {
    return this.#mapTables[handle]?.memory ?? null;
  }

  /** The frame that `handle` maps, in {@link memoryOf}; -1 for a handle that maps nothing. */
  frameOf(handle: number): number {
    const owner = this.#mapTables[handle] ?? null;
    return owner === null ? -1 : (owner.#pinned[this.#mapRefs[handle] ?? 0] ?? -1);
  }

  /** `GNTTABOP_copy`, called by this domain. @returns a status. */
  copy({ source, target, length }: GrantCopy): number {
    if (source.offset + length > FRAME_OCTETS || target.offset + length > FRAME_OCTETS) {
      return GrantStatus.badCopyArgument;
    }
    if (
      (source.domid !== DOMID_SELF && !source.isReference) ||
      (target.domid !== DOMID_SELF && !target.isReference)
    ) {
      return GrantStatus.permissionDenied;
    }
    const from = this.#tableOf(source.domid);
    const into = this.#tableOf(target.domid);
    if (from === null || into === null) return GrantStatus.badDomain;
    const sourceFrame = from.#acquire(source, this.memory.domid, GrantMap.readonly);
    if (sourceFrame < 0) return sourceFrame;
    const targetFrame = into.#acquire(target, this.memory.domid, 0);
    if (targetFrame >= 0) {
      const at = (sourceFrame << FRAME_SHIFT) + source.offset;
      into.memory.bytes.set(
        from.memory.bytes.subarray(at, at + length),
        (targetFrame << FRAME_SHIFT) + target.offset,
      );
      into.#release(target, 0);
    }
    from.#release(source, GrantMap.readonly);
    return targetFrame < 0 ? targetFrame : GrantStatus.okay;
  }

  /**
   * `GNTTABOP_transfer`: frames do not change their owner here, which Xen, too, answers for a frame
   * that somebody else uses. @returns {@link GrantStatus.badPage}.
   */
  transfer(): number {
    return GrantStatus.badPage;
  }

  /** The domain died: unmap all that it mapped; it asks in vain from now on. */
  release(): void {
    this.#isAlive = false;
    for (let handle = 0; handle < this.#mapFlags.length; handle += 1) {
      if (this.#mapFlags[handle] !== 0) this.unmap(handle);
    }
  }

  #tableOf(domid: number): GrantTable | null {
    if (!this.#isAlive) return null;
    return domid === DOMID_SELF ? this : this.#tables.find(domid);
  }

  #acquire({ isReference, frame }: CopyEnd, by: number, flags: number): number {
    if (!isReference) return frame >= 0 && frame < this.#pages ? frame : GrantStatus.generalError;
    const status = this.#pin(frame, by, GrantMap.host | flags);
    return status < 0 ? status : (this.#pinned[frame] ?? GrantStatus.generalError);
  }

  #release({ isReference, frame }: CopyEnd, flags: number): void {
    if (isReference) this.#unpin(frame, GrantMap.host | flags);
  }

  /** Note one user more of `ref` and set the guest's bits. @returns a status. */
  #pin(ref: number, by: number, flags: number): number {
    if (ref >>> GRANTS_SHIFT >= this.#frames.length) return GrantStatus.badReference;
    const pin = this.#pins[ref] ?? 0;
    if (pin !== 0 && (this.#users[ref] !== by || (pin & PIN_FULL) !== 0)) {
      return GrantStatus.generalError;
    }
    const isWrite = (flags & GrantMap.readonly) === 0;
    if (pin === 0 || (isWrite && (pin & PIN_WRITES) === 0)) {
      const frame = this.#mark(ref, by, pin !== 0, isWrite);
      if (frame < 0) return frame;
      if (pin === 0) {
        this.#pinnedRefs += 1;
        this.#users[ref] = by;
        this.#pinned[ref] = frame;
      }
    }
    this.#pins[ref] = pin + pinOf(flags);
    return GrantStatus.okay;
  }

  /**
   * Set `reading`, and `writing` if `isWrite`, in the entry of `ref`, unless it forbids that. Five
   * attempts: a guest may change its entry in another thread for as long as it likes.
   * @returns the entry's frame; a negative status.
   */
  #mark(ref: number, by: number, isPinned: boolean, isWrite: boolean): number {
    const words = this.#words;
    const at = this.#wordOf(ref);
    const frame = (words[at + 1] ?? 0) >>> 0;
    if (!isPinned && frame >= this.#pages) return GrantStatus.generalError;
    for (let attempt = 0; attempt < 5; attempt += 1) {
      const word = this.#isShared ? Atomics.load(words, at) : (words[at] ?? 0);
      const isGranted = (word & GrantFlag.type) === GrantFlag.permitAccess && word >>> 16 === by;
      if ((!isPinned && !isGranted) || (isWrite && (word & GrantFlag.readonly) !== 0)) {
        return GrantStatus.generalError;
      }
      const next = word | GrantFlag.reading | (isWrite ? GrantFlag.writing : 0);
      if (!this.#isShared) words[at] = next;
      else if (Atomics.compareExchange(words, at, word, next) !== word) continue;
      return frame;
    }
    return GrantStatus.generalError;
  }

  /** One user less of `ref`; the last one, and the last writer, clears the guest's bits. */
  #unpin(ref: number, flags: number): void {
    const pin = (this.#pins[ref] ?? 0) - pinOf(flags);
    this.#pins[ref] = pin;
    let cleared = 0;
    if ((flags & GrantMap.readonly) === 0 && (pin & PIN_WRITES) === 0) cleared |= GrantFlag.writing;
    if (pin === 0) {
      cleared |= GrantFlag.reading;
      this.#pinnedRefs -= 1;
      if (this.#pinnedRefs === 0) this.#tables.released(this);
    }
    if (cleared === 0) return;
    const at = this.#wordOf(ref);
    if (this.#isShared) Atomics.and(this.#words, at, ~cleared);
    else this.#words[at] = (this.#words[at] ?? 0) & ~cleared;
  }

  #wordOf(ref: number): number {
    const frame = this.#frames[ref >>> GRANTS_SHIFT] ?? 0;
    return (frame << FRAME_WORD_SHIFT) + ((ref & ENTRIES_MASK) << 1);
  }

  /** @returns false if the domain's memory has no frame left. */
  #grow(count: number): boolean {
    while (this.#frames.length < count) {
      const gfn = this.memory.allocate();
      if (gfn < 0) return false;
      this.#frames.push(gfn);
    }
    const entries = this.#frames.length << GRANTS_SHIFT;
    if (entries > this.#pins.length) {
      this.#pins = grown(this.#pins, new Int32Array(entries));
      this.#pinned = grown(this.#pinned, new Int32Array(entries));
      const users = new Uint16Array(entries);
      users.set(this.#users);
      this.#users = users;
    }
    return true;
  }

  #takeHandle(): number {
    if (this.#freeHandle < 0) {
      const first = this.#mapFlags.length;
      if (first >= this.#tables.maxFrames * HANDLE_PAGES_OF_FRAME * HANDLES_OF_PAGE) return -1;
      for (let handle = first; handle < first + HANDLES_OF_PAGE; handle += 1) {
        this.#mapTables.push(null);
        this.#mapFlags.push(0);
        this.#mapRefs.push(handle + 1 < first + HANDLES_OF_PAGE ? handle + 1 : -1);
      }
      this.#freeHandle = first;
    }
    const handle = this.#freeHandle;
    this.#freeHandle = this.#mapRefs[handle] ?? -1;
    assert(this.#mapFlags[handle] === 0, "a free handle maps nothing");
    return handle;
  }

  #freeHandleOf(handle: number): void {
    this.#mapTables[handle] = null;
    this.#mapFlags[handle] = 0;
    this.#mapRefs[handle] = this.#freeHandle;
    this.#freeHandle = handle;
  }
}

function grown(old: Int32Array<ArrayBuffer>, fresh: Int32Array<ArrayBuffer>): typeof fresh {
  fresh.set(old);
  return fresh;
}
