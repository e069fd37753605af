/**
 * Grants as a guest's kernel writes them: entries of eight octets in frames that it shares with Xen
 * (Xen: `public/grant_table.h`, version 1; flags at 0, domid at 2, frame at 4).
 *
 * All that is here happens in the guest's own memory, perhaps in a thread of its own.
 * @module
 */
import { type DomainMemory, FRAME_WORD_SHIFT } from "./domain-memory.ts";

/** Flags of an entry. */
export const GrantFlag = {
  /** The type's two bits: nothing, access, or a frame is wanted. */
  type: 3,
  permitAccess: 1,
  acceptTransfer: 2,
  readonly: 4,
  /** Set by Xen while somebody maps the frame. */
  reading: 8,
  /** Set by Xen while somebody maps it to write. */
  writing: 16,
} as const;

/** Shift from a reference to the index of its frame: 512 entries to a frame. */
export const GRANTS_SHIFT = 9;
/** References below are never drawn from the list: the toolstack knew them by number. */
const RESERVED_GRANTS = 8;

const ENTRIES_MASK = (1 << GRANTS_SHIFT) - 1;

/** The guest's list of free references, and what it writes into their entries. */
export class GuestGrants {
  declare readonly memory: DomainMemory;
  readonly #frames: number[];
  readonly #free: number[] = [];
  #fresh = RESERVED_GRANTS;

  /** @param frames the table's frames in order, as `GNTTABOP_setup_table` tells them. */
  constructor(memory: DomainMemory, frames: readonly number[]) {
    this.memory = memory;
    this.#frames = [...frames];
  }

  /** The table's frames, in order. */
  get frames(): readonly number[] {
    return this.#frames;
  }

  /** The table grew: `frames` are all of it. */
  extend(frames: readonly number[]): void {
    this.#frames.push(...frames.slice(this.#frames.length));
  }

  /** References that {@link grant} can still give. */
  get available(): number {
    return this.#free.length + (this.#frames.length << GRANTS_SHIFT) - this.#fresh;
  }

  /** Let `domid` read frame `gfn`, and write it unless `isReadonly`. @returns the reference; -1. */
  grant(domid: number, gfn: number, isReadonly: boolean): number {
    const ref = this.#take();
    if (ref >= 0) this.grantAt(ref, domid, gfn, isReadonly);
    return ref;
  }

  /** As {@link grant}, by a reference of the caller's choice. */
  grantAt(ref: number, domid: number, gfn: number, isReadonly: boolean): void {
    const at = this.wordOf(ref);
    const flags = isReadonly ? GrantFlag.permitAccess | GrantFlag.readonly : GrantFlag.permitAccess;
    const { words, isShared } = this.memory;
    words[at + 1] = gfn;
    if (isShared) Atomics.store(words, at, (domid << 16) | flags);
    else words[at] = (domid << 16) | flags;
  }

  /** End the grant, free its reference. @returns false, with nothing done, while it is mapped. */
  revoke(ref: number): boolean {
    if (!this.revokeAt(ref)) return false;
    this.#free.push(ref);
    return true;
  }

  /** As {@link revoke}, and the reference stays the caller's. */
  revokeAt(ref: number): boolean {
    const at = this.wordOf(ref);
    const { words, isShared } = this.memory;
    for (;;) {
      const old = isShared ? Atomics.load(words, at) : (words[at] ?? 0);
      if ((old & (GrantFlag.reading | GrantFlag.writing)) !== 0) return false;
      if (!isShared) {
        words[at] = old & ~0xffff;
        return true;
      }
      if (Atomics.compareExchange(words, at, old, old & ~0xffff) === old) return true;
    }
  }

  /** True while another domain maps the frame of `ref`. */
  isMapped(ref: number): boolean {
    const { words, isShared } = this.memory;
    const at = this.wordOf(ref);
    const word = isShared ? Atomics.load(words, at) : (words[at] ?? 0);
    return (word & (GrantFlag.reading | GrantFlag.writing)) !== 0;
  }

  /** The first word of the entry of `ref` in the memory: for drivers that write it often. */
  wordOf(ref: number): number {
    const frame = this.#frames[ref >>> GRANTS_SHIFT] ?? -1;
    if (frame < 0) throw new RangeError(`reference ${ref} is outside the table`);
    return (frame << FRAME_WORD_SHIFT) + ((ref & ENTRIES_MASK) << 1);
  }

  #take(): number {
    const freed = this.#free.pop();
    if (freed !== undefined) return freed;
    if (this.#fresh >= this.#frames.length << GRANTS_SHIFT) return -1;
    this.#fresh += 1;
    return this.#fresh - 1;
  }
}
